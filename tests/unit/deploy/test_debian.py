"""Finding the servers' programs, and what is said and done when they are absent."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.servers import debian
from deploy.servers.errors import ServerMissing


def _package(answers):
    remaining = iter(answers)
    return debian.ServerPackage("Exampled", "exampled", lambda: next(remaining))


def test_an_installed_server_is_found_without_touching_the_system(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: pytest.fail("nothing may be run"))
    assert debian.ensure(_package([Path("/opt/exampled")])) == Path("/opt/exampled")


def test_not_root_names_the_package_and_the_command(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ServerMissing, match="sudo apt-get install --no-install-recommends exampled"):
        debian.ensure(_package([None]))


def test_elsewhere_than_debian_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ServerMissing, match="not Debian") as caught:
        debian.ensure(_package([None]))
    assert caught.value.code == "server-missing"


@pytest.fixture
def apt(monkeypatch, tmp_path):
    """Root on Debian with a pretended apt-get; what it was asked, and whether services could start."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(debian, "POLICY_HOOK", tmp_path / "policy-rc.d")
    calls = []

    def run(command, *, env, **_options):
        hook = debian.POLICY_HOOK
        calls.append((command[3:], env["DEBIAN_FRONTEND"], hook.exists() and os.access(hook, os.X_OK)))
        return subprocess.CompletedProcess(command, apt_exit[0], "", "E: broken packages")

    apt_exit = [0]
    monkeypatch.setattr(subprocess, "run", run)
    return calls, apt_exit


def test_root_installs_without_starting_the_packaged_service(apt):
    calls, _exit = apt
    said = []
    assert debian.ensure(_package([None, Path("/usr/sbin")]), said.append) == Path("/usr/sbin")
    assert calls == [
        (["update"], "noninteractive", True),
        (["install", "--yes", "--no-install-recommends", "exampled"], "noninteractive", True),
    ]
    assert said == ["Installing Exampled from Debian (package exampled); about a minute"]
    assert not debian.POLICY_HOOK.exists()


def test_a_hook_that_was_there_stays_as_it_was(apt):
    debian.POLICY_HOOK.write_text("#!/bin/sh\nexit 0\n", encoding="ascii")
    debian.ensure(_package([None, Path("/usr/sbin")]))
    assert debian.POLICY_HOOK.read_text(encoding="ascii") == "#!/bin/sh\nexit 0\n"


def test_a_failed_installation_shows_what_apt_said_and_leaves_no_hook(apt):
    _calls, apt_exit = apt
    apt_exit[0] = 100
    with pytest.raises(ServerMissing, match="broken packages"):
        debian.ensure(_package([None]))
    assert not debian.POLICY_HOOK.exists()


def test_installed_but_not_found_is_an_error(apt):
    with pytest.raises(ServerMissing, match="was not found in it"):
        debian.ensure(_package([None, None]))


def test_versions_are_compared_as_numbers():
    folders = [Path("/usr/lib/postgresql/9/bin"), Path("/usr/lib/postgresql/15/bin")]
    assert max(folders, key=debian._version_key) == folders[1]
