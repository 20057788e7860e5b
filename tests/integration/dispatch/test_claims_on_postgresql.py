"""Claims, capacity and parts by several at once, on PostgreSQL: one holder, nothing twice, nothing closed too early."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from deploy.launcher.suite import Suite
from services.dispatch import work_lists
from shared.contracts.intake import MatterSplit, ResourceListed
from shared.jurisdiction import load
from shared.kernel.actor import Actor
from shared.kernel.errors import Refusal
from shared.kernel.sealing import new_key_text
from shared.runtime.settings import Settings
from tests.unit.dispatch.conftest import CLERK, COMMUNITY, HEAD, PACK, PHOTO, START, STREET_CLERK, WORKER, Desk

#: Requests at the same moment, and how often.
AT_ONCE, ROUNDS = 4, 6
WISH = {"kind": "task", "title": "扫雪", "text": "门口的雪"}


@pytest.fixture
def desk(database):
    settings = Settings(
        database_url=database, jurisdiction=Path(), contact_keys=new_key_text(), token_secret="t" * 40,
        link_secret="l" * 40, public_url="http://127.0.0.1",
    )  # fmt: skip
    suite = Suite.open(settings, load(PACK), START, only=["dispatch"], create_tables=True)
    yield Desk(suite)
    suite.close()


def race(desk, *asked) -> Counter[str]:
    """(actor, command, content) at the same moment; how often each refusal came, "" counts successes."""
    ready = Barrier(len(asked))

    def run(one) -> str:
        actor, command, content = one
        ready.wait()
        try:
            desk.app.execute(f"dispatch.{command}", content, actor)
        except Refusal as refusal:
            return refusal.code
        return ""

    with ThreadPoolExecutor(len(asked)) as pool:
        return Counter(pool.map(run, asked))


def member(number):
    return Actor(id=f"member-{number}", roles=frozenset({"party-member"}), unit=COMMUNITY)


def test_one_of_many_takes_a_claim_and_ends_it_once(desk):
    clerks = [desk.suite.actor(CLERK), desk.suite.actor(STREET_CLERK)]
    for _ in range(ROUNDS):
        claim = desk.suite.execute("dispatch.post-claim", WISH, CLERK).body["claim_id"]
        taken = race(desk, *[(member(n), "take-claim", {"claim": claim}) for n in range(AT_ONCE)])
        assert taken == Counter({"": 1, "illegal-transition": AT_ONCE - 1})
        holder = member(int(desk.events("claim-taken")[-1]["taker"][-1]))
        done = (holder, "fulfil-claim", {"claim": claim, "outcome": "好", "evidence": [PHOTO]})
        # Fulfilled it waits for the desk: it is not over, and cannot be fulfilled again.
        assert race(desk, *[done] * AT_ONCE) == Counter({"": 1, "illegal-transition": AT_ONCE - 1})
        looked = [(clerk, "review-claim", {"claim": claim, "decision": "approved"}) for clerk in clerks]
        assert race(desk, *looked) == Counter({"": 1, "claim-over": 1})
    names = Counter(name for name, _ in desk.events())
    assert names["claim-taken"] == names["claim-fulfilled"] == names["claim-reviewed"] == ROUNDS


def test_capacity_is_given_out_once_however_many_ask(desk):
    clerk = desk.suite.actor(STREET_CLERK)
    for number in range(ROUNDS):
        desk.receive(
            ResourceListed(
                resource_id=f"r-{number}", owner="o", kind="places", title="t", text="t", units=("jianwai",),
                capacity=3, measure="个", listed_by="x",
            )
        )  # fmt: skip
        matters = [desk.open(f"m-{number}-{n}") for n in range(AT_ONCE)]
        asked = [(clerk, "match-resource", {"matter": one, "resource": f"r-{number}", "amount": 1}) for one in matters]
        assert race(desk, *asked) == Counter({"": 3, "capacity-exhausted": 1})


def test_a_whole_never_closes_over_a_part_that_is_taken_up_again(desk):
    """The last part closes, the whole is resolved, a part is reopened: whatever comes first, none is left behind."""
    for number in range(ROUNDS):
        whole, part = desk.open(f"m-{number}"), desk.open(f"p-{number}", parent=f"m-{number}")
        desk.receive(MatterSplit(matter_id=whole, parts=(part,), reason="r", split_by="x"))
        desk.do(WORKER, "accept", whole)
        desk.close(part)
        desk.do(WORKER, "resolve", whole, outcome="好了", evidence=[PHOTO])
        desk.do(HEAD, "verify", whole, passed=True)
        head, above = desk.suite.actor(HEAD), desk.suite.actor(STREET_CLERK)
        found = race(desk, (head, "close", {"matter": whole}), (above, "reopen", {"matter": part, "reason": "又坏了"}))
        assert found[""] == 1
        states = desk.view(matter=whole)["state"], desk.view(matter=part)["state"]
        assert states in {("closed", "closed"), ("verified", "assigned")}


def test_pages_add_up_on_postgresql_too(desk, monkeypatch):
    for number in range(9):
        desk.open(f"m-{number}", at=START.replace(minute=number))
    desk.close("m-4")
    path, everything = "/api/v1/matters", []
    for window in (1, 2, 50):
        monkeypatch.setattr(work_lists, "WINDOW", window)
        for filters in ({}, {"open": "true"}, {"responsible": "guanghua-dongli-1"}, {"open": "false"}, {"band": "ok"}):
            found, cursor = [], ""
            while cursor is not None:
                page = desk.ask(STREET_CLERK, path, limit="2", cursor=cursor, **filters)
                found += [one["matter_id"] for one in page["items"]]
                cursor = page["next"]
            everything.append((tuple(filters), tuple(found)))
    assert len(set(everything)) == 5
    assert dict(everything)[("open",)] == ("m-4",)
    assert len(dict(everything)[()]) == 9
