"""What must never be in the repository: addresses of package registries and paths of one machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

#: Hosts that packages come from, as beginnings of their SHA-256, so that this file does not hold what it looks for; the
#: last one is made up, for the test of the test.
REGISTRY_HOSTS = {
    "00a7dc5a0cc388586b86",
    "0dc11026ac75c015aaa1",
    "1ba4e37997a2e986efa6",
    "317d2d52829b78129d2c",
    "70bb4000cd2fab03af01",
    "789e46d79514e28093ca",
    "9495278a74715c7e246a",
    "a4aa2ac280bb8d1a0ce7",
    "c899567ee906851741bf",
    "e680c440a2e92079ab1b",
    "3be48e1f4583e30cf057",
}
#: What may be a host's name.
HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)
#: Places that exist on the machine of whoever wrote the line, and nowhere else.
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+|opt/pypi[\w-]*|tmp/brief)(?=[/\s\"'`)]|$)")
#: Larger files are pictures or data, not text that someone typed a path into.
MOST_BYTES = 2_000_000


def _text(path: Path) -> str | None:
    content = path.read_bytes()
    if len(content) > MOST_BYTES or b"\0" in content:
        return None
    return content.decode("utf-8", errors="replace")


def _lines(root: Path, kept_files: list[Path], is_bad: Callable[[str], object]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name in kept_files
        if name.parts[:2] != ("tests", "architecture")
        for number, line in enumerate((_text(root / name) or "").splitlines(), start=1)
        if is_bad(line)
    ]


def _names_a_registry(line: str) -> bool:
    for found in HOST.findall(line.lower()):
        parts = found.split(".")
        hosts = (".".join(parts[start:]) for start in range(len(parts) - 1))
        if any(hashlib.sha256(host.encode()).hexdigest()[:20] in REGISTRY_HOSTS for host in hosts):
            return True
    return False


def test_no_registry_is_named(root, kept_files):
    assert _lines(root, kept_files, _names_a_registry) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("see https://packages.example/simple", True),
        ("index = files.PACKAGES.example:443", True),
        ("my-packages.example", False),
        ("packages.example.org", False),
    ],
)
def test_a_registry_is_found_wherever_it_stands(line, found):
    assert _names_a_registry(line) is found


def test_no_path_of_one_machine(root, kept_files):
    assert _lines(root, kept_files, MACHINE_PATHS.search) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("cd /" + "work/main", True),
        ("/root/.pyenv/bin", True),
        ('path = "/home/someone/x"', True),
        ("https://example.org/" + "work/main", False),
        ("../" + "work/x", False),
        ("GET /api/v1/work-orders", False),
        ("/workers", False),
    ],
)
def test_the_pattern_finds_paths_and_leaves_addresses_alone(line, found):
    assert bool(MACHINE_PATHS.search(line)) is found


def test_the_licence_is_the_whole_apache_licence(root):
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
