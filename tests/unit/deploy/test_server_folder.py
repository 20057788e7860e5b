"""A private server's folder: what it remembers, and to whom it is opened."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from deploy.servers import folder as places
from deploy.servers.errors import FolderClosed
from deploy.servers.process import Account

STRANGER = Account(uid=os.getuid() + 4321, gid=os.getgid() + 4321)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_facts_come_back_and_are_for_the_owner_only(tmp_path):
    assert places.recall(tmp_path) == {}
    places.remember(tmp_path, {"port": 20001, "password": "kept"})
    places.remember(tmp_path, {"port": 20002, "password": "kept"})
    assert places.recall(tmp_path) == {"port": 20002, "password": "kept"}
    assert _mode(tmp_path / places.MEMORY_FILE) == 0o600


def test_passwords_differ_and_need_no_escaping_in_an_address():
    first, second = places.new_password(), places.new_password()
    assert first != second
    assert len(first) >= 24
    assert all(sign.isalnum() or sign in "-_" for sign in first)


def test_closed_scratch_folders_are_opened_for_passing_only(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    target = closed / "server"
    target.mkdir(mode=0o700)
    places.open_way(target, STRANGER)
    assert _mode(target) == _mode(closed) == 0o701


def test_a_closed_folder_elsewhere_is_named_and_left_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "scratch"))
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    target = home / "server"
    target.mkdir()
    with pytest.raises(FolderClosed, match=f"chmod o\\+x {home}"):
        places.open_way(target, STRANGER)
    assert _mode(home) == 0o700
