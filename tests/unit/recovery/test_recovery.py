"""A service's database is set back by days of a town's week; afterwards every row of it is as it was.

The week is the demo's: 70 demands, all commands, due work, whistles, ballots, reopenings.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from deploy.launcher import services
from deploy.launcher.demo import demands
from deploy.launcher.demo.week import OPENS, Player
from deploy.launcher.recovering import SetBack, _hears, check_not_set_back
from deploy.launcher.suite import Suite
from services.dispatch.tables import matters as handled
from services.notify.channels.file import FILE_NAME
from services.notify.tables import matters, messages, news
from services.oversight.repository import trace
from services.oversight.tables import trace as trace_rows
from shared import jurisdiction as packs
from shared.contracts import envelope as envelopes
from shared.contracts import topology
from shared.kernel.actor import Actor
from shared.ledger import recovery
from shared.ledger.engines import reading
from shared.ledger.reception import Outcome
from shared.ledger.tables import outbox, quarantine, stream_heads, stream_positions

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


def recovered(suite, service, *, retell=None, progress=lambda: None, more=()):
    application = suite.applications[service]
    with reading(suite.applications["oversight"].at_hand.engine) as db:
        recorded = [*trace.envelopes(db), *more]
    retell = retell or services.definition(service).retell
    lost = recovery.lost_of(application.at_hand, recorded)
    heard = [(envelopes.from_bytes(raw), raw) for raw in recorded]
    heard = [pair for pair in heard if _hears(service, pair[0])]
    done = recovery.recover(application.reception, lost, heard, retell, until=suite.clock.now(), progress=progress)
    return lost, done


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
        "matter_steps.position", "whistle_answers.position", "climbs.position", "early_events.position",
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
        # What departments were told goes once more, byte for byte: they know it by its id.
        waiting = set(db.execute(select(outbox.c.stream).where(outbox.c.published_at.is_(None))).scalars())
        assert {stream for stream in waiting if not stream.startswith("whistle.")} == set()


def test_what_a_newer_release_told_is_left_to_that_release(week):
    suite, taken, end = week
    end.put_back(suite)
    taken[MOMENTS[2]].put_back(suite, "dispatch")
    told = envelopes.Envelope(
        id="01a00000-0000-7000-8000-000000000000", source="urn:gridwhistle:dispatch",
        type="gridwhistle.dispatch.matter-welcomed.v1", subject="m", time=suite.clock.now(),
        stream="dispatch.welcome:m", streamversion=1, correlationid="c", causationid=None, traceparent=None,
        classification="internal", data={"matter_id": "m"},
    )  # fmt: skip
    _, done = recovered(suite, "dispatch", more=[told.to_bytes()])
    reason = f"event type '{told.type}' is not registered; recover with the release that told it."
    assert [(each.first, why) for each, why in done.left] == [(told, reason)]


def test_what_a_newer_release_told_more_of_is_left_to_that_release(week):
    """A transaction of a command that is known, with a field that is not."""
    suite, taken, end = week
    end.put_back(suite)
    taken[MOMENTS[2]].put_back(suite, "dispatch")
    application = suite.applications["dispatch"]
    with reading(suite.applications["oversight"].at_hand.engine) as db:
        lost = recovery.lost_of(application.at_hand, trace.envelopes(db))
    told = next(each for each in lost if each.of("dispatch.matter-accepted"))
    newer = [replace(envelope, data=envelope.data | {"told_by_release": "next"}) for envelope, _ in told.events]
    newer = recovery.Lost(events=tuple((envelope, envelope.to_bytes()) for envelope in newer))
    lost = [newer if each is told else each for each in lost]
    done = recovery.recover(application.reception, lost, [], services.definition("dispatch").retell)
    why = next(why for each, why in done.left if each is newer)
    assert why.endswith("A newer release told it: recover with that one.")


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


def test_what_is_secret_is_left_to_a_person_and_the_books_agree_all_the_same(week):
    suite, taken, end = week
    end.put_back(suite)
    deliberation = suite.applications["deliberation"]
    with reading(deliberation.at_hand.engine) as db:
        books = {row.message_id: bytes(row.envelope) for row in db.execute(select(outbox))}
        heads = dict(db.execute(select(stream_heads.c.stream, stream_heads.c.version)).all())
    taken[MOMENTS[0]].put_back(suite, "deliberation")

    lost, done = recovered(suite, "deliberation")

    left = {each.first.name for each, _ in done.left}
    secret = {"deliberation.opinion-given", "deliberation.ballot-opened", "deliberation.ballot-closed"}
    # What hangs on a ballot nobody can count again is left too.
    assert secret <= left <= secret | {"deliberation.resolution-adopted", "deliberation.measure-completed"}
    assert done.transactions == len(lost) - len(done.left) > 0
    with reading(deliberation.at_hand.engine) as db:
        assert {row.message_id: bytes(row.envelope) for row in db.execute(select(outbox))} == books
        assert dict(db.execute(select(stream_heads.c.stream, stream_heads.c.version)).all()) == heads


class Killed(Exception):
    pass


def test_a_database_that_was_set_back_is_not_replayed_into(week):
    """It would act a second time on what it hears."""
    suite, taken, end = week
    end.put_back(suite)
    trace_of = suite.applications["oversight"].at_hand.engine
    for name in topology.SERVICES:
        check_not_set_back(suite.applications[name], trace_of)
    taken[MOMENTS[2]].put_back(suite, "dispatch")
    with pytest.raises(SetBack, match="not in its outbox"):
        check_not_set_back(suite.applications["dispatch"], trace_of)
    recovered(suite, "dispatch")
    check_not_set_back(suite.applications["dispatch"], trace_of)


def test_killed_on_the_way_and_begun_again(week):
    suite, taken, end = week
    end.put_back(suite)
    dispatch = suite.applications["dispatch"]
    before = rows(dispatch, UNTOLD["dispatch"])
    taken[MOMENTS[1]].put_back(suite, "dispatch")
    for patience in (1, 7, 40):
        left = iter(range(patience))

        def progress(left=left):
            if next(left, None) is None:
                raise Killed

        with pytest.raises(Killed):
            recovered(suite, "dispatch", progress=progress)
    _, done = recovered(suite, "dispatch")
    assert done.left == []
    assert rows(dispatch, UNTOLD["dispatch"]) == before
    again, done = recovered(suite, "dispatch")
    assert (again, done.transactions, set(done.received)) == ([], 0, {Outcome.DUPLICATE})


def test_what_would_tell_something_else_is_held_with_the_reason_and_never_guessed(week):
    suite, taken, end = week
    taken[MOMENTS[0]].put_back(suite)
    dispatch = suite.applications["dispatch"]
    end.put_back(suite, "oversight", "intake")

    def forgetful(lost, at_hand):
        """As if the ids of the clocks could not be told."""
        return replace(services.definition("dispatch").retell(lost, at_hand), ids=())

    lost, done = recovered(suite, "dispatch", retell=forgetful)

    opened = [each for each, _ in done.left if each.first.causationid is not None]
    assert opened
    assert all("dispatch.clock-started" in why for each, why in done.left if each in opened and "told" in why.lower())
    with reading(dispatch.at_hand.engine) as db:
        held = db.execute(select(quarantine.c.message_id, quarantine.c.reason)).all()
        kept = set(db.execute(select(outbox.c.message_id)).scalars())
    assert {row.reason for row in held} == {recovery.REASON}
    assert {row.message_id for row in held} == {each.first.causationid for each in opened}
    assert {envelope.id for each in lost for envelope in each.of()} <= kept


def of_dispatch(suite, query):
    with reading(suite.applications["dispatch"].at_hand.engine) as db:
        return dict(db.execute(query).all())


HEADS = select(stream_heads.c.stream, stream_heads.c.version)
STATES = select(handled.c.id, handled.c.state)


def test_without_recovery_the_others_would_not_hear_what_comes_next(week):
    """Why replaying alone is not enough: the versions given out again are those that everybody has seen."""
    suite, taken, end = week
    end.put_back(suite)
    states, heads = of_dispatch(suite, STATES), of_dispatch(suite, HEADS)
    taken[MOMENTS[1]].put_back(suite, "dispatch")
    early_states, early_heads = of_dispatch(suite, STATES), of_dispatch(suite, HEADS)
    asked = {
        "assigned": ("dispatch.assign", {"unit": "jianwai"}), "in-progress": ("dispatch.assign", {"unit": "jianwai"}),
        "closed": ("dispatch.reopen", {"reason": "恢复后重办"}),
    }  # fmt: skip
    matter = next(
        each
        for each in sorted(early_states)
        if early_states[each] in asked
        and states[each] in asked
        and heads[f"dispatch.matter:{each}"] > early_heads[f"dispatch.matter:{each}"]
    )
    clerk = Actor(id="the-one-who-goes-on", roles=frozenset({"district-clerk"}), unit="chaoyang")
    for recover, standing in ((False, early_states), (True, states)):
        end.put_back(suite)
        taken[MOMENTS[1]].put_back(suite, "dispatch")
        if recover:
            recovered(suite, "dispatch")
        name, content = asked[standing[matter]]
        suite.applications["dispatch"].execute(name, {"matter": matter} | content, clerk)
        suite.settle()
        with reading(suite.applications["oversight"].at_hand.engine) as db:
            told = db.execute(select(trace_rows.c.envelope).where(trace_rows.c.subject == matter)).scalars()
            assert any(clerk.id.encode() in bytes(raw) for raw in told) is recover


def test_the_trace_itself_is_filled_again_and_what_nobody_kept_is_passed_over(week):
    suite, taken, end = week
    end.put_back(suite)
    oversight = suite.applications["oversight"]
    with reading(oversight.at_hand.engine) as db:
        others = set(
            db.execute(select(trace_rows.c.message_id).where(~trace_rows.c.stream.startswith("oversight."))).scalars()
        )
    taken[MOMENTS[2]].put_back(suite, "oversight")
    seen_by_others = {}
    for name in ("dispatch", "notify"):
        with reading(suite.applications[name].at_hand.engine) as db:
            seen_by_others |= recovery.beyond(db, "oversight")

    gone = recovery.pass_over(oversight.at_hand, seen_by_others)
    for name in topology.SERVICES:
        if name != "oversight":
            with reading(suite.applications[name].at_hand.engine) as db:
                raws = [
                    bytes(raw) for raw in db.execute(select(outbox.c.envelope).order_by(outbox.c.position)).scalars()
                ]
            oversight.receive_many(raws)

    assert gone
    with reading(oversight.at_hand.engine) as db:
        assert trace.verify(db).ok
        assert others <= set(db.execute(select(trace_rows.c.message_id)).scalars())
        heads = dict(db.execute(select(stream_heads.c.stream, stream_heads.c.version)).all())
        positions = dict(db.execute(select(stream_positions.c.stream, stream_positions.c.version)).all())
    for stream, count in gone.items():
        assert heads[stream] == positions[stream] == seen_by_others[stream] >= count
