"""Taking a demand back: once, and never together with somebody who joins at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from services.intake.tables import demands
from shared.contracts.envelope import from_bytes
from shared.kernel.actor import ANONYMOUS
from shared.kernel.errors import Conflict, Invalid, Refusal
from shared.kernel.sealing import new_key_text
from shared.ledger.engines import reading
from shared.ledger.tables import outbox
from shared.runtime.settings import Settings
from tests.unit.intake.conftest import START
from tests.unit.intake.test_register import COMMAND, demand

#: Races run one after the other.
ROUNDS = 25


def withdraw(suite, registered):
    content = {"tracking_code": registered["tracking_code"], "reason": "已自行解决"}
    return suite.applications["intake"].execute("intake.withdraw-demand", content, ANONYMOUS)


def test_whoever_comes_after_the_last_one_left_opens_a_new_matter(suite, worker):
    """Dispatch has yet to hear that the matter ends; whoever joined it meanwhile would end with it."""
    first = suite.execute(COMMAND, demand(), worker).body
    withdraw(suite, first)
    second = suite.execute(COMMAND, demand(), worker).body
    assert second["matter_id"] != first["matter_id"]
    assert not second["joined"]


def test_one_of_two_who_leaves_keeps_the_matter_open_for_others(suite, worker):
    first, second = (suite.execute(COMMAND, demand(), worker).body for _ in range(2))
    withdraw(suite, first)
    third = suite.execute(COMMAND, demand(), worker).body
    assert second["matter_id"] == third["matter_id"] == first["matter_id"]


def test_who_has_left_adds_nothing_and_does_not_leave_again(suite, worker, emitted):
    first, _ = (suite.execute(COMMAND, demand(), worker).body for _ in range(2))
    withdraw(suite, first)
    before = emitted()
    more = {"tracking_code": first["tracking_code"], "text": "我又想起来了"}
    for call in (lambda: withdraw(suite, first), lambda: suite.execute("intake.supplement-demand", more, ANONYMOUS)):
        with pytest.raises(Conflict) as refused:
            call()
        assert refused.value.code == "already-withdrawn"
    assert emitted() == before


def test_nothing_lies_in_a_department(suite, worker, street):
    made = suite.execute(COMMAND, demand(location={"address": "很远的地方"}), worker).body
    with pytest.raises(Invalid) as refused:
        suite.execute("intake.locate-matter", {"matter": made["matter_id"], "unit": "dept-urban-management"}, street)
    assert set(refused.value.fields) == {"unit"}


@pytest.fixture
def on_file(pack, tmp_path):
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/intake.db", jurisdiction=Path(), contact_keys=new_key_text(),
        token_secret="t" * 40, link_secret="l" * 40, public_url="http://127.0.0.1",
    )  # fmt: skip
    suite = Suite.open(settings, pack, START, only=["intake"], create_tables=True)
    yield suite
    suite.close()


def test_leaving_and_joining_at_once_loses_nobody(on_file):
    leave_and_join(on_file, ROUNDS)


def test_leaving_twice_at_once_is_told_once(on_file):
    leave_twice(on_file, ROUNDS)


def leave_and_join(suite, rounds: int) -> None:
    """The last asker leaves while another one joins: no demand that still stands lies in a matter told to be empty."""
    worker = suite.actor("grid-worker-guanghua-dongli-1")
    intake = suite.applications["intake"]
    with ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            content = demand(text=f"第{number}件事")
            first = intake.execute(COMMAND, content, worker).body
            both = at_once(
                pool, lambda one=first: withdraw(suite, one), lambda c=content: intake.execute(COMMAND, c, worker)
            )
            assert [error for _, error in both] == [None, None]
    with reading(intake.at_hand.engine) as db:
        ended = [
            data["matter_id"] for name, data in events(db) if name.endswith("withdrawn") and data["last_of_matter"]
        ]
        standing = db.execute(select(demands.c.matter_id).where(demands.c.withdrawn_at.is_(None))).scalars().all()
    assert len(standing) == rounds
    assert not set(ended) & set(standing)


def leave_twice(suite, rounds: int) -> None:
    """Two requests with one code: one is told of, the other learns that it came too late."""
    worker = suite.actor("grid-worker-guanghua-dongli-1")
    intake = suite.applications["intake"]
    with ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            first = intake.execute(COMMAND, demand(text=f"又第{number}件事"), worker).body
            both = at_once(pool, *(lambda one=first: withdraw(suite, one) for _ in range(2)))
            codes = sorted(getattr(error, "code", "") for _, error in both)
            assert codes == ["", "already-withdrawn"]
    with reading(intake.at_hand.engine) as db:
        assert len([name for name, _ in events(db) if name == "intake.demand-withdrawn"]) == rounds


def at_once(pool, *calls):
    ready = Barrier(len(calls))

    def run(call):
        ready.wait()
        try:
            return call(), None
        except Refusal as error:
            return None, error

    return [each.result() for each in [pool.submit(run, call) for call in calls]]


def events(db):
    raws = db.execute(select(outbox.c.envelope).order_by(outbox.c.position)).scalars().all()
    return [(envelope.name, envelope.data) for envelope in (from_bytes(bytes(raw)) for raw in raws)]
