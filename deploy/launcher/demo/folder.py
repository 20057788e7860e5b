"""The demo's folder: databases, letters, logs and secrets of one throw-away installation.

It is emptied at every start, and therefore only ever when a demo made it: a folder with anything else in it is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.launcher.installation import trial_settings
from shared.kernel.errors import Refusal
from shared.runtime.settings import Settings

#: Says that the demo made the folder, with which pack and ports, and which process serves it.
MARKER = "gridwhistle-demo.json"
CLOCK = "clock.offset"
LOG = Path("logs") / "demo.log"
#: The letters in it hold names and telephone numbers, invented ones here.
_OWNER_ONLY = 0o700


class NotOurs(Refusal):
    """The folder was not made by a demo and is left alone. Give another --data-dir, or empty it yourself."""

    code = "not-a-demo-folder"


class StillServing(Refusal):
    """A demo serves from this folder. Stop it (Ctrl-C), or give another --data-dir."""

    code = "demo-still-serving"


@dataclass(frozen=True, kw_only=True)
class DemoFolder:
    """A folder that holds one demo."""

    path: Path
    pack: str
    port_base: int

    @property
    def log(self) -> Path:
        """Where the serving process logs."""
        return self.path / LOG

    def settings(self) -> Settings:
        """The settings of the installation in it; the clock goes on from the simulated evening."""
        plain = trial_settings(self.path, self.pack, port_base=self.port_base)
        return Settings(**{**vars(plain), "clock_file": self.path.resolve() / CLOCK, "due_interval": 1.0})

    def note(self, *, pid: int | None) -> None:
        """Write the marker; `pid` is the process that serves."""
        content = {"pack": self.pack, "port_base": self.port_base, "pid": pid}
        (self.path / MARKER).write_text(json.dumps(content), encoding="utf-8")


def make(path: Path, pack: str, port_base: int) -> DemoFolder:
    """An empty folder for a demo. Raises NotOurs, StillServing."""
    if path.exists():
        _check_ours(path)
        path.chmod(_OWNER_ONLY)
        for child in path.iterdir():
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            else:
                child.unlink()
    path.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
    folder = DemoFolder(path=path, pack=pack, port_base=port_base)
    folder.log.parent.mkdir(parents=True, exist_ok=True)
    folder.note(pid=None)
    return folder


def found(path: Path) -> DemoFolder | None:
    """The demo in a folder, or None when there is none."""
    content = _marker(path)
    return None if content is None else DemoFolder(path=path, pack=content["pack"], port_base=content["port_base"])


def _check_ours(path: Path) -> None:
    content = _marker(path)
    if content is None:
        if path.is_dir() and not any(path.iterdir()):
            return
        raise NotOurs(
            f"{path} was not made by a demo; nothing in it was touched.", where="--data-dir",
            remedy="Give another folder with --data-dir, or remove it yourself.",
        )  # fmt: skip
    pid = content.get("pid")
    if isinstance(pid, int) and pid != os.getpid() and _alive(pid):
        raise StillServing(
            f"A demo (process {pid}) serves from {path}.", where="--data-dir",
            remedy="Stop it with Ctrl-C, or give another folder with --data-dir.",
        )  # fmt: skip


def _marker(path: Path) -> dict[str, Any] | None:
    """What a demo wrote; None when there is no marker, or a foreign file of that name."""
    try:
        content = json.loads((path / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(content, dict) and {"pack", "port_base"} <= content.keys()
    return content if known else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
