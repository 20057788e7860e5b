"""Other builds of single processes, rolled out and taken back while the suite runs, as an operator would.

`tests.chaos.supervise` starts a process as the build that a file with the process's name in the data folder names.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from unittest.mock import patch

from tests.chaos.builds import BUILDS

#: Folder below the data folder: a file `<process>` holds the name of the build.
RELEASES = "releases"
#: Seconds within which processes that were ended are there again.
_AGAIN_WITHIN_S = 60


def roll_out(world, names, build, *, by=signal.SIGKILL):
    """End these processes; they come back as that build. Raises KeyError for an unknown build."""
    BUILDS[build]
    folder = world.settings.data_dir / RELEASES
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(build, encoding="ascii")
    restart(world, names, by=by)


def take_back(world, names, *, by=signal.SIGKILL):
    """The product again, where it is not."""
    paths = [world.settings.data_dir / RELEASES / name for name in names]
    others = [path for path in paths if path.exists()]
    for path in others:
        path.unlink()
    restart(world, [path.name for path in others], by=by)


def restart(world, names, *, by=signal.SIGKILL):
    """End processes and wait until none of them is left and others are there."""
    before = {name: world.found(name)["pid"] for name in names}
    for pid in before.values():
        if pid is not None:
            os.kill(pid, by)
    world.until(lambda: all(world.found(name)["pid"] not in (None, before[name]) for name in names), _AGAIN_WITHIN_S)


@contextmanager
def starting(program, data_dir):
    """What the supervisor starts inside the block is the build rolled out for this process."""
    path = data_dir / RELEASES / program.name
    if not path.exists():
        yield
        return
    build, real = path.read_text(encoding="ascii"), subprocess.Popen

    def other(command, **how):
        interpreter, option, _, *rest = command
        return real([interpreter, option, "tests.chaos.builds", build, *rest], **how)

    with patch.object(subprocess, "Popen", other):
        yield
