"""The folder of one private server: what it remembers between runs, and the way to it for another account.

Passwords and ports are kept in `server.json`, readable by its owner only, so that a folder opened again gives
the same addresses. Folders outside the machine's scratch space are never opened to others by us.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Any

from deploy.servers.errors import FolderClosed
from deploy.servers.process import Account

#: File that holds ports and passwords of a private server.
MEMORY_FILE = "server.json"
#: Random bytes in a generated password.
PASSWORD_BYTES = 18


def recall(folder: Path) -> dict[str, Any]:
    """What was remembered in this folder: ports and passwords; empty when it is new."""
    path = folder / MEMORY_FILE
    if not path.exists():
        return {}
    remembered: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return remembered


def remember(folder: Path, facts: dict[str, Any]) -> None:
    """Store ports and passwords, readable by the owner only."""
    path = folder / MEMORY_FILE
    path.touch(mode=0o600, exist_ok=True)
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def new_password() -> str:
    """A generated password of URL-safe characters."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def open_way(folder: Path, account: Account) -> None:
    """Let `account` pass through to `folder` (not list it). Raises FolderClosed naming the closed folder.

    The folder itself and those in the machine's scratch space are opened; others were closed on purpose.
    """
    scratch = Path(tempfile.gettempdir()).resolve()
    for step in [folder, *folder.parents]:
        if _may_pass(step, account):
            continue
        if step == folder or scratch in step.parents:
            step.chmod(stat.S_IMODE(step.stat().st_mode) | stat.S_IXOTH)
            continue
        raise FolderClosed(
            f"The server runs under an unprivileged account (uid {account.uid}), to which {step} is closed.",
            f"Choose a folder elsewhere, for example below {scratch} or /var/lib, or run: chmod o+x {step}",
        )


def give(folder: Path, account: Account) -> None:
    """Make the folder, private, and hand it to `account`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, account.uid, account.gid)


def _may_pass(folder: Path, account: Account) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
