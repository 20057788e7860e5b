"""Joint handling: the whole waits for its parts and lists their results."""

from __future__ import annotations

import pytest

from shared.contracts.intake import MatterSplit
from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import CLERK, HEAD, PHOTO, STREET_CLERK, WORKER


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    return error.value


def split(desk, *parts):
    desk.receive(MatterSplit(matter_id="m-1", parts=parts, reason="涉及两家", split_by=CLERK))


def resolve(desk, matter="m-1"):
    return desk.do(WORKER, "resolve", matter, outcome="办好了", evidence=[PHOTO])


@pytest.fixture(params=["split first", "parts first"])
def whole(desk, request):
    """m-1, split into p-1 and p-2; intake's two streams have no order between them."""
    desk.open()
    desk.do(WORKER, "accept")
    parts = [lambda: desk.open("p-1", parent="m-1"), lambda: desk.open("p-2", parent="m-1")]
    for step in [lambda: split(desk, "p-1", "p-2"), *parts][:: 1 if request.param == "split first" else -1]:
        step()
    return "m-1"


def test_the_whole_waits_for_its_parts_and_lists_their_results(desk, whole):
    error = refused("parts-open", resolve, desk)
    assert "2 of 2" in error.what
    desk.close("p-1")
    refused("parts-open", resolve, desk)
    assert desk.events("parts-completed") == []
    desk.close("p-2")
    (told,) = desk.events("parts-completed")
    assert (told["matter_id"], told["parts"], told["closed"]) == (whole, ["p-1", "p-2"], 2)
    shown = desk.view()
    assert [(part["number"], part["state"], part["outcome"]) for part in shown["parts"]] == [
        ("M-p-1", "closed", "换了灯泡"), ("M-p-2", "closed", "换了灯泡"),
    ]  # fmt: skip
    assert "parts-completed" in shown["flags"]
    assert desk.view(matter="p-1")["part_of"] == {"matter_id": "m-1", "number": "M-m-1", "state": "in-progress"}
    resolve(desk)
    desk.do(HEAD, "verify", passed=True)
    assert desk.do(HEAD, "close")["state"] == "closed"


def test_announced_parts_count_before_they_are_here(desk):
    desk.open()
    desk.do(WORKER, "accept")
    split(desk, "p-9")
    refused("parts-open", resolve, desk)
    assert desk.view()["parts"] == [
        {"matter_id": "p-9", "number": None, "state": None, "ended": False, "outcome": None}
    ]


def test_split_while_it_was_verified_it_is_not_closed_over_its_parts(desk):
    desk.open()
    desk.do(WORKER, "accept")
    resolve(desk)
    desk.do(HEAD, "verify", passed=True)
    split(desk, "p-1")
    refused("parts-open", desk.do, HEAD, "close")


def test_a_part_lives_again_only_with_its_whole(desk, whole):
    desk.close("p-1")
    desk.close("p-2")
    assert desk.do(STREET_CLERK, "reopen", "p-1", reason="又坏了")["state"] == "assigned"
    assert "parts-completed" not in desk.view()["flags"]
    refused("parts-open", resolve, desk)
    desk.close("p-1")
    assert len(desk.events("parts-completed")) == 2
    resolve(desk)
    desk.do(HEAD, "verify", passed=True)
    desk.do(HEAD, "close")
    refused("whole-closed", desk.do, STREET_CLERK, "reopen", "p-1", reason="又坏了")
    desk.do(STREET_CLERK, "reopen", whole, reason="又坏了")
    assert desk.do(STREET_CLERK, "reopen", "p-1", reason="又坏了")["state"] == "assigned"


def test_clocks_of_the_whole_run_on(desk, whole):
    before = desk.clock("resolve")["due_at"]
    desk.close("p-1")
    assert desk.clock("resolve")["due_at"] == before
    assert desk.clock("resolve", "p-1")["outcome"] == "met"
