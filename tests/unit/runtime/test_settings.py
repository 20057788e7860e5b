"""Configuration: read once, checked whole, and a misspelt variable is an error."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from shared.kernel.errors import Misconfigured
from shared.runtime.settings import Settings, read

COMPLETE = {
    "GRIDWHISTLE_DATABASE_URL": "sqlite:////tmp/{service}.sqlite",
    "GRIDWHISTLE_JURISDICTION": "jianwai",
    "GRIDWHISTLE_CONTACT_KEYS": "k1:x",
    "GRIDWHISTLE_TOKEN_SECRET": "t" * 32,
    "GRIDWHISTLE_LINK_SECRET": "l" * 32,
    "PATH": "/bin",
}


def test_complete():
    settings = read(COMPLETE | {"GRIDWHISTLE_PORT_BASE": "9000", "GRIDWHISTLE_DUE_INTERVAL": "0.5"})
    assert settings.database_for("intake") == "sqlite:////tmp/intake.sqlite"
    assert settings.port_for("dispatch", ("intake", "deliberation", "dispatch")) == 9003
    assert settings.due_interval == 0.5
    assert isinstance(settings.data_dir, Path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"GRIDWHISTLE_TOKEN_SECERT": "x"}, "GRIDWHISTLE_TOKEN_SECERT"),
        ({"GRIDWHISTLE_PORT_BASE": "many"}, "GRIDWHISTLE_PORT_BASE"),
        ({"GRIDWHISTLE_TOKEN_SECRET": "short"}, "GRIDWHISTLE_TOKEN_SECRET"),
        ({"GRIDWHISTLE_LINK_SECRET": ""}, "GRIDWHISTLE_LINK_SECRET"),
        ({"GRIDWHISTLE_CONFIG": "/no/such/file.toml"}, "/no/such/file.toml"),
    ],
)
def test_faults_are_named(change, named):
    with pytest.raises(Misconfigured, match=named):
        read(COMPLETE | change)


def test_all_faults_at_once_and_no_secret_has_a_default():
    with pytest.raises(Misconfigured) as refused:
        read({"GRIDWHISTLE_COLOUR": "red"})
    for name in ("COLOUR", "DATABASE_URL", "JURISDICTION", "CONTACT_KEYS", "TOKEN_SECRET", "LINK_SECRET"):
        assert f"GRIDWHISTLE_{name}" in str(refused.value)


def test_the_file_gives_way_to_variables(tmp_path):
    file = tmp_path / "gridwhistle.toml"
    file.write_text('port_base = 9100\nworkers = 3\nhost = "0.0.0.0"\n')
    settings = read(COMPLETE | {"GRIDWHISTLE_CONFIG": str(file), "GRIDWHISTLE_WORKERS": "4"})
    assert (settings.port_base, settings.workers, settings.host) == (9100, 4, "0.0.0.0")
    file.write_text("colour = 1\n")
    with pytest.raises(Misconfigured, match="colour"):
        read(COMPLETE | {"GRIDWHISTLE_CONFIG": str(file)})


def test_settings_survive_the_way_to_a_child_process():
    settings = read(COMPLETE | {"GRIDWHISTLE_CLOCK_FILE": "clock-offset"})
    assert read(settings.environment()) == settings


def test_secrets_are_not_printed():
    shown = repr(read(COMPLETE))
    assert "tttt" not in shown
    assert "llll" not in shown


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        read(COMPLETE).host = "elsewhere"
    assert Settings.__dataclass_params__.frozen


def test_what_is_kept_for_how_long():
    retention = read(COMPLETE | {"GRIDWHISTLE_KEEP_OUTBOX_DAYS": "90"}).retention()
    assert (retention.outbox.days, retention.inbox.days, retention.quarantine.days) == (90, 400, 400)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"KEEP_OUTBOX_DAYS": "0"}, "KEEP_OUTBOX_DAYS is 0"),
        ({"KEEP_REPLIES_DAYS": "-1"}, "KEEP_REPLIES_DAYS is -1"),
        ({"KEEP_QUARANTINE_DAYS": "40000"}, "KEEP_QUARANTINE_DAYS is 40000"),
        ({"KEEP_INBOX_DAYS": "a year"}, "KEEP_INBOX_DAYS"),
        ({"KEEP_INBOX_DAYS": "30"}, r"KEEP_INBOX_DAYS \(30\) is less than GRIDWHISTLE_KEEP_OUTBOX_DAYS \(35\)"),
    ],
)
def test_nonsense_about_keeping_is_refused(change, named):
    with pytest.raises(Misconfigured, match=named):
        read(COMPLETE | {f"GRIDWHISTLE_{name}": value for name, value in change.items()})
