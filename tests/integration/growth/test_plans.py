"""A million matters on: every statement of a whole life, of the scans, lists and scrapes finds its rows by an index.

The statements are not listed here but heard: whatever the services say to their databases while the pack's scenarios
are played, every list is asked for and everything that goes on beside is done once. The few that may read a table from
end to end are named with the reason.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from deploy.launcher import services
from deploy.launcher.installation import pack_folder, trial_settings
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.ledger.engines import open_engine
from shared.ledger.migrate import migrate
from tests.integration.growth import grown
from tests.integration.growth.life import GrownStage, keep_house, live, look_around
from tests.integration.growth.statements import Recorder, plan_of

#: The morning of the scenarios' first day; everything in the tables is older.
NOW = datetime(2025, 9, 8, 0, 0, tzinfo=UTC)
#: How many pages a query may really touch (the smallest table of a million rows has 7,000), and what the planner may
#: expect of a statement that writes, which is not run: a batch of a purge looks a thousand keys up; reading a million
#: rows begins at 20,000.
MOST_PAGES, MOST_COST = 2_000, 10_000.0

#: Part of a statement -> (why it may read more, tables that it may read whole, pages).
ALLOWED = {
    "sum(stream_heads.version)": ("operations endpoint: all events ever emitted; not for scrapes", True, 20_000),
    "sum(stream_positions.version)": ("operations endpoint: all events ever received; likewise", True, 20_000),
    "AS open_at_end": ("the figures of a report are about every matter there is; asked for by people", True, 500_000),
    "AS standing GROUP BY": ("gauge of open clocks at a scrape: a few pages for each that is open", False, 100_000),
    "JOIN mine ON": ("the list of a small unit: four pages for each of its at most 10,000 matters", False, 45_000),
    "WHERE matter_scopes.unit =": ("a page of a list looks at up to 1,000 matters and their scopes", False, 9_000),
}  # fmt: skip


@pytest.fixture(scope="module")
def old_suite(postgresql, tmp_path_factory):
    """Settings of a suite that is a million matters old."""
    pack = packs.load(pack_folder("jianwai"))
    names = {name: f"grown_{name}" for name in SERVICES}
    engines = {name: open_engine(postgresql.url_for(database), pool_size=2) for name, database in names.items()}
    for name, engine in engines.items():
        migrate(engine, services.definition(name))
    grids = [unit.id for unit in pack.units.values() if unit.level == "grid"]
    grown.fill_all(engines, NOW, grids)
    for engine in engines.values():
        engine.dispose()
    url = postgresql.url_for("grown_intake").replace("grown_intake", "grown_{service}")
    yield pack, replace(trial_settings(tmp_path_factory.mktemp("grown"), "jianwai"), database_url=url)
    for database in names.values():
        postgresql.drop(database)


@pytest.fixture(scope="module")
def lived(old_suite):
    """The stage after the lives, and everything that was said to the databases."""
    pack, settings = old_suite
    stage, recorder = GrownStage(pack, settings), Recorder()
    unmet = live(stage, sorted(pack_folder("jianwai").glob("scenarios/*.yaml")), recorder)
    assert unmet == []  # a town's day comes out the same among a million matters
    with recorder.on(stage.engines()):
        look_around(stage)
        keep_house(stage)
    yield stage, recorder
    stage.close()


@pytest.mark.timeout(600)
def test_no_statement_reads_a_big_table_from_end_to_end(lived):
    stage, recorder = lived
    engines = stage.engines()
    found, needed, explained = [], set(), 0
    for statement in recorder.statements():
        plan = plan_of(engines[statement.service], statement)
        if plan is None:
            continue
        explained += 1
        # The other tables are so small here that reading them whole is the planner's right.
        scanned = plan.scanned & grown.BIG[statement.service]
        if plan.pages <= MOST_PAGES if plan.pages is not None else not scanned and plan.cost <= MOST_COST:
            continue
        part = next((part for part in ALLOWED if part in statement.shape), "")
        _, may_scan, most = ALLOWED.get(part, ("", False, 0))
        if (scanned and not may_scan) or plan.pages is None or plan.pages > most:
            found.append(
                f"{statement.service}: reads all of {sorted(scanned)}, cost {plan.cost:.0f}, pages {plan.pages}: "
                f"{statement.shape[:300]} … {statement.shape[-300:]} with {str(statement.parameters)[:300]}"
            )
        needed.add(part)
    assert not found, "\n".join(found)
    assert needed == set(ALLOWED), "an exception that nothing needs any more"
    assert explained > 300  # a full life was heard, not a part of it


def test_the_statements_that_the_ledger_lives_by_were_heard(lived):
    """Had the hook or the life lost one of these, the test above would be silent about it."""
    _, recorder = lived
    shapes = {statement.shape for statement in recorder.statements()}
    for part in (
        "INSERT INTO outbox", "UPDATE outbox SET published_at", "DELETE FROM outbox", "INSERT INTO inbox",
        "DELETE FROM inbox", "DELETE FROM idempotency", "DELETE FROM failures", "DELETE FROM quarantine",
        "INSERT INTO stream_positions", "INSERT INTO stream_heads", "FROM parked WHERE parked.handler =",
        "FROM leases", "UPDATE leases", "clocks.next_step_at <=", "whistles.next_step_at <=", "FROM pauses",
        "messages.next_attempt_at <=", "INSERT INTO trace", "matter_scopes.unit =", "demands.code_digest =",
        "demands.source = ? AND demands.source_ref =", "matters.text_fingerprint =", "count(*)",
        "min(clocks.next_step_at)",
    ):  # fmt: skip
        assert any(part in shape for shape in shapes), (part, sorted(shapes))


def test_the_relay_finds_what_waits_among_a_million_published_events_in_a_few_pages(lived):
    stage, recorder = lived
    scan = recorder.statements("dispatch", "FROM outbox WHERE outbox.published_at IS NULL ORDER BY")[0]
    engine = stage.engines()["dispatch"]
    with engine.connect() as db:
        # The scenarios last for weeks: some of the oldest are purged meanwhile.
        assert db.execute(text("SELECT count(*) FROM outbox")).scalar_one() > grown.MILLION * 0.9
    assert plan_of(engine, scan).pages < 100


#: Scans for due work -> (service, table, column that says when, statement).
SCANS = {
    "clocks": ("dispatch", "clocks", "next_step_at", "clocks.next_step_at <="),
    "claims": ("dispatch", "claims", "next_step_at", "claims.next_step_at <="),
    "orders": ("dispatch", "orders", "next_step_at", "orders.next_step_at <="),
    "notices": ("notify", "notices", "next_attempt_at", "notices.next_attempt_at <="),
    "messages": ("notify", "messages", "next_attempt_at", "messages.next_attempt_at <="),
}


@pytest.mark.parametrize("scan", sorted(SCANS))
def test_a_scan_costs_what_is_due_and_not_what_is_open(lived, postgresql, scan):
    _, recorder = lived
    service, table, column, part = SCANS[scan]
    statement = next(one for one in recorder.statements(service, part) if "ORDER BY" in one.shape)
    pages = {}
    for open_ones in (10_000, grown.MILLION):
        name = f"open_{scan}_{open_ones}"
        engine = open_engine(postgresql.url_for(name), pool_size=2)
        migrate(engine, services.definition(service))
        # All of them open, a hundred of them due.
        when = "CASE WHEN g <= 100 THEN TIMESTAMPTZ '2020-01-01Z' ELSE {later} END"
        definition = services.definition(service).tables.tables[table]
        grown.fill_one(engine, service, definition, open_ones, NOW, **{column: when})
        pages[open_ones] = plan_of(engine, statement).pages
        engine.dispose()
        postgresql.drop(name)
    assert pages[grown.MILLION] <= 1.5 * pages[10_000], pages
