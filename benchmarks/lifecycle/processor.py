"""CPU seconds by process, read from /proc; PostgreSQL's by the database that its processes serve."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(families: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds so far of each process named and of everything below it."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has just ended
        pid = int(stat.parent.name)
        fields = text.rpartition(")")[2].split()
        children.setdefault(int(fields[1]), []).append(pid)
        used[pid] = sum(int(ticks) for ticks in fields[11:15]) / _TICKS  # with the children it has waited for
    return {name: sum(used.get(pid, 0.0) for pid in _family(root, children)) for name, root in families.items()}


def _family(root: int, children: Mapping[int, Iterable[int]]) -> Iterable[int]:
    yield root
    for child in children.get(root, ()):
        yield from _family(child, children)


def by_database(postmaster: int, prefix: str) -> dict[str, float]:
    """CPU seconds so far of PostgreSQL's processes: those that serve `<prefix><name>` as `<name>`, others as one."""
    found: dict[str, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            title = (stat.parent / "cmdline").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if int(fields[1]) == postmaster:
            words = [word for word in title.split() if word.startswith(prefix)]
            name = words[0].removeprefix(prefix) if words else "log, checkpoints, vacuum"
            used = (int(fields[11]) + int(fields[12])) / _TICKS
            found[name] = found.get(name, 0.0) + used
    return found
