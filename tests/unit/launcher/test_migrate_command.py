"""`gridwhistle migrate` when the database cannot be migrated now: what is the matter, and what to do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from deploy.launcher.cli import group
from shared.kernel.errors import Refusal
from shared.ledger.errors import MigrationWaits, Transient


@pytest.mark.parametrize(
    ("error", "code", "remedy"),
    [
        (MigrationWaits("another process has been migrating"), "migration-held-up", "Run it again when that has ended"),
        (Transient("the database of intake does not answer"), "database-unreachable", "Start it"),
    ],
)
def test_each_reason_has_its_code_and_its_remedy(monkeypatch, error, code, remedy):
    def migrate(_engine, _definition):
        raise error

    settings = SimpleNamespace(database_for=lambda _service: "sqlite://")
    monkeypatch.setattr("deploy.launcher.cli.migrate.read", lambda: settings)
    monkeypatch.setattr("deploy.launcher.cli.migrate.migrate", migrate)
    refusal = CliRunner().invoke(group, ["migrate", "intake"], standalone_mode=False).exception
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert str(error) in str(refusal)
    assert refusal.remedy.startswith(remedy)
