"""Reaching into the flow of events by hand: what replay, rebuild and interventions print, refuse and keep."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date, timedelta

import pytest
from click import UsageError
from click.testing import CliRunner

from deploy.launcher.cli import group
from deploy.launcher.demo import folder as folders
from deploy.launcher.demo.staging import Staged, keep, stage
from shared.kernel.errors import Misconfigured, Refusal

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


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in ("DATABASE_URL", "JURISDICTION", "TOKEN_SECRET"):
        monkeypatch.delenv(f"GRIDWHISTLE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(installation):
    def run(*arguments):
        return CliRunner().invoke(group, [*map(str, arguments), "--data-dir", str(installation)], standalone_mode=False)

    return run


@pytest.fixture
def refused(run):
    def refused(*arguments):
        error = run(*arguments).exception
        assert isinstance(error, Refusal | Misconfigured), error
        return getattr(error, "code", str(error))

    return refused


def change(installation, service, statement):
    with closing(sqlite3.connect(installation / f"{service}.sqlite")) as db:
        assert db.execute(statement).rowcount
        db.commit()


def test_a_damaged_table_is_found_mended_and_written_down(installation, run):
    check = ("rebuild", "--service", "oversight", "--check")
    assert run(*check).return_value == 0
    assert "与留痕一致" in run(*check).stdout
    change(installation, "oversight", "UPDATE matters SET state = 'closed'")
    seen = run(*check)
    assert (seen.return_value, "待改 to mend: matters 1" in seen.stdout) == (1, True)
    mended = run("rebuild", "--service", "oversight", "--reason", "手工改坏了")
    assert (mended.return_value, "改正 mended: matters 1" in mended.stdout) == (0, True)
    assert run(*check).return_value == 0
    (row,) = json.loads(run("interventions", "--service", "oversight", "--json").stdout)["interventions"]
    assert (row["kind"], row["why"], row["by"][:9], row["detail"]["state"]) == (
        "rebuild", "手工改坏了", "operator:", "done",
    )  # fmt: skip
    assert row["detail"]["mended"] == {"matters": 1}
    assert "手工改坏了" in run("interventions").stdout.replace("\n", "")
    assert "nothing" in run("interventions", "--service", "intake").stdout


def test_what_a_service_lost_comes_back_from_either_side(installation, run):
    for where in (["--since", "2025-09-08"], ["--from-trace"]):
        change(installation, "deliberation", "DELETE FROM matters")
        change(installation, "deliberation", "DELETE FROM inbox")
        change(installation, "deliberation", "DELETE FROM stream_positions")
        dry = json.loads(run("replay", "--service", "deliberation", *where, "--dry-run", "--json").stdout)
        assert dry["counts"] == {"lost": (lost := dry["counts"]["lost"])}
        assert dry["intervention"] is None
        done = json.loads(run("replay", "--service", "deliberation", *where, "--reason", "丢了", "--json").stdout)
        assert sum(done["counts"].values()) == lost > 1
        again = run("replay", "--service", "deliberation", *where, "--reason", "丢了")
        assert again.stdout == f"早已处理 known already {lost}\n"
        assert run("rebuild", "--service", "deliberation", "--check").return_value == 0


def test_it_says_when_the_outbox_was_purged_of_what_is_asked_for(installation, run):
    replay = ("replay", "--service", "deliberation", "--since", "2025-09-01", "--dry-run")
    assert "goes back to" not in run(*replay).stderr
    change(installation, "intake", "DELETE FROM outbox WHERE position = 1")
    told = run(*replay).stderr.replace("\n", " ")
    assert "the outbox of intake goes back to 2025-09-08T" in told
    assert "outbox of dispatch" not in told


def test_only_the_matter_named(run):
    result = run("replay", "--service", "notify", "--from-trace", "--matter", "no-such", "--reason", "一件")
    assert (result.return_value, result.stdout) == (0, "nothing to replay 无可重放\n")


def test_nonsense_is_refused_clearly(run, refused):
    replay = ("replay", "--service", "notify", "--reason", "r")
    assert isinstance(run(*replay).exception, UsageError)
    assert isinstance(run(*replay, "--from-trace", "--since", "2025-09-08").exception, UsageError)
    for since in ("gestern", "2999-01-01", "2025-13-01", "0001-01-01T00:00:00+14:00"):
        assert refused(*replay, "--since", since) == "invalid-input"
    assert refused("replay", "--service", "oversight", "--from-trace", "--reason", "r") == "invalid-input"
    assert refused(*replay, "--from-trace", "--matter", "x\ny") == "invalid-input"
    assert refused(*replay, "--from-trace", "--resume") == "nothing-to-resume"
    for command in (("replay", "--service", "notify", "--from-trace"), ("rebuild", "--service", "notify")):
        for reason in ([], ["--reason", ""], ["--reason", " "], ["--reason", "长" * 501], ["--reason", "\udcff"]):
            assert refused(*command, *reason) == "invalid-input"
    assert refused("rebuild", "--service", "dispatch", "--reason", "r") == "no-read-tables"
    assert refused("rebuild", "--service", "notify", "--reason", "r", "--resume") == "nothing-to-resume"
