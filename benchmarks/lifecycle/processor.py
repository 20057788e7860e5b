"""CPU seconds by process, read from /proc; for servers, of all their processes together, those that ended included."""

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
