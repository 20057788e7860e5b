"""A disk small enough to be filled: a tmpfs of its own, mounted by root. Never fills a disk that is not."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

#: Bytes written at once, and at last.
_CHUNK, _CRUMB = 1 << 20, 512
#: Largest disk, in bytes, that counts as small.
_SMALL = 2 << 30
_BALLAST = "ballast"


@contextlib.contextmanager
def small_disk(folder, mebibytes):
    """Mount one on the folder, which is made; unmounted at the end. Needs root."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={mebibytes}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "gridwhistle-test", str(folder)], check=True)
    try:
        yield folder
    finally:
        # Lazily: a server that was killed a moment ago may still hold a file.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def may_mount():
    """Whether this process can make one; containers without the right refuse even root."""
    if os.geteuid() != 0:
        return False
    mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def is_small(folder):
    """Whether the folder lies on a disk that may be filled."""
    size = os.statvfs(folder)
    return size.f_blocks * size.f_frsize <= _SMALL


def fill(folder):
    """Write until nothing more fits. Raises ValueError on a disk that is not small."""
    if not is_small(folder):
        message = f"{folder} is on no small disk"
        raise ValueError(message)
    with (Path(folder) / _BALLAST).open("ab", buffering=0) as ballast:
        chunk = _CHUNK
        while chunk >= _CRUMB:
            try:
                ballast.write(b"\0" * chunk)
            except OSError:
                chunk //= 2


def free(folder):
    """Take away what `fill` wrote."""
    (Path(folder) / _BALLAST).unlink(missing_ok=True)
