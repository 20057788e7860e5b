"""Replay, rebuild and quarantine on a running suite: while clients write, and killed by force in the midst of it.

What must come out is judged by tables that the rig makes anew from the trace in databases of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from click.testing import CliRunner
from sqlalchemy import func, insert, select, text

from deploy.launcher.cli import group
from services.deliberation import tables as deliberation
from services.notify import tables as notify
from services.oversight import tables as oversight
from shared.contracts import registry
from shared.contracts.topology import SERVICES
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Refusal
from shared.ledger import tables
from shared.ledger.engines import reading, writing
from tests.chaos import rebuilt
from tests.chaos.book import Book
from tests.chaos.producer import Producer
from tests.chaos.suite import PROJECT
from tests.integration.full.stranger import Stranger

CLIENTS = 8
MODELS = ("oversight", "notify", "deliberation", "intake")
#: The rebuild in small steps, so that it can be killed amid them.
SMALL_STEPS = (
    "import shared.ledger.rebuild as it; it._COMPARED, it._MENDED = 4, 2; "
    "from deploy.launcher.cli import main; main({arguments!r})"
)
REPLAY_IN_SMALL_STEPS = (
    "import shared.ledger.replay as it; it._PAGE, it._BATCH = 20, 5; "
    "from deploy.launcher.cli import main; main({arguments!r})"
)


@pytest.fixture(scope="module")
def suite(full_suite):
    full_suite.replicas = {}
    full_suite.start()
    live(full_suite, "一", 30)
    full_suite.until_at_rest()
    return full_suite


def live(suite, name, matters):
    """Whole lives by eight clients, over HTTP."""
    book = Book(suite.folder / f"book-{name}.jsonl")
    producer = Producer(suite, book, matters=matters, clients=CLIENTS, seed=len(name))
    producer.start()
    producer.join(240)
    book.close()
    assert book.stalled == []


@pytest.fixture
def run(suite, monkeypatch):
    for name, value in suite.settings.environment().items():
        monkeypatch.setenv(name, value)

    def run(*arguments, code=0):
        result = CliRunner().invoke(group, [*arguments, "--json"], standalone_mode=False)
        if isinstance(result.exception, Refusal):
            return result.exception.code
        assert result.exception is None, result.output
        assert result.return_value == code, result.output
        return json.loads(result.stdout)

    return run


def differences(suite):
    return [str(finding) for finding in rebuilt.differences(suite, dict)]


def damage(suite, service, *statements):
    with writing(suite.engines[service]) as db:
        for statement in statements:
            db.execute(text(statement))
        db.commit()


def count(suite, service, table, *where):
    with reading(suite.engines[service]) as db:
        return db.execute(select(func.count()).select_from(table).where(*where)).scalar_one()


def whole(suite, service, tables_):
    with reading(suite.engines[service]) as db:
        return {
            table.name: [tuple(row) for row in db.execute(select(table).order_by(*table.primary_key.columns))]
            for table in tables_
        }


# -- rebuild -----------------------------------------------------------------------------------------------------------


def test_at_rest_everything_is_as_the_trace_has_it(suite, run):
    for service in MODELS:
        found = run("rebuild", "--service", service, "--check")
        assert (found["wrong"], found["matters"] >= 30, found["events"] > 30) == (0, True, True)
    assert differences(suite) == []
    assert run("rebuild", "--service", "dispatch", "--check") == "no-read-tables"


def test_rebuilt_while_eight_clients_write(suite, run):
    before = suite.ledger()
    writers = Thread(target=live, args=(suite, "二二", 90))
    writers.start()
    rounds = 0
    try:
        while writers.is_alive() and rounds < 3:
            rounds += 1
            damage(
                suite, "oversight", "TRUNCATE matters, milestones, attempts, whistles, resolutions",
                "UPDATE clocks SET due_at = started_at, outcome = NULL", "UPDATE evaluations SET comment = 'x'",
                "INSERT INTO attempts (matter_id, attempt) VALUES ('no-such-matter', 1)",
            )  # fmt: skip
            damage(suite, "notify", "UPDATE matters SET due_at = NULL, handled_by = 'x'", "UPDATE news SET unit = 'x'")
            damage(suite, "deliberation", "UPDATE matters SET state = 'closed', number = NULL")
            damage(
                suite, "intake", "TRUNCATE milestones", "UPDATE matters SET standing = 'registered', handled_by = NULL"
            )
            for service in MODELS:
                found = run("rebuild", "--service", service, "--reason", "演练：写入时重建")
                assert found["wrong"] >= 30, (service, found)
    finally:
        writers.join()
    suite.until_at_rest()
    assert rounds > 1
    assert (suite.ledger() - before)["trace", registry.by_name("intake.matter-opened").type] > 0
    for service in MODELS:
        assert run("rebuild", "--service", service, "--check")["wrong"] == 0, service
    assert differences(suite) == []
    assert suite.left_over() == {}


def test_killed_by_force_amid_a_rebuild_and_run_again(suite, run):
    damage(suite, "oversight", "TRUNCATE matters, milestones, attempts, clocks, demands, evaluations, inspections")
    arguments = ["rebuild", "--service", "oversight", "--reason", "演练：中途被杀"]
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL_STEPS.format(arguments=arguments)], cwd=PROJECT,
        env=os.environ | suite.settings.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    suite.until(lambda: count(suite, "oversight", oversight.matters) > 8, 60, every=0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    matters = run("rebuild", "--service", "oversight", "--check", code=1)["wrong"]
    with reading(suite.engines["oversight"]) as db:
        assert 0 < matters < db.execute(select(func.count(oversight.trace.c.subject.distinct()))).scalar_one()
    resumed = run("rebuild", "--service", "oversight", "--reason", "接着", "--resume")
    assert resumed["matters"] > 8
    assert run("rebuild", "--service", "oversight", "--check")["wrong"] == 0
    assert differences(suite) == []
    assert run("rebuild", "--service", "oversight", "--reason", "接着", "--resume") == "nothing-to-resume"
    with reading(suite.engines["oversight"]) as db:
        kept = db.execute(
            select(tables.interventions).where(tables.interventions.c.id == resumed["intervention"])
        ).one()
    assert (kept.kind, kept.why, kept.detail["state"]) == ("rebuild", "演练：中途被杀", "done")


def test_dropped_tables_are_made_again(suite, run):
    damage(suite, "oversight", "DROP TABLE whistles", "DROP TABLE milestones")
    assert run("rebuild", "--service", "oversight", "--check") == "read-table-missing"
    assert run("rebuild", "--service", "oversight", "--reason", "表没了")["put_back"]["milestones"] > 30
    assert differences(suite) == []


# -- replay ------------------------------------------------------------------------------------------------------------


def test_replayed_twice_from_everywhere_while_clients_write_nothing_is_done_twice(suite, run):
    writers = Thread(target=live, args=(suite, "三三三", 20))
    writers.start()
    since = rfc3339(datetime.now(UTC) - timedelta(hours=1))
    try:
        for service in SERVICES:
            run("replay", "--service", service, "--since", since, "--reason", "演练")
            if service != "oversight":
                run("replay", "--service", service, "--from-trace", "--reason", "演练")
    finally:
        writers.join()
    suite.until_at_rest()
    before = suite.ledger()
    for service in SERVICES:
        counts = run("replay", "--service", service, "--since", since, "--reason", "演练")["counts"]
        assert set(counts) == {"duplicate"}, (service, counts)
        assert counts["duplicate"] == count(suite, service, tables.inbox)
    assert suite.ledger() == before
    assert suite.left_over() == {}
    assert suite.trace_is_valid().ok
    assert differences(suite) == []
    assert run("replay", "--service", "oversight", "--from-trace", "--reason", "x") == "invalid-input"
    assert run("replay", "--service", "notify", "--since", "2999-01-01T00:00:00Z", "--reason", "x") == "invalid-input"
    assert run("replay", "--service", "notify", "--from-trace", "--reason", " ") == "invalid-input"


@pytest.mark.parametrize("source", ["--since", "--from-trace"])
def test_a_database_set_back_to_an_earlier_moment_hears_what_it_lost(suite, run, source):
    kept = [*tables.metadata.sorted_tables, *notify.metadata.sorted_tables]
    earlier = whole(suite, "notify", kept)
    since = rfc3339(datetime.now(UTC) - timedelta(minutes=1))
    live(suite, f"四{source}", 10)
    suite.until_at_rest()
    # Whether one who withdraws is still told what happens at that time depends on which of two streams is heard first.
    withdrawn = select(notify.addressees.c.demand_id).where(notify.addressees.c.withdrawn_at.is_not(None))
    told = select(notify.messages.c.demand_id, notify.messages.c.event_id, notify.messages.c.template).where(
        notify.messages.c.demand_id.not_in(withdrawn)
    )
    view = (notify.addressees, notify.matters, notify.news, tables.stream_positions)
    with reading(suite.engines["notify"]) as db:
        letters = set(db.execute(told))
    full = whole(suite, "notify", view)
    set_back(suite, kept, earlier)
    assert len(whole(suite, "notify", view)["addressees"]) < len(full["addressees"])
    where = [source, since] if source == "--since" else [source]
    lost = run("replay", "--service", "notify", *where, "--dry-run")["counts"]["lost"]
    counts = run("replay", "--service", "notify", *where, "--reason", "恢复演练")["counts"]
    assert counts["handled"] + counts["ignored"] == lost > 100
    assert "parked" not in counts
    suite.until_at_rest()
    after = whole(suite, "notify", view)
    without = [column.name for column in notify.addressees.c].index("reachable")
    for rows in (full, after):
        rows["addressees"] = [row[:without] + row[without + 1 :] for row in rows["addressees"]]
    assert after == full
    with reading(suite.engines["notify"]) as db:
        assert set(db.execute(told)) == letters
    assert differences(suite) == []


def set_back(suite, kept, earlier):
    """As a restore would; in one transaction, while the service runs."""
    with writing(suite.engines["notify"]) as db:
        db.execute(text("LOCK TABLE stream_positions IN EXCLUSIVE MODE"))
        kept = [table for table in kept if table.name not in {"leases", "outbox", "stream_heads", "interventions"}]
        for table in reversed(kept):
            db.execute(table.delete())
        for table in kept:
            rows = [dict(zip(table.c.keys(), row, strict=True)) for row in earlier[table.name]]
            if rows:
                db.execute(insert(table), rows)
        db.commit()


def test_killed_by_force_amid_a_replay_and_resumed(suite, run):
    heard = count(suite, "deliberation", tables.inbox)
    before = whole(suite, "deliberation", [tables.stream_positions, deliberation.matters])
    damage(suite, "deliberation", "TRUNCATE inbox", "TRUNCATE stream_positions", "UPDATE matters SET state = 'open'")
    arguments = ["replay", "--service", "deliberation", "--from-trace", "--reason", "演练：中途被杀"]
    process = subprocess.Popen(
        [sys.executable, "-c", REPLAY_IN_SMALL_STEPS.format(arguments=arguments)], cwd=PROJECT,
        env=os.environ | suite.settings.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    suite.until(lambda: count(suite, "deliberation", tables.inbox) > 30, 60, every=0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert count(suite, "deliberation", tables.inbox) < heard
    counts = run("replay", "--service", "deliberation", "--from-trace", "--reason", "接着", "--resume")["counts"]
    assert "parked" not in counts
    assert count(suite, "deliberation", tables.inbox) == heard
    assert whole(suite, "deliberation", [tables.stream_positions, deliberation.matters]) == before
    counts = run("replay", "--service", "deliberation", "--from-trace", "--reason", "再来")["counts"]
    assert counts == {"duplicate": heard}


# -- quarantine --------------------------------------------------------------------------------------------------------


def held(run, suite, number):
    found = []

    def there():
        found[:] = run("quarantine", "list", "--service", "oversight")["entries"]
        return len(found) == number

    suite.until(there, 60)
    return found


def test_every_class_of_poison_and_every_decision(suite, run):
    rubbish = "\xff不是事件".encode("latin-1", "replace") + os.urandom(4)
    stranger = Stranger(suite)
    lacking = json.loads(stranger.envelope().to_bytes())
    del lacking["data"]["unit"]
    follower = stranger.envelope()
    stranger.send(rubbish, json.dumps(lacking).encode(), follower.to_bytes())
    suite.until(lambda: stranger.state() == (0, 1), 30)
    entries = {entry["reason"]: entry for entry in held(run, suite, 2)}
    assert set(entries) == {"undecodable", "schema-violation"}
    poison, hole = entries["undecodable"]["id"], entries["schema-violation"]["id"]
    assert (entries["undecodable"]["waiting"], entries["schema-violation"]["waiting"]) == (0, 1)
    assert entries["schema-violation"]["waiting_since"] is not None

    # Reasons and ids.
    for reason in ("", "  ", "很" * 501, "第一行\n第二行"):
        for decision in ("release", "discard"):
            assert run("quarantine", decision, hole, "--reason", reason) == "invalid-input"
    for bad in ("no-such", "'; DROP TABLE quarantine; --", "\udcff", "x" * 300):
        for decision in ("show", "release", "discard"):
            arguments = ["quarantine", decision, bad] + (["--reason", "r"] if decision != "show" else [])
            assert run(*arguments) in {"unknown-quarantine-entry", "invalid-input"}
    assert run("quarantine", "discard", hole, "--service", "notify", "--reason", "r") == "unknown-quarantine-entry"

    # Nothing can be done with them but to set them aside; twice is told.
    for entry in (poison, hole):
        assert run("quarantine", "release", entry, "--reason", "试一试") == "still-fails"
    assert run("quarantine", "discard", poison, "--reason", "乱码，作废") == {
        "id": poison, "service": "oversight", "freed": 0,
    }  # fmt: skip
    assert run("quarantine", "discard", hole, "--reason", "缺字段，作废")["freed"] == 1
    assert stranger.state() == (2, 0)
    for decision in ("release", "discard"):
        assert run("quarantine", decision, hole, "--reason", "再来") == "already-decided"
    assert held(run, suite, 0) == []
    with reading(suite.engines["oversight"]) as db:
        query = select(tables.interventions).where(tables.interventions.c.kind == "discard")
        noted = {row.detail["entry"]: (row.why, row.by[:9]) for row in db.execute(query)}
    assert noted == {poison: ("乱码，作废", "operator:"), hole: ("缺字段，作废", "operator:")}

    # The follower is in the trace now, and the discarded one without effect in a rebuild too.
    assert run("rebuild", "--service", "oversight", "--check")["wrong"] == 0


def test_released_after_the_cause_was_mended_while_the_stream_goes_on(suite, run):
    stranger = Stranger(suite)
    # Longer than oversight's column: a bug that strikes one matter.
    stranger.send(stranger.envelope(level="l" * 100).to_bytes(), stranger.envelope().to_bytes())
    suite.until(lambda: stranger.state() == (0, 1), 60)
    (entry,) = held(run, suite, 1)
    assert (entry["reason"], entry["waiting"]) == ("handler-failed", 1)
    assert run("quarantine", "release", entry["id"], "--reason", "还没修") == "still-fails"
    damage(suite, "oversight", "ALTER TABLE matters ALTER COLUMN level TYPE varchar(150)",
           "ALTER TABLE milestones ALTER COLUMN level TYPE varchar(150)")  # fmt: skip

    # Other processes take up the same stream at the very same time.
    more = [stranger.envelope(level=f"level-{number}").to_bytes() for number in range(60)]
    sender = Thread(target=stranger.send, args=more)
    sender.start()
    arguments = ["quarantine", "release", entry["id"], "--reason", "列已加宽", "--json"]
    releasers = [
        subprocess.Popen(
            [sys.executable, "-c", f"from deploy.launcher.cli import main; main({arguments!r})"], cwd=PROJECT,
            env=os.environ | suite.settings.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    sender.join()
    answers = [each.communicate(timeout=60) for each in releasers]
    told = [json.loads(output)["outcome"] for output, _ in answers if output]
    assert told in (["handled"], ["duplicate"]), answers
    assert ["[already-decided]" in complaint for output, complaint in answers if not output] == [True, True], answers
    suite.until(lambda: stranger.state() == (62, 0), 60)
    with reading(suite.engines["oversight"]) as db:
        query = select(oversight.trace.c.stream_version).where(oversight.trace.c.subject == stranger.matter)
        assert db.execute(query.order_by(oversight.trace.c.position)).scalars().all() == list(range(1, 63))
        level = db.execute(select(oversight.matters.c.level).where(oversight.matters.c.matter_id == stranger.matter))
        assert level.scalar_one() == "level-59"
    assert held(run, suite, 0) == []


def test_what_came_again_and_was_handled_is_not_discarded(suite, run):
    stranger = Stranger(suite)
    raw = stranger.envelope(level="l" * 180).to_bytes()
    stranger.send(raw)
    (entry,) = held(run, suite, 1)
    damage(suite, "oversight", "ALTER TABLE matters ALTER COLUMN level TYPE varchar(200)",
           "ALTER TABLE milestones ALTER COLUMN level TYPE varchar(200)")  # fmt: skip
    data = json.loads(raw)
    stranger.send(json.dumps(data).encode())
    suite.until(lambda: stranger.state() == (1, 0), 60)
    assert run("quarantine", "discard", entry["id"], "--reason", "作废") == "already-handled"
    assert run("quarantine", "release", entry["id"], "--reason", "已处理")["outcome"] == "duplicate"
    assert suite.trace_is_valid().ok
