"""The demo's demands, read from the pack: who asks for what and when, and what the players do with it.

`expect_class` is a promise of the pack's author, checked by a test; the demo takes the class that dispatch decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from shared.contracts.intake import ASKER_KINDS, CHANNELS
from shared.contracts.shapes import flatten
from shared.jurisdiction import Jurisdiction
from shared.jurisdiction.reading import parse
from shared.kernel.errors import Misconfigured

#: Where a pack keeps them.
FILE = Path("demo") / "demands.yaml"
PLAYS = (
    "quick", "normal", "slow-breach", "escalate-reason", "whistle", "whistle-absent", "deliberate", "return-once",
    "reopen", "left-open",
)  # fmt: skip
#: Working days that the demo's week has.
DAYS = 5
_AT = re.compile(r"([0-4])d(\d\d):(\d\d)")


class InvalidDemands(Misconfigured):
    """The pack's demands cannot be played. Mend the entries named in the message."""


@dataclass(frozen=True, kw_only=True)
class DemoDemand:
    """One demand, and what will be done with it."""

    id: str
    #: Working day of the week, 0 being the first, and local clock time.
    day: int
    at: time
    kind: str
    name: str | None
    phone: str | None
    mail: str | None
    anonymous: bool
    private: bool
    channel: str
    text: str
    location: Mapping[str, str]
    play: str
    #: Reason to escalate for, or department to whistle for, where the play needs one.
    reason: str | None
    department: str | None
    expect_class: str
    #: What the asker answers when asked; None: does not answer.
    satisfied: bool | None


_ASKER = Schema.from_dict(
    {
        "kind": fields.String(required=True, validate=validate.OneOf(ASKER_KINDS)),
        "name": fields.String(required=True, allow_none=True),
        "phone": fields.String(required=True, allow_none=True),
        "mail": fields.String(load_default=None, allow_none=True),
        "anonymous": fields.Boolean(required=True),
        "private": fields.Boolean(required=True),
    },
    name="DemoAsker",
)
_DEMAND = Schema.from_dict(
    {
        "id": fields.String(required=True),
        "at": fields.String(required=True, validate=validate.Regexp(_AT)),
        "asker": fields.Nested(_ASKER, required=True),
        "channel": fields.String(required=True, validate=validate.OneOf(CHANNELS)),
        "text": fields.String(required=True, validate=validate.Length(min=1)),
        "location": fields.Dict(keys=fields.String(), values=fields.String(), required=True),
        "play": fields.String(required=True, validate=validate.OneOf(PLAYS)),
        "reason": fields.String(load_default=None),
        "department": fields.String(load_default=None),
        "expect_class": fields.String(required=True),
        "satisfied": fields.Boolean(required=True, allow_none=True),
    },
    name="DemoDemand",
)


def read(folder: Path) -> tuple[DemoDemand, ...]:
    """The demands of a pack's folder, in order of time. Raises InvalidDemands naming every fault."""
    path = folder / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidDemands(f"{path} cannot be read: {error.strerror}") from error
    value, problem = parse(content, str(FILE))
    if problem is not None:
        raise InvalidDemands(str(problem))
    try:
        rows: list[dict[str, Any]] = _DEMAND(many=True, unknown=RAISE).load(value)
    except ValidationError as error:
        faults = "; ".join(f"{place}: {' '.join(said)}" for place, said in flatten(error.messages).items())
        raise InvalidDemands(f"{path}: {faults}") from error
    return tuple(sorted((_demand(row) for row in rows), key=lambda one: (one.day, one.at, one.id)))


def _demand(row: Mapping[str, Any]) -> DemoDemand:
    asker = row["asker"]
    day, hour, minute = (int(part) for part in _AT.fullmatch(row["at"]).groups())  # type: ignore[union-attr]
    kept = {key: row[key] for key in ("id", "channel", "text", "location", "play", "reason", "department")}
    return DemoDemand(
        day=day, at=time(hour, minute), kind=asker["kind"], name=asker["name"], phone=asker["phone"],
        mail=asker["mail"], anonymous=asker["anonymous"], private=asker["private"], expect_class=row["expect_class"],
        satisfied=row["satisfied"], **kept,
    )  # fmt: skip


def working_days(jurisdiction: Jurisdiction, first: date) -> tuple[date, ...]:
    """The demo's working days, from `first` or the next working day on."""
    days = [jurisdiction.calendar.working_day_from(first)]
    while len(days) < DAYS:
        days.append(jurisdiction.calendar.working_day_from(days[-1] + timedelta(days=1)))
    return tuple(days)


def instant(jurisdiction: Jurisdiction, day: date, at: time) -> datetime:
    """A local clock time as an aware instant."""
    return datetime.combine(day, at, tzinfo=ZoneInfo(jurisdiction.timezone))
