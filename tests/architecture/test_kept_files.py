"""What must never be in the repository: addresses of package registries and paths of one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

#: Hosts that packages come from. In pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"), ("files", "pythonhosted", "org"), ("test", "pypi", "org"), ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"), ("deb", "debian", "org"), ("security", "debian", "org"),
        ("proxy", "golang", "org"), ("crates", "io"), ("repo", "maven", "apache", "org"),
    ]
]  # fmt: skip
#: Places that exist on the machine of whoever wrote the line, and nowhere else.
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+|opt/pypi[\w-]*|tmp/brief)(?=[/\s\"'`)]|$)")
#: Larger files are pictures or data, not text that someone typed a path into.
MOST_BYTES = 2_000_000


def _text(path: Path) -> str | None:
    content = path.read_bytes()
    if len(content) > MOST_BYTES or b"\0" in content:
        return None
    return content.decode("utf-8", errors="replace")


def _lines(root: Path, kept_files: list[Path], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name in kept_files
        if name.parts[:2] != ("tests", "architecture")
        for number, line in enumerate((_text(root / name) or "").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_registry_is_named(root, kept_files):
    assert _lines(root, kept_files, re.compile("|".join(map(re.escape, REGISTRY_HOSTS)))) == []


def test_no_path_of_one_machine(root, kept_files):
    assert _lines(root, kept_files, MACHINE_PATHS) == []


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
