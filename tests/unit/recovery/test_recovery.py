"""A service's database is set back by days of a town's week; afterwards every row of it is as it was.

The week is the demo's: 70 demands, all commands, due work, whistles, ballots, reopenings.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from deploy.launcher import services
from deploy.launcher.demo import demands
from deploy.launcher.demo.week import OPENS, Player
from deploy.launcher.suite import Suite
from services.notify.channels.file import FILE_NAME
from services.notify.tables import matters, messages, news
from services.oversight.repository import trace
from shared import jurisdiction as packs
from shared.contracts import envelope as envelopes
from shared.contracts import topology
from shared.ledger import recovery
from shared.ledger.engines import reading
from shared.ledger.tables import outbox, stream_heads, stream_positions

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
#: Shares of the week at which the databases are copied.
MOMENTS = (0.1, 0.45, 0.8)


class Copies:
    """Copies of all databases, kept outside the suite."""

    def __init__(self, suite: Suite) -> None:
        self._kept = {}
        for name, application in suite.applications.items():
            self._kept[name] = sqlite3.connect(":memory:", check_same_thread=False)
            _copy(_driver(application), self._kept[name])

    def put_back(self, suite: Suite, *names: str) -> None:
        for name in names or suite.applications:
            _copy(self._kept[name], _driver(suite.applications[name]))


def _driver(application):
    with closing(application.at_hand.engine.raw_connection()) as connection:
        return connection.driver_connection


def _copy(source, target):
    source.backup(target)


@pytest.fixture(scope="module")
def week():
    """A suite after the week, copies of all databases taken on the way, and of the end."""
    pack = packs.load(PACK)
    first = date(2026, 11, 16)
    start = demands.instant(pack, demands.working_days(pack, first)[0], OPENS)
    suite = Suite.in_memory(pack, start)
    taken = {}

    def look(progress):
        for moment in MOMENTS:
            if moment not in taken and progress.share >= moment:
                taken[moment] = Copies(suite)

    Player(suite, demands.read(PACK), first_day=first, seed=7).play(look)
    return suite, taken, Copies(suite)


def recovered(suite, service):
    application = suite.applications[service]
    with reading(suite.applications["oversight"].at_hand.engine) as db:
        recorded = list(trace.envelopes(db))
    definition = services.definition(service)
    lost = recovery.lost_of(application.at_hand, recorded)
    heard = [(envelopes.from_bytes(raw), raw) for raw in recorded]
    heard = [
        (envelope, raw)
        for envelope, raw in heard
        if any(sub.consumer == service for sub in topology.hearers(envelope.type))
    ]
    return lost, recovery.recover(application.reception, lost, heard, definition.retell, until=suite.clock.now())


def rows(application, without=()):
    """Every row of the service's own tables, by table."""
    found = {}
    with reading(application.at_hand.engine) as db:
        for table in application.definition.tables.sorted_tables:
            columns = [column for column in table.c if f"{table.name}.{column.name}" not in without]
            found[table.name] = sorted(
                json.dumps([str(value) for value in row], ensure_ascii=False) for row in db.execute(select(*columns))
            )
    return found


#: What no event tells.
UNTOLD = {
    "dispatch": {
        "matter_steps.position", "whistle_answers.position", "early_events.position",
        # A remark at closing.
        "matter_steps.detail",
    },
    "intake": {"milestones.position", "demands.registered_by", "supplements.supplement_id"},
}  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("service", ["dispatch", "intake"])
def test_every_row_is_as_it_was(week, service, moment):
    suite, taken, end = week
    end.put_back(suite)
    application = suite.applications[service]
    before = rows(application, UNTOLD[service])
    with reading(application.at_hand.engine) as db:
        books = {row.message_id: bytes(row.envelope) for row in db.execute(select(outbox))}
        heads = dict(db.execute(select(stream_heads.c.stream, stream_heads.c.version)).all())
        positions = dict(db.execute(select(stream_positions.c.stream, stream_positions.c.version)).all())
    taken[moment].put_back(suite, service)
    assert rows(application, UNTOLD[service]) != before

    lost, done = recovered(suite, service)

    assert [(each.first.name, why) for each, why in done.left] == []
    assert done.transactions == len(lost) > 5
    after = rows(application, UNTOLD[service])
    for table in before:
        assert after[table] == before[table], table
    with reading(application.at_hand.engine) as db:
        assert {row.message_id: bytes(row.envelope) for row in db.execute(select(outbox))} == books
        assert dict(db.execute(select(stream_heads.c.stream, stream_heads.c.version)).all()) == heads
        assert dict(db.execute(select(stream_positions.c.stream, stream_positions.c.version)).all()) == positions
        assert db.execute(select(outbox.c.position).where(outbox.c.published_at.is_(None))).all() == []


def letters(application):
    """How each letter to each asker stands, and how many lie on the disk."""
    with reading(application.at_hand.engine) as db:
        rows = db.execute(
            select(messages.c.demand_id, messages.c.event_id, messages.c.template, messages.c.state)
        ).all()
    return sorted(rows), len((application.at_hand.data_dir / FILE_NAME).read_text("utf-8").splitlines())


@pytest.mark.parametrize("moment", MOMENTS)
def test_no_letter_goes_twice(week, moment):
    suite, taken, end = week
    end.put_back(suite)
    notify = suite.applications["notify"]
    before, on_disk = letters(notify)
    with reading(notify.at_hand.engine) as db:
        books = {row.message_id: bytes(row.envelope) for row in db.execute(select(outbox))}
        known = {name: sorted(db.execute(select(table)).all()) for name, table in
                 (("matters", matters), ("news", news))}  # fmt: skip
    taken[moment].put_back(suite, "notify")

    lost, done = recovered(suite, "notify")

    assert done.left == []
    assert done.transactions == len(lost) > 5
    suite.settle()  # what waits is sent: letters to askers without an address, of which no event tells
    after, now_on_disk = letters(notify)
    assert after == before
    assert now_on_disk == on_disk > 0
    with reading(notify.at_hand.engine) as db:
        assert {row.message_id: bytes(row.envelope) for row in db.execute(select(outbox))} == books
        assert sorted(db.execute(select(matters)).all()) == known["matters"]
        assert sorted(db.execute(select(news)).all()) == known["news"]
