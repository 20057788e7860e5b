"""What a deadline is measured in: a tagged target, read from a pack's YAML and written back the same.

It must never know a calendar or the time of day: it says what was promised, `WorkingCalendar` says when that
is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Final

#: Seconds of each unit a duration may be written in.
_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_CUTOFF: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
#: Longest duration accepted (seconds, ten years): more is a slip of the pen, and working time that far is
#: unknowable.
LONGEST: Final = 10 * 366 * 86_400


class InvalidTarget(ValueError):
    """A target or duration cannot be understood.

    The receiver may show `what` and `remedy` to whoever wrote it.
    """

    code = "invalid-target"

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy


class TargetKind(StrEnum):
    """How the time of a target runs."""

    ELAPSED = "elapsed"
    WORKING = "working"
    END_OF_WORKING_DAY = "end_of_working_day"
    END_OF_WEEK = "end_of_week"
    END_OF_MONTH = "end_of_month"


@dataclass(frozen=True, slots=True)
class Target:
    """One promise of time. Build it with the class methods or `parse_target`."""

    kind: TargetKind
    #: Length in seconds; only for elapsed and working.
    seconds: int = 0
    #: Working days after the day of arrival; only for end_of_working_day.
    days: int = 0
    #: Local time after which an arrival counts for the next working day; only for end_of_working_day.
    cutoff: time | None = None

    @classmethod
    def elapsed(cls, seconds: int) -> Target:
        """Wall-clock time, day and night (hazards, N6)."""
        return cls(TargetKind.ELAPSED, seconds=_length(seconds))

    @classmethod
    def working(cls, seconds: int) -> Target:
        """Working time of the calendar."""
        return cls(TargetKind.WORKING, seconds=_length(seconds))

    @classmethod
    def end_of_working_day(cls, days: int, cutoff: time | None = None) -> Target:
        """Close of the `days`-th working day after the day of arrival.

        0 is the day of arrival itself (J5 当日办).
        """
        if isinstance(days, bool) or not 0 <= days <= LONGEST // _UNITS["d"]:
            raise InvalidTarget(f"days is {days!r}", "give a whole number of working days, 0 or more")
        return cls(TargetKind.END_OF_WORKING_DAY, days=days, cutoff=cutoff)

    @classmethod
    def end_of_week(cls) -> Target:
        """Close of the week's last regular working day, put off if that is a holiday (J5 周内办)."""
        return cls(TargetKind.END_OF_WEEK)

    @classmethod
    def end_of_month(cls) -> Target:
        """Close of the month's last regular working day, put off if that is a holiday (J5 月办结)."""
        return cls(TargetKind.END_OF_MONTH)

    def as_mapping(self) -> dict[str, object]:
        """Return what `parse_target` reads back to an equal target."""
        if self.kind in {TargetKind.ELAPSED, TargetKind.WORKING}:
            return {self.kind.value: format_duration(self.seconds, days=self.kind is TargetKind.ELAPSED)}
        if self.kind is TargetKind.END_OF_WORKING_DAY:
            cutoff = {} if self.cutoff is None else {"cutoff": self.cutoff.strftime("%H:%M")}
            return {self.kind.value: {"days": self.days, **cutoff}}
        return {self.kind.value: {}}


def _length(seconds: int) -> int:
    if isinstance(seconds, bool) or not 0 < seconds <= LONGEST:
        raise InvalidTarget(f"{seconds!r} seconds", "give a whole number of seconds above 0 and below ten years")
    return seconds


def parse_duration(text: object) -> int:
    """Return the seconds of `30s`, `15m`, `2h`, `3d` or a falling chain such as `1h30m`.

    Raises InvalidTarget for anything else, for zero and for more than ten years.
    """
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        raise InvalidTarget(f"{text!r} is not a duration", "write it like 30s, 15m, 2h, 1h30m or 3d")
    seconds = sum(int(part or 0) * size for part, size in zip(found.groups(), _UNITS.values(), strict=True))
    if not 0 < seconds <= LONGEST:
        raise InvalidTarget(f"{text!r} is out of range", "give more than nothing and less than ten years")
    return seconds


def format_duration(seconds: int, *, days: bool = True) -> str:
    """Return `seconds` as `parse_duration` reads it; without `days` the largest unit is the hour."""
    parts = []
    for unit, size in _UNITS.items():
        if unit == "d" and not days:
            continue
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_target(mapping: object) -> Target:
    """Return the target of a mapping with exactly one key, the kind: `{working: 90m}`, `{end_of_week: {}}`.

    Raises InvalidTarget naming what is wrong and how to write it.
    """
    if not isinstance(mapping, Mapping) or len(mapping) != 1:
        raise InvalidTarget(f"{mapping!r} is not one target", f"give one of {_kinds()}, e.g. {{working: 90m}}")
    name, value = next(iter(mapping.items()))
    if name not in set(TargetKind):
        raise InvalidTarget(f"{name!r} is not a kind of target", f"use one of {_kinds()}")
    kind = TargetKind(name)
    if kind is TargetKind.ELAPSED:
        return Target.elapsed(parse_duration(value))
    if kind is TargetKind.WORKING:
        if isinstance(value, str) and "d" in value:
            # 24 working hours are three days of work: whoever writes 3d means dates, not hours.
            raise InvalidTarget(f"working: {value!r}", "days of working time: use end_of_working_day, or hours")
        return Target.working(parse_duration(value))
    options = {} if value is None else value
    if not isinstance(options, Mapping):
        raise InvalidTarget(f"{name}: {value!r}", f"give a mapping, e.g. {{{name}: {{}}}}")
    if kind is TargetKind.END_OF_WORKING_DAY:
        return _end_of_working_day(options)
    if options:
        raise InvalidTarget(f"{name} takes no options, got {sorted(map(str, options))}", f"write {{{name}: {{}}}}")
    return Target(kind)


def _end_of_working_day(options: Mapping[str, object]) -> Target:
    unknown = set(options) - {"days", "cutoff"}
    if unknown:
        raise InvalidTarget(f"unknown {sorted(map(str, unknown))}", "end_of_working_day takes days and cutoff")
    days, cutoff = options.get("days", 0), options.get("cutoff")
    if not isinstance(days, int):
        raise InvalidTarget(f"days is {days!r}", "give a whole number of working days, 0 or more")
    if cutoff is None:
        return Target.end_of_working_day(days)
    found = _CUTOFF.fullmatch(cutoff) if isinstance(cutoff, str) else None
    if found is None:
        raise InvalidTarget(f"cutoff is {cutoff!r}", 'write a time between "00:00" and "23:59", in quotes')
    return Target.end_of_working_day(days, time(int(found[1]), int(found[2])))


def _kinds() -> str:
    return ", ".join(TargetKind)
