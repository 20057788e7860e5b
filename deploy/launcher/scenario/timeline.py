"""A readable timeline: what happened to a matter, one sentence an event, Chinese first and English beside it.

It must never show who asked, nor how to reach them: those who work are named by the pack, askers are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from deploy.launcher.scenario.stage import Happening
from shared.jurisdiction import Jurisdiction
from shared.kernel import wording
from shared.kernel.clock import parse_instant

#: Longest piece of free text in one sentence, characters.
_LONGEST = 46
#: The first Chinese character of Unicode; a free text that has one is not repeated in the English column.
_FIRST_CHINESE = "\u4e00"
#: Fields that name units.
_UNITS = frozenset({"unit", "from_unit", "to_unit", "whistler", "department", "lead", "host_unit"})
_UNIT_LISTS = frozenset({"departments", "filed_with", "parties", "skipped"})
_INSTANTS = frozenset(
    {
        "due_at", "from_due_at", "original_due_at", "report_in_by", "expires_at", "until", "closes_at", "next_due_at",
        "deadline",
    }
)  # fmt: skip
#: Events that repeat what another one says; left out unless everything is asked for.
BACKGROUND = frozenset(
    {
        "intake.demand-registered", "dispatch.clock-started", "dispatch.clock-stopped", "notify.message-delivered",
        "deliberation.measure-completed", "dispatch.clock-paused", "notify.notice-delivered",
    }
)  # fmt: skip
#: How much an event matters to somebody who reads quickly: its style.
_STYLES = {
    "intake.matter-opened": "bold",
    "dispatch.matter-escalated": "bold yellow",
    "dispatch.matter-reopened": "bold yellow",
    "dispatch.matter-resolved": "green",
    "dispatch.matter-closed": "bold green",
    "dispatch.clock-warned": "yellow",
    "dispatch.clock-breached": "red",
    "dispatch.clock-grossly-overdue": "bold red",
    "dispatch.whistle-blown": "bold magenta",
    "dispatch.whistle-answered": "magenta",
    "dispatch.whistle-overdue": "bold red",
    "deliberation.resolution-adopted": "bold blue",
    "oversight.evaluation-received": "bold cyan",
    "notify.message-failed": "red",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One event, said."""

    at: datetime
    event: str
    zh: str
    en: str


def about(happenings: Iterable[Happening], matter: str) -> list[Happening]:
    """What happened to one matter."""
    return [one for one in happenings if matter in {one.subject, one.data.get("matter_id")}]


def lines(happenings: Iterable[Happening], jurisdiction: Jurisdiction, *, everything: bool = False) -> list[Line]:
    """One line an event, in order of time; events that repeat others only with `everything`."""
    shown = [one for one in happenings if everything or one.name not in BACKGROUND]
    ordered = sorted(shown, key=lambda one: (one.time, one.position))
    return [
        Line(at=one.time, event=one.name, zh=say(one, jurisdiction, "zh_CN"), en=say(one, jurisdiction, "en"))
        for one in ordered
    ]


def say(happening: Happening, jurisdiction: Jurisdiction, locale: str) -> str:
    """One event as a sentence; an event without a wording is named."""
    key = f"timeline.{happening.name}"
    if not wording.has(key):
        return happening.name
    # What is withheld, or was not yet known to the release that emitted the event, is left blank.
    values = dict.fromkeys(_places(wording.say(key, locale)), "")
    values |= {name: _value(name, value, jurisdiction, locale) for name, value in happening.data.items()}
    return " ".join(wording.say(key, locale, **values).split())


def _places(text: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(text) if name]


def table(
    happenings: Iterable[Happening], jurisdiction: Jurisdiction, *, title: str | None = None, everything: bool = False
) -> Table:
    """The timeline as a table for a terminal; what is said of several askers at once stands there once, counted."""
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False, show_header=False, padding=(0, 1))
    shown.add_column(no_wrap=True, style="dim")
    shown.add_column(no_wrap=True)
    shown.add_column(ratio=4, overflow="fold")
    shown.add_column(ratio=3, overflow="fold", style="dim")
    zone = ZoneInfo(jurisdiction.timezone)
    day = ""
    for (minute, event, zh, en), same in groupby(
        lines(happenings, jurisdiction, everything=everything),
        key=lambda line: (line.at.replace(second=0, microsecond=0), line.event, line.zh, line.en),
    ):
        others = list(same)[1:]
        local = minute.astimezone(zone)
        today = f"{local:%m-%d} {wording.say(f'value.weekday.{local.weekday()}')}"
        times = f" ×{len(others) + 1}" if others else ""
        said = Text(zh + times, style=_STYLES.get(event, ""))
        shown.add_row(today if today != day else "", f"{local:%H:%M}", said, Text(en + times))
        day = today
    return shown


def _value(name: str, value: Any, jurisdiction: Jurisdiction, locale: str) -> str:
    said = ""
    if value is None:
        pass
    elif name in _UNITS:
        said = unit_name(str(value), jurisdiction, locale)
    elif name in _UNIT_LISTS:
        comma = "、" if locale == wording.DEFAULT else ", "
        said = comma.join(unit_name(str(one), jurisdiction, locale) for one in value)
    elif name in _INSTANTS:
        said = f"{parse_instant(str(value)).astimezone(ZoneInfo(jurisdiction.timezone)):%m-%d %H:%M}"
    elif name == "response_class":
        said = class_name(str(value), jurisdiction, locale)
    elif name == "level" or name.endswith("_level"):
        said = _worded(f"level.{value}", str(value), locale)
    elif name == "taker" and value in jurisdiction.units:  # a unit leads an emergency
        said = unit_name(str(value), jurisdiction, locale)
    elif name == "taker" or name.endswith("_by"):
        said = person_name(str(value), jurisdiction, locale)
    else:
        coded = str(value).lower() if isinstance(value, bool) else str(value)
        said = _worded(f"value.{name}.{coded}", shortened(coded), locale)
        if locale != wording.DEFAULT and any(sign >= _FIRST_CHINESE for sign in said):
            said = "…"
    return said


def _worded(key: str, otherwise: str, locale: str) -> str:
    return wording.say(key, locale) if wording.has(key) else otherwise


def unit_name(unit: str, jurisdiction: Jurisdiction, locale: str = wording.DEFAULT) -> str:
    """A unit's name; its id when the pack does not know it."""
    found = jurisdiction.units.get(unit)
    return unit if found is None else _label(found.name, locale)


def class_name(response_class: str, jurisdiction: Jurisdiction, locale: str = wording.DEFAULT) -> str:
    """A response class's name; its id when the pack does not know it."""
    found = jurisdiction.policy.classes.get(response_class)
    return response_class if found is None else _label(found.name, locale)


def person_name(person: str, jurisdiction: Jurisdiction, locale: str = wording.DEFAULT) -> str:
    """The title of somebody of the pack; the suite itself, or the id, otherwise."""
    if person == "system":
        return wording.say("timeline.system", locale)
    found = jurisdiction.staff.get(person)
    if found is None:
        return person
    if locale != wording.DEFAULT:
        return found.roles[0]  # packs seldom give titles in English; the role says the same
    return _label(found.title or found.name, locale)


def _label(label: Any, locale: str) -> str:
    return str(label.zh if locale == wording.DEFAULT else label.en)


def shortened(text: str, longest: int = _LONGEST) -> str:
    """The beginning of a text."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def as_json(happenings: Iterable[Happening], jurisdiction: Jurisdiction) -> list[Mapping[str, str]]:
    """The timeline for a program."""
    zone = ZoneInfo(jurisdiction.timezone)
    return [
        {"at": line.at.astimezone(zone).isoformat(), "event": line.event, "zh": line.zh, "en": line.en}
        for line in lines(happenings, jurisdiction, everything=True)
    ]
