"""The lock files hold what pyproject.toml asks for, with hashes and without addresses."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.locks import FORBIDDEN

PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+) \\$", re.MULTILINE)


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _pinned(root, name):
    return dict(PINNED.findall((root / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(("lock", "extras"), [("requirements.lock", []), ("requirements-dev.lock", ["dev"])])
def test_what_is_asked_for_is_locked(root, project, lock, extras):
    asked = list(project["dependencies"])
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    pinned = _pinned(root, lock)
    wrong = [
        str(requirement)
        for requirement in map(Requirement, asked)
        if not requirement.specifier.contains(
            pinned.get(canonicalize_name(requirement.name), "0.dev0"), prereleases=True
        )
        or canonicalize_name(requirement.name) not in pinned
    ]
    assert wrong == [], "run: make lock"


def test_both_locks_agree(root):
    runtime, development = _pinned(root, "requirements.lock"), _pinned(root, "requirements-dev.lock")
    assert {name: development.get(name) for name in runtime} == runtime


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_hashes_and_no_addresses(root, lock):
    text = (root / lock).read_text(encoding="utf-8")
    assert FORBIDDEN.search(text) is None
    pinned = len(PINNED.findall(text))
    assert pinned > 20
    # The one entry without a continuation line would be one without a hash.
    assert pinned == len(re.findall(r"^[a-z0-9].*==", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("--index-url https://example.org/simple", True),
        ("    # via -r /somewhere/requirements.in", True),
        ("--find-links wheels", True),
        ("click==8.1 \\\n    --hash=sha256:00\n    # via gridwhistle (pyproject.toml)", False),
    ],
)
def test_the_check_finds_addresses_options_and_paths(text, found):
    assert bool(FORBIDDEN.search(text)) is found
