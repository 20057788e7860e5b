"""The driver yields: handlers waiting for PostgreSQL hold up neither each other nor the heartbeat (design 6.7)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("green_postgresql.py")
PROJECT = Path(__file__).parents[3]


def test_eight_green_threads_sleep_in_postgresql_at_once_and_the_heart_goes_on(database):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), database], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    seconds, beats = done.stdout.split()
    assert float(seconds) < 2.0  # one after the other would be 4
    assert int(beats) >= 10  # a blocking driver would leave 0


def test_green_comes_first_or_not_at_all():
    done = subprocess.run(
        [sys.executable, "-c", "import sqlalchemy, shared.runtime.green"], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "must be the first import; sqlalchemy came before it" in done.stderr
