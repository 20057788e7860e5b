"""Approved stand-stills of a clock (挂账): which ones move a due instant, and how far.

It must never know who approved a pause or whether the clock may pause: the caller passes only those that
count.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from shared.kernel.worktime.table import Interval, micros

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: A stretch during which a clock stands still: (begin, end), aware instants.
Pause: TypeAlias = tuple[datetime, datetime]


class InvalidPause(ValueError):
    """A pause ends before it begins. The receiver should refuse the pair; nothing was computed."""

    code = "invalid-pause"


def merged(pauses: Sequence[Pause], start: int) -> list[Interval]:
    """Return the pauses after `start` (microseconds), sorted, overlapping ones joined.

    No second is counted twice.
    """
    joined: list[Interval] = []
    for begin, end in sorted((micros(begin), micros(end)) for begin, end in pauses):
        if end < begin:
            raise InvalidPause(f"a pause ends {begin - end} microseconds before it begins: exchange the two instants")
        if end <= start:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((max(begin, start), end))
    return joined


def pushed(reading: int, pauses: Sequence[Interval], clock: Callable[[int], int]) -> tuple[int, list[Interval]]:
    """Return the clock reading at which the target is used up, and the pauses that moved it.

    `reading` is the one without pauses, `clock` reads the clock at an instant. A pause that begins at or
    after the running due instant does not move it: what is already overdue stays so.
    """
    moved: list[Interval] = []
    for begin, end in pauses:
        if clock(begin) >= reading:
            break
        reading += clock(end) - clock(begin)
        moved.append((begin, end))
    return reading, moved
