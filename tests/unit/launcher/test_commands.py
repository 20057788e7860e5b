"""The operator's commands: what they print, how they refuse, and how they end."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import jwt
import pytest
from click.testing import CliRunner

from deploy.launcher.cli import group
from deploy.launcher.demo import folder as folders
from deploy.launcher.demo.staging import Staged, keep, stage
from shared.kernel.errors import Misconfigured, Refusal
from shared.kernel.hashing import sha256_hex

DEMAND = {"channel": "hotline", "text": "楼道灯不亮", "location": {"grid": "yongan-nanli-6"}}


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A small installation: one demand, half a day."""
    path = tmp_path_factory.mktemp("installation") / "data"
    staged: Staged = stage(folders.make(path, "jianwai", 8700), first_day=date(2025, 9, 8), seed=1)
    staged.suite.execute("intake.register-demand", DEMAND, "street-clerk-jianwai")
    staged.suite.advance(by=timedelta(hours=4))
    keep(staged)
    staged.suite.close()
    return path


def run(*arguments):
    return CliRunner().invoke(group, [str(one) for one in arguments], standalone_mode=False)


def refused(*arguments):
    error = run(*arguments).exception
    assert isinstance(error, Refusal | Misconfigured), error
    return error


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in ("DATABASE_URL", "JURISDICTION", "TOKEN_SECRET"):
        monkeypatch.delenv(f"GRIDWHISTLE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


# -- token


def claims(text):
    return jwt.decode(text, options={"verify_signature": False})


def test_a_person_s_token_says_what_the_pack_says(installation):
    result = run("token", "grid-head-yongan-nanli-6", "--data-dir", installation, "--lasting", "1d")
    found = claims(result.stdout.strip())
    assert (found["sub"], found["roles"], found["unit"]) == (
        "grid-head-yongan-nanli-6",
        ["grid-head"],
        "yongan-nanli-6",
    )
    assert found["exp"] - found["iat"] == 86_400
    # The demo's clock, not the machine's: the token is good where it will be shown.
    assert datetime.fromtimestamp(found["iat"], tz=UTC).date() == date(2025, 9, 8)


def test_a_system_s_token_says_what_is_asked(installation):
    arguments = ["--system", "hotline-12345", "--role", "system-admin", "--data-dir", installation, "--json"]
    content = json.loads(run("token", *arguments).stdout)
    assert content["roles"] == ["system-admin"]
    assert claims(content["token"])["unit"] is None


def test_tokens_refuse_clearly(installation):
    assert refused("token", "nobody", "--data-dir", installation).code == "unknown-person"
    assert refused("token", "--system", "x", "--data-dir", installation).code == "roles-needed"
    usage = run("token", "a", "--system", "b", "--data-dir", installation).exception
    assert usage.exit_code == 2


def test_without_an_installation_it_says_how_to_name_one(tmp_path):
    for arguments in (["verify-trace"], ["token", "x"], ["quarantine", "list"]):
        assert "--data-dir" in str(refused(*arguments))
    assert "holds no demo" in str(refused("report", "--data-dir", tmp_path))


# -- verify-trace


def copied(installation, tmp_path):
    target = tmp_path / "copy"
    target.mkdir()
    for path in installation.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())
    return target


def test_an_untouched_trace_verifies(installation):
    result = run("verify-trace", "--data-dir", installation, "--json")
    content = json.loads(result.stdout)
    assert result.return_value == 0
    assert content["ok"] is True
    assert content["rows"] == content["head"]["position"] > 5
    noted = run("verify-trace", "--data-dir", installation, "--head", content["head"]["hash"])
    assert noted.return_value == 0


def test_one_changed_byte_is_found_and_its_row_named(installation, tmp_path):
    target = copied(installation, tmp_path)
    with closing(sqlite3.connect(target / "oversight.sqlite")) as db:
        (body,) = db.execute("SELECT envelope FROM trace WHERE position = 4").fetchone()
        raw = bytes(body)
        changed = raw[:-2] + bytes([raw[-2] ^ 1]) + raw[-1:]
        db.execute("UPDATE trace SET envelope = ? WHERE position = 4", (changed,))
        db.commit()
    result = run("verify-trace", "--data-dir", target, "--json")
    assert result.return_value == 1
    content = json.loads(result.stdout)
    assert (content["ok"], content["first_bad"]) == (False, 4)
    told = run("verify-trace", "--data-dir", target)
    assert "第 4 条" in told.stderr


def test_a_trace_that_was_rewritten_since_its_head_was_noted_fails(installation):
    result = run("verify-trace", "--data-dir", installation, "--head", "0" * 64)
    assert result.return_value == 1
    assert "rewritten" in result.stderr


def test_a_mistyped_head_or_start_accuses_nobody(installation):
    assert run("verify-trace", "--data-dir", installation, "--head", "abc").exception.exit_code == 2
    assert refused("verify-trace", "--data-dir", installation, "--from", "999999").code == "beyond-the-end"


def test_the_trace_can_be_exported(installation, tmp_path):
    out = tmp_path / "trace.jsonl"
    assert run("verify-trace", "--data-dir", installation, "--export", out).return_value == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["position"] for line in lines] == list(range(1, len(lines) + 1))
    assert out.stat().st_mode & 0o077 == 0
    nowhere = tmp_path / "nowhere" / "trace.jsonl"
    assert refused("verify-trace", "--data-dir", installation, "--export", nowhere).code == "cannot-write"


# -- report


def test_the_report_in_every_shape(installation, tmp_path):
    period = ["--from", "2025-09-08", "--to", "2025-09-08T12:00", "--data-dir", installation]
    content = json.loads(run("report", *period, "--json").stdout)
    assert {one["figure"]: one["value"] for one in content["figures"]}["opened"] == 1
    assert "受理事项 Matters opened" in run("report", *period).stdout
    out = tmp_path / "report.csv"
    assert run("report", *period, "--format", "csv", "--output", out).return_value == 0
    assert out.read_bytes().startswith(b"\xef\xbb\xbfsection,key")


def test_a_report_is_published_by_a_person_who_may(installation, tmp_path):
    target = copied(installation, tmp_path)
    period = ["--from", "2025-09-08", "--to", "2025-09-08T12:00", "--data-dir", target]
    result = run("report", *period, "--publish-as", "street-clerk-jianwai")
    assert "/reports/" in result.stderr
    assert refused("report", *period, "--publish-as", "grid-head-yongan-nanli-6").code == "not-permitted"
    assert run("report", "--from", "soon", "--data-dir", target).exception.exit_code == 2


# -- jurisdiction, calendar


def test_the_pack_is_shown_and_linted(tmp_path):
    assert run("jurisdiction", "lint", "jianwai").return_value == 0
    content = json.loads(run("jurisdiction", "show", "jianwai", "--json").stdout)
    assert content["units"]["grid"] == 102
    assert content["classes"]["same-day"]["accept"] == {"working": "1h"}
    assert "网格长" not in run("jurisdiction", "show", "jianwai").stdout
    assert "grid-head-yongan-nanli-6" in run("jurisdiction", "show", "jianwai", "--people").stdout
    (tmp_path / "town").mkdir()
    (tmp_path / "town" / "jurisdiction.yaml").write_text("name: town\n", encoding="utf-8")
    broken = run("jurisdiction", "lint", "--json", tmp_path / "town")
    assert broken.return_value == 1
    assert {row["code"] for row in json.loads(broken.stdout)["packs"][str(tmp_path / "town")]} >= {"file-missing"}


def test_a_due_time_is_explained():
    arguments = ["--class", "same-day", "--start", "2025-09-30T16:10"]
    content = json.loads(run("calendar", "due", *arguments, "--json").stdout)
    assert content["due_at"] == "2025-10-09T17:30:00+08:00"
    assert [step["code"] for step in content["steps"]] == ["started", "arrived", "promised"]
    assert "按 2025-10-09 收件" in run("calendar", "due", *arguments).stdout
    whole = json.loads(
        run("calendar", "due", "--target", "working: 4h", "--start", "2025-09-08T09:00", "--json").stdout
    )
    assert whole["due_at"] == "2025-09-08T14:30:00+08:00"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--class", "never"], "unknown-class"),
        (["--class", "same-day", "--kind", "tea"], "no-such-clock"),
        (["--target", "working: tea"], "bad-target"),
        (["--target", "{"], "bad-target"),
    ],
)
def test_a_due_time_that_cannot_be_told(arguments, code):
    assert refused("calendar", "due", *arguments).code == code


def test_class_and_target_exclude_each_other():
    assert run("calendar", "due").exception.exit_code == 2
    assert run("calendar", "due", "--class", "hazard", "--start", "soon").exception.exit_code == 2


# -- doctor, quarantine


def test_the_doctor_finds_a_sound_installation_sound(installation):
    result = run("doctor", "--data-dir", installation, "--json")
    findings = json.loads(result.stdout)["findings"]
    assert result.return_value == 0
    assert [one for one in findings if one["level"] == "fail"] == []


def test_the_doctor_names_what_is_wrong(installation, tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDWHISTLE_DATABASE_URL", "sqlite://")
    result = run("doctor", "--json")
    assert result.return_value == 1
    assert "GRIDWHISTLE_TOKEN_SECRET is not set" in result.stdout
    monkeypatch.delenv("GRIDWHISTLE_DATABASE_URL")
    target = copied(installation, tmp_path)
    (target / "notify.sqlite").unlink()
    (target / "secrets.json").chmod(0o644)
    with closing(sqlite3.connect(target / "intake.sqlite")) as db:
        db.execute("UPDATE outbox SET published_at = NULL, created_at = datetime(created_at, '-1 day')")
        db.commit()
    result = run("doctor", "--data-dir", target, "--json")
    findings = {(one["level"], one["about"].split()[0]): one for one in json.loads(result.stdout)["findings"]}
    assert result.return_value == 1
    assert "migrate" in findings["fail", "notify"]["remedy"]
    assert "chmod" in findings["warn", "secrets"]["remedy"]
    assert "event(s) wait" in findings["warn", "intake"]["what"]


def test_a_quarantined_message_is_listed_shown_and_discarded(installation, tmp_path):
    target = copied(installation, tmp_path)
    with closing(sqlite3.connect(target / "dispatch.sqlite")) as db:
        db.execute(
            "INSERT INTO quarantine (id, handler, message_id, reason, detail, body, held_at, state) VALUES "
            "('q1', 'dispatch', ?, 'undecodable', 'no JSON', ?, '2025-09-08T01:00:00.000000Z', 'held')",
            (f"sha256:{sha256_hex(b'rubbish')}", b"rubbish"),
        )
        db.commit()
    where = ["--data-dir", target]
    (entry,) = json.loads(run("quarantine", "list", *where, "--json").stdout)["entries"]
    assert (entry["id"], entry["service"], entry["reason"]) == ("q1", "dispatch", "undecodable")
    assert json.loads(run("quarantine", "show", "q1", *where).stdout)["body"] == "rubbish"
    assert refused("quarantine", "release", "q1", "--reason", "再试", *where).code == "still-fails"
    for decision in ("release", "discard"):
        assert run("quarantine", decision, "q1", *where).exception.exit_code == 2  # a reason is asked for
    assert run("quarantine", "discard", "q1", "--reason", "rubbish", *where).return_value == 0
    assert json.loads(run("quarantine", "list", *where, "--json").stdout)["entries"] == []
    (kept,) = json.loads(run("quarantine", "list", *where, "--state", "discarded", "--json").stdout)["entries"]
    assert kept["decided_why"] == "rubbish"
    assert refused("quarantine", "show", "q9", *where).code == "unknown-quarantine-entry"


# -- purge


def test_what_is_older_than_it_must_be_kept_is_counted_and_then_taken_away(installation, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(installation, folder)
    with closing(sqlite3.connect(folder / "intake.sqlite")) as db, db:
        (events,) = db.execute("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL").fetchone()
        db.execute("UPDATE outbox SET created_at = '2020' || substr(created_at, 5)")
        db.execute("UPDATE outbox SET published_at = created_at WHERE published_at IS NOT NULL")
    assert events > 0
    counted = run("purge", "--dry-run", "--json", "--data-dir", folder)
    assert json.loads(counted.stdout)["purgeable"]["intake"]["outbox"] == events
    done = run("purge", "--data-dir", folder)
    assert f"intake: purged 已清理 outbox {events}" in done.output
    assert "notify: nothing is old enough" in done.output
    again = run("purge", "--service", "intake", "--data-dir", folder)
    assert again.output == "intake: nothing is old enough 无过期记录\n"
