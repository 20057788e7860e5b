"""The loader: a stranger's package adds a plugin, a broken one harms nobody."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from shared.plugins import GROUPS, Plugin, PluginBroken, Plugins, PluginSettings, load

NOTIFIERS = "gridwhistle.notifiers"
PIGEON = """
class Pigeon:
    kind = "pigeon"
    def address(self, contact):
        return contact.phone
    def send(self, message):
        raise RuntimeError("the pigeon is lost with " + message)

def make(settings):
    return Pigeon()

def unconfigured(settings):
    return None

def broken(settings):
    raise KeyError("no wings")
"""


@pytest.fixture
def settings(tmp_path):
    return PluginSettings(data_dir=tmp_path)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a tiny third-party distribution: a module and its metadata, as an installer would lay them down."""

    def install(entry_points: str, name: str = "pigeon_post") -> None:
        folder = tmp_path / "site"
        info = folder / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}.py").write_text(PIGEON, encoding="utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[{NOTIFIERS}]\n{entry_points}\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("pigeon_post", None)


def state_of(plugins: Plugins, name: str) -> list[str]:
    return [plugin.state for plugin in plugins.every if plugin.name == name]


def test_the_built_in_notifiers_come_by_entry_points_like_all_others(settings):
    plugins = load(GROUPS, settings)
    assert state_of(plugins, "file") == ["loaded"]
    assert state_of(plugins, "smtp") == ["not-configured"]
    configured = load([NOTIFIERS], PluginSettings(data_dir=Path(), smtp_url="smtp://localhost"))
    assert state_of(configured, "smtp") == ["loaded"]


def test_a_strangers_package_adds_one(package, settings):
    package("pigeon = pigeon_post:make\ncage = pigeon_post:unconfigured")
    plugins = load([NOTIFIERS], settings)
    (found,) = (plugin for plugin in plugins.of(NOTIFIERS) if plugin.name == "pigeon")
    assert (found.made.kind, found.origin) == ("pigeon", "pigeon_post 1.2")
    assert state_of(plugins, "cage") == ["not-configured"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("pigeon_post:broken", "KeyError: 'no wings'"),
        ("pigeon_post:absent", "AttributeError"),
        ("no_such_module:make", "ModuleNotFoundError"),
    ],
)
def test_one_that_cannot_be_loaded_is_shown_and_the_others_work(package, settings, entry, reason):
    package(f"bad = {entry}\npigeon = pigeon_post:make")
    plugins = load([NOTIFIERS], settings)
    (failed,) = plugins.failed()
    assert failed.name == "bad"
    assert failed.error.startswith(reason)
    assert {"file", "pigeon"} <= {plugin.name for plugin in plugins.of(NOTIFIERS)}


def test_a_second_plugin_of_a_name_does_not_win_in_silence(package, settings):
    package("file = pigeon_post:make")
    plugins = load([NOTIFIERS], settings)
    assert sorted(state_of(plugins, "file")) == ["failed", "loaded"]
    (refused,) = plugins.failed()
    assert "called file" in refused.error


def test_what_a_plugin_raises_is_counted_and_its_words_are_not_repeated(caplog):
    plugin = Plugin(group=NOTIFIERS, name="pigeon", origin="x 1", state="loaded")
    plugins = Plugins((plugin,))

    def send(address):
        raise RuntimeError(address)

    with pytest.raises(PluginBroken) as caught:
        plugins.call(plugin, send, "13800000000")
    assert plugins.raised[NOTIFIERS, "pigeon"] == 1
    assert "13800000000" not in str(caught.value) + caplog.text


def test_the_exceptions_of_the_contract_pass_uncounted():
    plugin = Plugin(group=NOTIFIERS, name="pigeon", origin="x 1", state="loaded")
    plugins = Plugins((plugin,))

    def send():
        raise LookupError

    with pytest.raises(LookupError):
        plugins.call(plugin, send, expected=(LookupError,))
    assert not plugins.raised
