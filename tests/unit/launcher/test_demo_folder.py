"""The demo empties only what a demo made."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from deploy.launcher.demo import folder as folders
from deploy.launcher.demo.folder import NotOurs, StillServing


def test_a_folder_is_made_for_its_owner_alone(tmp_path):
    made = folders.make(tmp_path / "demo", "jianwai", 8700)
    assert (tmp_path / "demo").stat().st_mode & 0o077 == 0
    assert folders.found(tmp_path / "demo") == made
    settings = made.settings()
    assert settings.port_for("intake", ("intake",)) == 8701
    assert settings.clock_file is not None


def test_what_a_demo_made_is_emptied(tmp_path):
    folders.make(tmp_path, "jianwai", 8700)
    (tmp_path / "intake.sqlite").write_text("old", encoding="utf-8")
    (tmp_path / "logs" / "demo.log").write_text("old", encoding="utf-8")
    folders.make(tmp_path, "jianwai", 8800)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gridwhistle-demo.json", "logs"]
    assert list((tmp_path / "logs").iterdir()) == []
    assert folders.found(tmp_path).port_base == 8800


@pytest.mark.parametrize("marker", [None, "not json", "[]", '{"pack": "jianwai"}'])
def test_anything_else_is_left_alone(tmp_path, marker):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    if marker is not None:
        (tmp_path / folders.MARKER).write_text(marker, encoding="utf-8")
    with pytest.raises(NotOurs) as caught:
        folders.make(tmp_path, "jianwai", 8700)
    assert caught.value.remedy
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"
    assert folders.found(tmp_path) is None


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept", encoding="utf-8")
    made = folders.make(tmp_path / "demo", "jianwai", 8700)
    (made.path / "link").symlink_to(outside)
    folders.make(made.path, "jianwai", 8700)
    assert (outside / "kept.txt").exists()
    assert not (made.path / "link").exists()


def test_a_demo_that_serves_is_not_pulled_away(tmp_path):
    made = folders.make(tmp_path, "jianwai", 8700)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as serving:
        made.note(pid=serving.pid)
        with pytest.raises(StillServing):
            folders.make(tmp_path, "jianwai", 8700)
        serving.communicate(b"\n")
    folders.make(tmp_path, "jianwai", 8700)
    assert json.loads((tmp_path / folders.MARKER).read_text(encoding="utf-8"))["pid"] is None


def test_its_own_process_may_start_anew(tmp_path):
    folders.make(tmp_path, "jianwai", 8700).note(pid=os.getpid())
    assert folders.make(tmp_path, "jianwai", 8700).pack == "jianwai"
