"""The repository as the architecture tests see it: what git keeps, parsed once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Folders whose Python is ours.
OURS = ("deploy", "services", "shared", "tests", "benchmarks")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def kept_files() -> list[Path]:
    """Every file that git keeps or would keep, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode("utf-8")
    names = (name for name in listed.split("\0") if name)
    return sorted(Path(name) for name in names if (ROOT / name).is_file())


@pytest.fixture(scope="session")
def modules(kept_files: list[Path]) -> dict[Path, str]:
    """Text of each Python file of ours by its path relative to the root."""
    return {
        path: (ROOT / path).read_text(encoding="utf-8")
        for path in kept_files
        if path.suffix == ".py" and path.parts[0] in OURS
    }
