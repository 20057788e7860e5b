"""One question to every asker, one answer, in time, from whoever may give it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from services.oversight import tables
from shared.contracts import dispatch, intake
from shared.contracts.oversight import EvaluationReceived, EvaluationRequested
from shared.kernel.actor import ANONYMOUS, Actor
from shared.kernel.hashing import link_token
from tests.unit.oversight.conftest import SECRET, STREET_CLERK, SUPERVISOR, token


@pytest.fixture
def asked(overseer):
    """A closed matter's one evaluation."""
    overseer.opened()
    overseer.closed()
    [event] = overseer.settle()
    return event.evaluation_id


def test_every_asker_is_asked_when_the_matter_closes(overseer):
    overseer.opened(asks=3)
    assert overseer.settle() == []
    overseer.closed()
    events = overseer.settle()
    assert [type(event) for event in events] == [EvaluationRequested] * 3
    assert {event.demand_id for event in events} == {"m-1-d0", "m-1-d1", "m-1-d2"}
    expected = overseer.clock.now() + overseer.pack.policy.evaluation.expires
    assert {event.expires_at for event in events} == {expected}


def test_who_took_the_demand_back_is_not_asked(overseer):
    overseer.opened(asks=2)
    overseer.hear(intake.DemandWithdrawn(demand_id="m-1-d1", matter_id="m-1", reason="好了", last_of_matter=False))
    overseer.closed()
    assert [event.demand_id for event in overseer.settle()] == ["m-1-d0"]


def test_a_demand_that_becomes_known_late_is_asked_too(overseer):
    overseer.opened(asks=0)
    overseer.closed()
    assert overseer.settle() == []
    overseer.demand("m-1", 0)
    assert [event.demand_id for event in overseer.settle()] == ["m-1-d0"]


def test_a_second_attempt_is_asked_about_again_the_first_not_twice(overseer):
    overseer.opened()
    overseer.closed()
    overseer.settle()
    overseer.hear(dispatch.MatterReopened(matter_id="m-1", unit="u", reason="没好", reopened_by="x", attempt=2))
    overseer.closed(attempt=2)
    [event] = overseer.settle()
    assert (event.attempt, event.demand_id) == (2, "m-1-d0")


def test_the_link_answers_once(overseer, asked):
    reply = overseer.answer(asked, satisfied=False, wants_reopening=True, comment="还是不亮", resolved=False)
    assert reply.version == 2
    [event] = overseer.settle()
    assert isinstance(event, EvaluationReceived)
    assert (event.satisfied, event.wants_reopening, event.resolved, event.channel) == (False, True, False, "web")
    again = overseer.refused("evaluate", ANONYMOUS, evaluation=asked, satisfied=True, token=token(asked))
    assert (again.code, again.status) == ("already-evaluated", 409)
    assert overseer.rows(tables.evaluations)[0]["satisfied"] is False


def test_until_it_expires(overseer, asked):
    overseer.clock.advance(overseer.pack.policy.evaluation.expires - timedelta(microseconds=1))
    overseer.answer(asked)


def test_and_not_from_then_on(overseer, asked):
    overseer.clock.advance(overseer.pack.policy.evaluation.expires)
    refusal = overseer.refused("evaluate", ANONYMOUS, evaluation=asked, satisfied=True, token=token(asked))
    assert refusal.code == "evaluation-expired"
    assert overseer.rows(tables.evaluations)[0]["answered_at"] is None


@pytest.mark.parametrize(
    ("who", "given", "code"),
    [
        (ANONYMOUS, {}, "link-token-needed"),
        (ANONYMOUS, {"token": ""}, "invalid-link"),
        (ANONYMOUS, {"token": "中文"}, "invalid-link"),
        (ANONYMOUS, {"token": link_token(SECRET, "evaluate", "another")}, "invalid-link"),
        (STREET_CLERK, {}, "not-permitted"),
        (Actor(id="s", roles=frozenset({"supervisor"}), unit="yongan-li"), {}, "out-of-scope"),
        (ANONYMOUS, {"token": "link", "channel": "hotline"}, "not-your-channel"),
        (ANONYMOUS, {"token": "link", "wants_reopening": True}, "contradictory-answer"),
    ],
)
def test_who_may_not(overseer, asked, who, given, code):
    given = {name: token(asked) if value == "link" else value for name, value in given.items()}
    assert overseer.refused("evaluate", who, evaluation=asked, satisfied=True, **given).code == code
    assert overseer.settle() == []


def test_a_supervisor_passes_on_what_was_said_on_a_revisit(overseer, asked):
    overseer.do("evaluate", SUPERVISOR, evaluation=asked, satisfied=True, channel="visit")
    assert overseer.settle()[0].channel == "visit"


def test_an_unknown_evaluation(overseer):
    assert (
        overseer.refused("evaluate", ANONYMOUS, evaluation="x", satisfied=True, token="t").code == "unknown-evaluation"
    )


def test_a_stale_version_is_refused(overseer, asked):
    with pytest.raises(Exception, match="version 7 was read"):
        overseer.application.execute(
            "oversight.evaluate", {"evaluation": asked, "satisfied": True, "token": token(asked)}, ANONYMOUS, if_match=7
        )


# -- the page


def test_the_form_works_without_a_script(overseer, asked):
    page = overseer.http("GET", f"/evaluate/{asked}?t={token(asked)}").get_data(as_text=True)
    assert 'lang="zh-CN"' in page
    assert "N-m-1" in page
    assert "灯修好了" in page
    assert "<script" not in page
    answer = overseer.http(
        "POST",
        f"/evaluate/{asked}",
        t=token(asked),
        satisfied="no",
        resolved="no",
        comment=" 还是不亮 ",
        wants_reopening="yes",
    )
    assert answer.status_code == 200
    assert "感谢" in answer.get_data(as_text=True)
    [event] = overseer.settle()
    assert (event.satisfied, event.resolved, event.comment, event.wants_reopening) == (False, False, "还是不亮", True)


def test_a_form_sent_twice_counts_once_and_is_answered_twice(overseer, asked):
    page = overseer.http("GET", f"/evaluate/{asked}?t={token(asked)}").get_data(as_text=True)
    [key] = re.findall(r'name="idempotency-key" value="([^"]+)"', page)
    form = {"t": token(asked), "satisfied": "yes", "idempotency-key": key}
    for _ in range(2):
        answer = overseer.http("POST", f"/evaluate/{asked}", **form)
        assert (answer.status_code, "感谢" in answer.get_data(as_text=True)) == (200, True)
    changed = overseer.http("POST", f"/evaluate/{asked}", **form | {"satisfied": "no"})
    assert changed.status_code == 409
    assert "以第一次为准" in changed.get_data(as_text=True)
    assert len(overseer.settle()) == 1


def test_the_form_is_counted_like_every_command(overseer, asked):
    overseer.http("POST", f"/evaluate/{asked}", t=token(asked), satisfied="yes")
    overseer.http("POST", f"/evaluate/{asked}", t=token(asked), satisfied="yes")
    counted = overseer.application.metrics.render().decode()
    for result in ("ok", "rejected"):
        line = f'requests_total{{command="oversight.evaluate",result="{result}",service="oversight"}} 1.0'
        assert f"gridwhistle_{line}\n" in counted


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"satisfied": "yes"}, 403, "链接无效"),
        ({"t": "wrong", "satisfied": "yes"}, 403, "链接无效"),
        ({"t": "link"}, 400, "请返回，选择"),
        ({"t": "link", "satisfied": "perhaps"}, 400, "请返回，选择"),
        ({"t": "link", "satisfied": "yes", "resolved": "perhaps"}, 400, "请返回，选择"),
        ({"t": "link", "satisfied": "yes", "surprise": "1"}, 400, "请返回，选择"),
        ({"t": "link", "satisfied": "no", "comment": "x" * 4001}, 400, "请返回，选择"),
        ({"t": "link", "satisfied": "no", "comment": "x\0y"}, 400, "请返回，选择"),
        ({"t": "link", "satisfied": "no", "comment": "中" * 400_000}, 413, "内容过长"),
        ({"t": "link", "satisfied": "yes", "wants_reopening": "yes"}, 422, "不能同时"),
        ({"t": "link", "satisfied": "yes", "idempotency-key": "k" * 201}, 400, "请返回"),
    ],
)
def test_the_form_says_in_plain_words_why_not(overseer, asked, form, status, said):
    form = {name: token(asked) if value == "link" else value for name, value in form.items()}
    answer = overseer.http("POST", f"/evaluate/{asked}", **form)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert said in answer.get_data(as_text=True)
    assert overseer.settle() == []


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [("{asked}", 403, "链接无效"), ("{asked}?t=x", 403, "链接无效"), ("none?t={token}", 404, "没有这项评价")],
)
def test_the_form_is_for_the_link_alone(overseer, asked, address, status, said):
    page = overseer.http("GET", "/evaluate/" + address.format(asked=asked, token=token("none")))
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert said in page.get_data(as_text=True)
    assert "N-m-1" not in page.get_data(as_text=True)


def test_the_form_after_the_answer_and_after_the_time(overseer, asked):
    overseer.clock.advance(overseer.pack.policy.evaluation.expires)
    late = overseer.http("GET", f"/evaluate/{asked}?t={token(asked)}")
    assert (late.status_code, "评价时间已过" in late.get_data(as_text=True)) == (410, True)
    overseer.clock.set(overseer.clock.now() - timedelta(days=1))
    overseer.answer(asked)
    again = overseer.http("GET", f"/evaluate/{asked}?t={token(asked)}")
    assert (again.status_code, "已经提交过" in again.get_data(as_text=True)) == (409, True)


def test_hostile_words_are_only_words(overseer):
    hostile = """<script>alert(1)</script>"'{{ 7*7 }}"""
    overseer.opened(number=hostile)
    overseer.closed(outcome=hostile)
    [event] = overseer.settle()
    page = overseer.http("GET", f"/evaluate/{event.evaluation_id}?t={token(event.evaluation_id)}").get_data(
        as_text=True
    )
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "49" not in page.split("alert")[1][:40]
