"""A broken build of one service, rolled out and taken back while the suite runs, as an operator would.

`tests.chaos.supervise` starts the service's processes with the build that a file in the data folder names.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from unittest.mock import patch

from tests.chaos.broken import BROKEN

#: Folder below the data folder: a file `<service>` holds the name of the build.
RELEASES = "releases"


def roll_out(world, service, build):
    """End every process of the service; they come back as that build. Raises KeyError for an unknown build."""
    BROKEN[build]
    folder = world.settings.data_dir / RELEASES
    folder.mkdir(exist_ok=True)
    (folder / service).write_text(build, encoding="ascii")
    restart(world, service)


def take_back(world, service):
    """The mended build again; nothing when it is there."""
    path = world.settings.data_dir / RELEASES / service
    if path.exists():
        path.unlink()
        restart(world, service)


def restart(world, service):
    """End every process of a service by force and wait until none of them is left."""
    names = [each["name"] for each in world.running() if (each["kind"], each["service"]) == ("serve", service)]
    before = {name: world.found(name)["pid"] for name in names}
    for name in names:
        if before[name] is not None:
            world.kill(name)
    world.until(lambda: all(world.found(name)["pid"] not in (None, before[name]) for name in names), 60)


@contextmanager
def starting(program, data_dir):
    """What the supervisor starts inside the block is the build rolled out for the program's service."""
    path = data_dir / RELEASES / program.service
    if program.kind != "serve" or not path.exists():
        yield
        return
    build, real = path.read_text(encoding="ascii"), subprocess.Popen

    def broken(command, **how):
        interpreter, option, _, *rest = command
        return real([interpreter, option, "tests.chaos.broken", build, *rest], **how)

    with patch.object(subprocess, "Popen", broken):
        yield
