"""The chain: every event in it, no fork, and each kind of tampering named with its row."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from services.oversight import tables
from services.oversight.repository import stored, trace
from shared.contracts import dispatch
from shared.contracts.envelope import Envelope
from shared.kernel.clock import rfc3339
from shared.kernel.hashing import chain_link
from shared.ledger.engines import reading, writing
from shared.ledger.reception import Outcome

SCRIPT = Path(__file__).parents[3] / "deploy" / "examples" / "verify_trace.py"
ROWS = 7


def envelope(number: int, stream: str = "s") -> Envelope:
    return Envelope(
        id=f"{stream}-{number}", source="urn:gridwhistle:intake", type="gridwhistle.intake.later.v9", subject="m-1",
        time=datetime(2025, 9, 9, tzinfo=UTC), stream=stream, streamversion=number, correlationid="c", causationid=None,
        traceparent=None, classification="internal", data={"text": f"灯不亮 {number} 💡"},
    )  # fmt: skip


@pytest.fixture
def chain(overseer_file):
    with writing(overseer_file.engine) as db:
        for number in range(1, ROWS + 1):
            one = envelope(number)
            trace.append(db, [(one, one.to_bytes())], overseer_file.clock.now())
        db.commit()
    return overseer_file


def verify(overseer, after=0):
    with reading(overseer.engine) as db:
        return trace.verify(db, after)


def tamper(overseer, statement, **values):
    with writing(overseer.engine) as db:
        assert db.execute(text(statement), values).rowcount
        db.commit()


def test_an_empty_trace_is_whole(overseer):
    found = verify(overseer)
    assert (found.ok, found.rows, found.head.position) == (True, 0, 0)


def test_an_untouched_trace_is_whole(chain):
    found = verify(chain)
    assert (found.ok, found.rows, found.head.position) == (True, ROWS, ROWS)
    assert verify(chain, 3).rows == ROWS - 3


def test_events_stored_together_make_the_same_chain_as_one_by_one(chain, overseer):
    together = [(one, one.to_bytes()) for one in map(envelope, range(1, ROWS + 1))]
    with writing(overseer.engine) as db:
        assert trace.append(db, [], overseer.clock.now()).position == 0
        end = trace.append(db, together, overseer.clock.now())
        db.commit()
    assert end == verify(chain).head == verify(overseer).head


def test_batches_join(chain, monkeypatch):
    monkeypatch.setattr(stored, "BATCH", 2)
    assert verify(chain).rows == ROWS
    tamper(chain, "DELETE FROM trace WHERE position = 4")
    assert verify(chain).first_bad == 4


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        (
            "UPDATE trace SET envelope = CAST(replace(CAST(envelope AS TEXT), '不', '很') AS BLOB) WHERE position = 5",
            5,
        ),
        ("UPDATE trace SET envelope = replace(CAST(envelope AS TEXT), '不', '很') WHERE position = 5", 5),
        ("UPDATE trace SET envelope = x'' WHERE position = 1", 1),
        ("UPDATE trace SET hash = 'g' || substr(hash, 2) WHERE position = 3", 3),
        ("UPDATE trace SET hash = 'g' || substr(hash, 2) WHERE position = 7", 7),
        ("UPDATE trace SET previous_hash = '中' WHERE position = 4", 4),
        ("UPDATE trace SET position = 99 WHERE position = 7", 7),
        ("UPDATE trace SET position = -6 WHERE position = 6", -6),
        ("DELETE FROM trace WHERE position = 2", 2),
        ("DELETE FROM trace WHERE position = 1", 1),
        ("DELETE FROM trace WHERE position >= 6", 6),
        ("DELETE FROM trace", 1),
        ("UPDATE trace_head SET position = 6", 6),
        ("UPDATE trace_head SET position = 8", 8),
        ("UPDATE trace_head SET hash = 'g' || substr(hash, 2)", 7),
        ("DELETE FROM trace_head", 1),
        ("UPDATE trace SET type = 'gridwhistle.intake.matter-opened.v1' WHERE position = 2", 2),
        ("UPDATE trace SET subject = 'm-2' WHERE position = 2", 2),
        ("UPDATE trace SET message_id = 'other' WHERE position = 2", 2),
        ("UPDATE trace SET stream = 't' WHERE position = 2", 2),
        ("UPDATE trace SET stream_version = 'x' WHERE position = 2", 2),
        ("UPDATE trace SET time = '2025-09-09T00:00:00.000001Z' WHERE position = 2", 2),
        ("UPDATE trace SET time = '2025-99-99' WHERE position = 2", 2),
    ],
)
def test_every_kind_of_tampering_names_its_row(chain, statement, row):
    tamper(chain, statement)
    found = verify(chain)
    assert not found.ok
    assert found.first_bad == row
    assert found.why


#: The row that is tampered with below, of `ROWS`.
VICTIM = 4


@pytest.mark.parametrize("column", tables.trace.c.keys())
def test_every_single_byte_of_every_column_counts(chain, column):
    with writing(chain.engine) as db:
        kind, good = db.execute(
            text(f"SELECT typeof({column}), CAST({column} AS BLOB) FROM trace WHERE position = {VICTIM}")
        ).one()
        for bad in other_values(kind, good):
            with db.begin_nested() as undone:
                change = f"UPDATE trace SET {column} = CAST(:bad AS {SQL_KINDS[kind]}) WHERE position = {VICTIM}"
                assert db.execute(text(change), {"bad": bad}).rowcount
                found = trace.verify(db)
                assert (found.ok, found.first_bad) == (False, VICTIM), (bad, found.why)
                undone.rollback()
        assert trace.verify(db).ok


def other_values(kind, good):
    """Every value that differs in one bit of one byte, and some that have a byte more or less."""
    if kind == "integer":
        number = int(good)
        return [str(number ^ (1 << bit)).encode() for bit in range(3, 31)]  # low bits: other rows' positions
    changed = [good[:at] + bytes([byte ^ 1 << bit]) + good[at + 1 :] for at, byte in enumerate(good) for bit in (3, 7)]
    return [*changed, good[:-1], good + b" ", good + b"\0", b""]


#: What SQLite calls a value's kind -> the type to cast bytes to.
SQL_KINDS = {"integer": "INTEGER", "text": "TEXT", "blob": "BLOB"}


@pytest.mark.parametrize("column", [c.name for c in tables.trace.c if c.name != "position"])
def test_the_same_bytes_as_another_kind_of_value_are_found(chain, column):
    to = "TEXT" if column == "envelope" else "BLOB"
    tamper(chain, f"UPDATE trace SET {column} = CAST({column} AS {to}) WHERE position = {VICTIM}")
    assert verify(chain).first_bad == VICTIM


@pytest.mark.parametrize("written", ["2025-09-09 01:30:00.000000Z", "2025-09-09T09:30:00.000000+08:00", "2025-09-09"])
@pytest.mark.parametrize("column", ["time", "recorded_at"])
def test_an_instant_written_another_way_is_found(chain, column, written):
    tamper(chain, f"UPDATE trace SET {column} = :written WHERE position = {VICTIM}", written=written)
    assert verify(chain).first_bad == VICTIM


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"{}", b'{"time":"x"}', b"[" * 100_000])
def test_a_last_row_that_is_no_event_is_named_though_its_hash_is_right(chain, body):
    with writing(chain.engine) as db:
        trace.append(db, [(envelope(8), body)], chain.clock.now())
        db.commit()
    assert verify(chain).first_bad == 8


@pytest.mark.parametrize("column", ["id", "position", "hash"])
def test_a_head_that_is_no_text_or_number_of_ours(chain, column):
    tamper(
        chain,
        f"UPDATE trace_head SET {column} = CAST(x'ff' AS TEXT)"
        if column == "hash"
        else f"UPDATE trace_head SET {column} = {column} + 1",
    )
    assert not verify(chain).ok


def test_a_row_forged_with_a_right_hash_breaks_the_next(chain):
    with reading(chain.engine) as db:
        previous = db.execute(text("SELECT previous_hash FROM trace WHERE position = 4")).scalar_one()
        recorded_at = rfc3339(chain.clock.now())
    forged = envelope(4).to_bytes().replace("灯不亮".encode(), "灯很亮".encode())
    tamper(
        chain,
        "UPDATE trace SET envelope = :e, hash = :h WHERE position = 4",
        e=forged,
        h=chain_link(previous, 4, recorded_at, forged),
    )
    assert verify(chain).first_bad == 5


def test_a_row_added_beyond_the_head(chain):
    with writing(chain.engine) as db:
        db.execute(
            text(
                "INSERT INTO trace SELECT 8, 'x', type, stream, 8, subject, time, recorded_at, envelope, hash, hash"
                " FROM trace WHERE position = 7"
            )
        )
        db.commit()
    assert verify(chain).first_bad == 8


def test_a_lost_anchor_is_said(chain):
    found = verify(chain, 42)
    assert not found.ok
    assert found.first_bad == 42


def test_every_event_is_kept_byte_for_byte_even_an_unknown_one(overseer):
    raw = envelope(1, "intake.future:1").to_bytes().replace(b'"data":', b'"shiny":1, "data" : ')
    assert overseer.application.receive(raw) is Outcome.HANDLED
    overseer.hear(dispatch.MatterProgressed(matter_id="m-1", unit="u", note="半路", noted_by="x"))
    rows = overseer.rows(tables.trace)
    assert bytes(rows[0]["envelope"]) == raw
    assert [row["type"] for row in rows] == ["gridwhistle.intake.later.v9", "gridwhistle.dispatch.matter-progressed.v1"]
    assert verify(overseer).ok


def test_a_message_delivered_twice_is_one_row(overseer):
    raw = overseer.envelope(dispatch.MatterProgressed(matter_id="m-1", unit="u", note="半路", noted_by="x")).to_bytes()
    assert overseer.application.receive(raw) is Outcome.HANDLED
    assert overseer.application.receive(raw) is Outcome.DUPLICATE
    assert verify(overseer).rows == 1


def test_appenders_at_the_same_time_make_one_chain(overseer_file):
    threads, each = 4, 15
    gate, faults = threading.Barrier(threads), []

    def work(name):
        gate.wait()
        for number in range(1, each + 1):
            raw = envelope(number, f"intake.future:{name}").to_bytes()
            if overseer_file.application.receive(raw) is not Outcome.HANDLED:
                faults.append((name, number))

    workers = [threading.Thread(target=work, args=(name,)) for name in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []
    found = verify(overseer_file)
    assert (found.ok, found.rows) == (True, threads * each)


def test_what_is_rolled_back_leaves_no_gap(overseer_file):
    one = envelope(1)
    with writing(overseer_file.engine) as db:
        trace.append(db, [(one, one.to_bytes())], overseer_file.clock.now())
    with writing(overseer_file.engine) as db:
        trace.append(db, [(one, one.to_bytes())], overseer_file.clock.now())
        db.commit()
    assert verify(overseer_file).rows == 1


# -- the export and the published script


def run_script(*arguments: str, lines: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *arguments], input=lines, capture_output=True, check=False, cwd="/"
    )


@pytest.fixture
def exported(chain):
    with reading(chain.engine) as db:
        return b"".join(trace.export(db)), trace.head(db)


def test_the_script_verifies_an_export(exported):
    lines, head = exported
    done = run_script("--head", f"{head.position}:{head.hash}", lines=lines)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"OK 7 rows; the trace ends with 7:{head.hash}\n".encode()


def test_the_script_verifies_a_part(exported):
    lines, _ = exported
    rows = lines.splitlines(keepends=True)
    before = json.loads(rows[2])
    assert run_script("--after", f"3:{before['hash']}", lines=b"".join(rows[3:])).returncode == 0
    assert run_script(lines=b"".join(rows[3:])).returncode == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [*rows[:2], rows[2].replace("灯不亮".encode(), "灯很亮".encode()), *rows[3:]], b"row 3"),
        (lambda rows: [*rows[:2], rows[2].replace(b'recorded_at":"20', b'recorded_at":"21'), *rows[3:]], b"row 3"),
        (lambda rows: [*rows[:2], rows[2].replace(b"recorded_at", b"recorded"), *rows[3:]], b"line 3"),
        (lambda rows: [*rows[:2], *rows[3:]], b"row 3"),
        (lambda rows: [rows[1], rows[0], *rows[2:]], b"line 1"),
        (lambda rows: [*rows, b"rubbish\n"], b"line 8"),
        (lambda rows: [*rows, b"[]\n"], b"line 8"),
    ],
)
def test_the_script_names_what_is_broken(exported, change, said):
    lines, _ = exported
    done = run_script(lines=b"".join(change(lines.splitlines(keepends=True))))
    assert done.returncode == 1
    assert said in done.stderr


def test_the_script_sees_a_cut_end(exported):
    lines, head = exported
    rows = lines.splitlines(keepends=True)
    assert run_script("--head", f"7:{head.hash}", lines=b"".join(rows[:-1])).returncode == 1


def test_bytes_that_are_no_text_are_exported_too(overseer):
    body = b"\xff\xfe rubbish"
    with writing(overseer.engine) as db:
        trace.append(db, [(envelope(1), body)], overseer.clock.now())
        db.commit()
        lines = b"".join(trace.export(db))
    assert b"envelope_base64" in lines
    assert run_script(lines=lines).returncode == 0


def test_the_script_says_when_it_cannot_read():
    done = run_script("/nowhere/trace.jsonl", lines=b"")
    assert done.returncode == 2
