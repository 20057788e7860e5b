"""`gridwhistle plugins list`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from deploy.launcher.cli import plugins as cli
from shared.plugins import Plugin, Plugins

BROKEN = Plugin(group="gridwhistle.notifiers", name="bad", origin="bad 1", state="failed", error="KeyError: 'wings'")


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("GRIDWHISTLE_NO_SUCH_SETTING", "1")
    return lambda *arguments: CliRunner().invoke(cli.command, ["list", *arguments], standalone_mode=False)


def test_the_built_in_ones_are_listed_without_any_configuration(run):
    result = run("--json")
    found = {plugin["name"]: plugin["state"] for plugin in json.loads(result.output)["plugins"]}
    assert (found["file"], found["smtp"]) == ("loaded", "not-configured")
    assert result.return_value == 0


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_one_that_failed_is_shown_with_its_reason_and_the_exit_code_says_so(run, monkeypatch, form):
    monkeypatch.setattr(cli, "load", lambda *_: Plugins((BROKEN,)))
    monkeypatch.setenv("COLUMNS", "200")
    result = run(*form)
    assert "KeyError: 'wings'" in result.output
    assert result.return_value == 1
