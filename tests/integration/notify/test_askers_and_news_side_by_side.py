"""An asker and a piece of news, handled at the same moment by two workers: each order ends with the asker told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import select

from services.notify import handlers, tables
from services.notify.definition import DEFINITION
from shared import jurisdiction
from shared.contracts import dispatch, intake
from shared.contracts.envelope import Envelope
from shared.contracts.values import Place
from shared.kernel.clock import SystemClock
from shared.kernel.sealing import new_key_text
from shared.ledger import migrate
from shared.ledger.engines import reading
from shared.ledger.unit_of_work import unit_of_work
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of

#: Seconds that the second worker gets to overtake the first; with the lock it waits for the first one's commit.
OVERTAKES_S = 1.0


@pytest.fixture
def notify(database, tmp_path):
    settings = Settings(
        database_url=database, jurisdiction=Path(), contact_keys=new_key_text(), token_secret="t" * 32,
        link_secret="l" * 32, data_dir=tmp_path,
    )  # fmt: skip
    made = application_of(
        DEFINITION, settings, clock=SystemClock(), jurisdiction=jurisdiction.load(Path("deploy/jurisdictions/jianwai"))
    )
    migrate.migrate(made.at_hand.engine, DEFINITION)
    yield made
    made.at_hand.engine.dispose()


REGISTERED = intake.DemandRegistered(
    demand_id="d-1", matter_id="m-1", number="N", matter_number="M", channel="web", asker_kind="resident",
    anonymous=False, private=False, joined=False, text="t", place=Place(), sealed_asker="sealed",
)  # fmt: skip
ASSIGNED = dispatch.MatterAssigned(
    matter_id="m-1", unit="guanghua-dongli-1", level="grid", person=None, reason="r", assigned_by="system"
)
WITHDRAWN = intake.DemandWithdrawn(demand_id="d-1", matter_id="m-1", reason="r", last_of_matter=True)
STEPS = {
    "registered": (REGISTERED, handlers.on_demand_registered),
    "assigned": (ASSIGNED, handlers.on_matter_handed_over),
    "withdrawn": (WITHDRAWN, handlers.on_demand_withdrawn),
}


def handle(notify, what, before_commit=lambda: None):
    """As the reception does it, with a moment between the handler's last statement and the commit."""
    event, handler = STEPS[what]
    cause = Envelope(
        id=what, source="urn:gridwhistle:intake", type="gridwhistle.intake.demand-registered.v1", subject="s",
        time=datetime.now(UTC), stream="s:1", streamversion=1, correlationid="c", causationid=None, traceparent=None,
        classification="personal", data={},
    )  # fmt: skip
    with unit_of_work(notify.at_hand, cause=cause) as work:
        handler(event, work)
        before_commit()
        work.commit()


def side_by_side(notify, first, second):
    """The second begins when the first has done everything but commit."""
    other = Thread(target=handle, args=(notify, second))

    def overtake():
        other.start()
        other.join(OVERTAKES_S)

    handle(notify, first, overtake)
    other.join()


def told(notify):
    with reading(notify.at_hand.engine) as db:
        return {tuple(row) for row in db.execute(select(tables.messages.c.template, tables.messages.c.state))}


@pytest.mark.parametrize(("first", "second"), [("registered", "assigned"), ("assigned", "registered")])
def test_neither_of_two_workers_leaves_the_telling_to_the_other(notify, first, second):
    side_by_side(notify, first, second)
    assert {template for template, _ in told(notify)} == {"registered", "assigned"}


@pytest.mark.parametrize(("first", "second"), [("withdrawn", "assigned"), ("assigned", "withdrawn")])
def test_whoever_withdraws_meanwhile_is_told_nothing_more(notify, first, second):
    handle(notify, "registered")
    side_by_side(notify, first, second)
    assert {state for _, state in told(notify)} == {"skipped"}
