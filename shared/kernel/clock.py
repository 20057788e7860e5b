"""Clocks: the only way to learn the time. Everything takes one; nothing calls `datetime.now` on its own.

All instants are aware UTC. `SteppedClock` lets a running full-mode suite be moved forward by a file that all its
processes read, so that a scenario's "wait three days" costs seconds and every process agrees on the time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Anything that can tell the time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told: simulations and tests."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            message = "ManualClock needs an aware datetime"
            raise ValueError(message)
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The instant it was last set to."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move forward by `by`; returns the new instant."""
        self._now += by
        return self._now

    def set(self, to: datetime) -> datetime:
        """Move to `to` (aware); going back is allowed, machines' clocks do it too."""
        self._now = to.astimezone(UTC)
        return self._now


class OffsetClock:
    """The machine's clock, shifted: a demo goes on from the simulated evening at the speed of life."""

    def __init__(self, offset: timedelta) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """The shifted present instant."""
        return datetime.now(UTC) + self._offset


class SteppedClock:
    """The machine's clock plus an offset in seconds kept in a file that several processes share."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """The machine's time plus the file's offset; a missing or half-written file counts as its last good value 0."""
        return datetime.now(UTC) + timedelta(seconds=self.offset())

    def offset(self) -> float:
        """Seconds added to the machine's clock."""
        try:
            return float(self._path.read_text(encoding="ascii") or 0)
        except FileNotFoundError:
            return 0.0

    def advance(self, by: timedelta) -> None:
        """Add to the offset; the write is a rename, so that no reader sees half a number."""
        draft = self._path.with_suffix(".new")
        draft.write_text(repr(self.offset() + by.total_seconds()), encoding="ascii")
        draft.replace(self._path)


def rfc3339(instant: datetime) -> str:
    """`2026-11-22T01:02:03.456789Z`: the one textual form of an instant on wires and in files."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """Read RFC 3339; raises ValueError when it is malformed, carries no offset, or lies before or beyond all years."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        message = f"{text!r} has no UTC offset"
        raise ValueError(message)
    return _in_utc(instant)


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        message = f"{instant.isoformat()} is no instant of the years 1 to 9999 in UTC"
        raise ValueError(message) from error


#: Ways in which other systems' files write a time, after RFC 3339 itself.
_LOCAL_FORMS = (
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d %H:%M",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
)


def parse_local_instant(text: str, zone: ZoneInfo) -> datetime:
    """Read a time of another system's file; without an offset it is meant in `zone`. Raises ValueError."""
    instant: datetime | None = None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        for form in _LOCAL_FORMS:
            try:
                instant = datetime.strptime(text, form)  # noqa: DTZ007 -- the zone is put on below
            except ValueError:
                continue
            break
    if instant is None:
        message = "not a time; expected such as 2026-11-22T09:30:00+08:00 or 2026/11/22 09:30"
        raise ValueError(message)
    return _in_utc(instant if instant.tzinfo is not None else instant.replace(tzinfo=zone))
