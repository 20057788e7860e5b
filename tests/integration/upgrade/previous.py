"""The previous release, taken from the history of this repository, and run with this release's libraries.

A new release moves `PREVIOUS` to the one before it. Where the history is not there (an archive, a shallow clone), these
tests are skipped and say so.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
#: Release 0.1.0.
PREVIOUS = "bef75adc2e0c289b805b8efba90167b42685d2cd"


class Previous:
    """The previous release's tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = set(re.findall(r"`(GRIDWHISTLE_[A-Z_]+)`", self._read("docs/operations.md")))

    def _read(self, path: str) -> str:
        return (self.folder / path).read_text("utf-8")

    def environment(self, settings) -> dict[str, str]:
        """Settings as variables, without those that it does not know: it refuses them. The pack is its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
        known = {name: value for name, value in settings.environment().items() if name in self.settings}
        pack = self.folder / "deploy" / "jurisdictions" / Path(settings.jurisdiction).name
        return kept | known | {"GRIDWHISTLE_JURISDICTION": str(pack)}

    def run(self, program: str, *arguments: str, settings) -> str:
        """Run a program of its own; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self.folder, env=self.environment(settings), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def previous(tmp_path_factory):
    """The previous release."""
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=PROJECT, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip(f"release {PREVIOUS[:7]} is not in this clone's history: {archive.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("previous")
    # Not by tarfile: its filters came with Python 3.11.4, Debian 12 has 3.11.2.
    subprocess.run(["tar", "--extract"], cwd=folder, input=archive.stdout, check=True)
    return Previous(folder)
