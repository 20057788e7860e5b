"""The form of a scenario file: what may stand in it, and every fault in it at once, each with its step and remedy.

Only the file itself is looked at here; whether its people, commands and events exist is `meaning`'s question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from shared.contracts.shapes import Instant, flatten
from shared.jurisdiction.faults import Problem
from shared.jurisdiction.reading import parse
from shared.kernel.errors import Refusal
from shared.kernel.worktime import InvalidTarget, parse_duration

#: How long a step awaits an event when it does not say (simulated time).
AWAIT_WITHIN = timedelta(days=1)
#: How a department's own program works: its officers answer, or it reports in by itself.
BY_HAND, REPORTS_IN = "by-hand", "reports-in"
#: Steps in one scenario; more belong into two.
MOST_STEPS = 1_000


class InvalidScenario(Refusal):
    """The file is no scenario that can be played; nothing was played. Mend each of `problems` and run it again."""

    code = "invalid-scenario"

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        #: Every problem found, in the order of the file.
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{name} has {len(self.problems)} problem(s):\n{lines}")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happens: somebody does something, time passes, or an event is awaited."""

    #: 1, 2, 3 … as people count.
    number: int
    #: Passes before the step.
    after: timedelta | None = None
    #: The step happens at this instant.
    at: datetime | None = None
    #: Nothing but time passes.
    wait: timedelta | None = None
    #: A person of the pack, `asker` (of the demand registered last), `asker:$demand`, or `department:<id>`.
    person: str | None = None
    #: `<service>.<command>`.
    do: str | None = None
    #: The command's fields; `$name` stands for something saved.
    content: Mapping[str, Any] = field(default_factory=dict)
    #: Name -> field of the reply (or of the awaited event) to keep.
    save: Mapping[str, str] = field(default_factory=dict)
    #: Event to be awaited.
    awaited: str | None = None
    #: Fields that the awaited event must have.
    where: Mapping[str, Any] = field(default_factory=dict)
    #: How long the event is awaited, in simulated time.
    within: timedelta = AWAIT_WITHIN
    #: Code of the refusal that the command must meet; None: it must succeed.
    refusal: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClockExpectation:
    """What must have become of a clock of the matter: one such clock at least."""

    kind: str
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What must be so at the end. Exactly one of event, matter and report is given."""

    number: int
    event: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    #: Exact number of such events; when neither this nor a bound is given, at least one.
    count: int | None = None
    at_least: int | None = None
    at_most: int | None = None
    matter: str | None = None
    state: str | None = None
    level: str | None = None
    unit: str | None = None
    clocks: tuple[ClockExpectation, ...] = ()
    #: Figure of the transparency report, such as `closed`, `on_time_share` or `on_time_share.denominator` -> its value.
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A whole scenario."""

    name: str
    #: Name of the pack, or a path.
    jurisdiction: str
    start: datetime
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]
    #: Department whose own program hears and answers (deploy/examples/department) -> BY_HAND or REPORTS_IN.
    departments: Mapping[str, str] = field(default_factory=dict)
    #: Where it was read from, for messages.
    file: str = ""


class _Duration(fields.Field[timedelta]):
    """`15m`, `1h30m`, `3d`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> timedelta:
        del attr, data, kwargs
        try:
            return timedelta(seconds=parse_duration(value))
        except InvalidTarget as error:
            message = "Not a duration: write it like 30s, 15m, 2h, 1h30m or 3d."
            raise ValidationError(message) from error


def _word(**more: Any) -> fields.String:
    return fields.String(validate=validate.Length(min=1, max=200), **more)


_STEP = Schema.from_dict(
    {
        "after": _Duration(),
        "at": Instant(),
        "wait": _Duration(),
        "as": _word(),
        "do": _word(),
        "with": fields.Dict(keys=fields.String()),
        "save": fields.Dict(keys=fields.String(), values=fields.String()),
        "await": _word(),
        "where": fields.Dict(keys=fields.String()),
        "within": _Duration(),
        "expect_refusal": fields.Nested(Schema.from_dict({"code": _word(required=True)})),
    },
    name="Step",
)
_CLOCK = Schema.from_dict(
    {
        "kind": _word(required=True),
        "outcome": fields.String(required=True, validate=validate.OneOf(("met", "breached", "cancelled", "running"))),
    },
    name="ClockExpectation",
)


def _count() -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(min=0))


_EXPECTATION = Schema.from_dict(
    {
        "event": _word(),
        "where": fields.Dict(keys=fields.String()),
        "count": _count(),
        "at_least": _count(),
        "at_most": _count(),
        "matter": _word(),
        "state": _word(),
        "level": _word(),
        "unit": _word(),
        "clock": fields.Nested(_CLOCK),
        "clocks": fields.List(fields.Nested(_CLOCK)),
        "report": fields.Dict(keys=fields.String()),
    },
    name="Expectation",
)
_SCENARIO = Schema.from_dict(
    {
        "scenario": _word(required=True),
        "jurisdiction": _word(required=True),
        "start": Instant(required=True),
        "departments": fields.Dict(
            keys=fields.String(),
            values=fields.String(validate=validate.OneOf((BY_HAND, REPORTS_IN))),
            load_default=dict,
        ),
        "steps": fields.List(fields.Raw(), required=True, validate=validate.Length(min=1, max=MOST_STEPS)),
        "expect": fields.List(fields.Raw(), load_default=list),
    },
    name="Scenario",
)


def read(path: Path) -> Scenario:
    """Read a scenario file. Raises InvalidScenario naming every fault of its form."""
    try:
        content = path.read_bytes()
    except OSError as error:
        what = error.strerror or "it cannot be read"
        problem = Problem("file-unreadable", path.name, "", what, "give the path of a scenario's YAML file")
        raise InvalidScenario(path.name, [problem]) from error
    value, problem_found = parse(content, path.name)
    if problem_found is not None:
        raise InvalidScenario(path.name, [problem_found])
    return build(value, path.name)


def build(value: Any, file: str = "scenario") -> Scenario:
    """Check the plain value of a scenario file and build it. Raises InvalidScenario."""
    problems: list[Problem] = []
    whole = _load(_SCENARIO, value, "", problems, file)
    given = value if isinstance(value, Mapping) else {}
    steps = [
        made
        for number, entry in enumerate(_entries(given, "steps"), start=1)
        if (made := _step(number, entry, problems, file)) is not None
    ]
    expectations = [
        wanted
        for number, entry in enumerate(_entries(given, "expect"), start=1)
        if (wanted := _expectation(number, entry, problems, file)) is not None
    ]
    if problems or whole is None:
        raise InvalidScenario(file, problems)
    return Scenario(
        name=whole["scenario"], jurisdiction=whole["jurisdiction"], start=whole["start"], steps=tuple(steps),
        expectations=tuple(expectations), departments=whole["departments"], file=file,
    )  # fmt: skip


def _entries(value: Mapping[str, Any], key: str) -> Sequence[Any]:
    entries = value.get(key)
    return entries if isinstance(entries, list) else ()


def _load(schema: type[Schema], value: Any, place: str, problems: list[Problem], file: str) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        what = f"expected a mapping, found {type(value).__name__}"
        problems.append(Problem("wrong-type", file, place, what, "write `key: value` lines there"))
        return None
    try:
        loaded: dict[str, Any] = schema(unknown=RAISE).load(value)
    except ValidationError as error:
        for path, faults in flatten(error.messages).items():
            at = f"{place}, {path}" if place else path
            known = ", ".join(schema().fields)
            for fault in faults:
                unknown = fault == "Unknown field."
                remedy = f"use one of: {known}" if unknown else "correct the value; docs/scenarios.md shows the form"
                problems.append(Problem("unknown-field" if unknown else "invalid-value", file, at, fault, remedy))
        return None
    return loaded


def _step(number: int, value: Any, problems: list[Problem], file: str) -> Step | None:
    place = f"step {number}"
    loaded = _load(_STEP, value, place, problems, file)
    if loaded is None:
        return None
    faults = [*_acts(loaded), *_belongings(loaded)]
    problems.extend(Problem(code, file, place, what, remedy) for code, what, remedy in faults)
    if faults:
        return None
    return Step(
        number=number, after=loaded.get("after"), at=loaded.get("at"), wait=loaded.get("wait"),
        person=loaded.get("as"), do=loaded.get("do"), content=loaded.get("with", {}), save=loaded.get("save", {}),
        awaited=loaded.get("await"), where=loaded.get("where", {}), within=loaded.get("within", AWAIT_WITHIN),
        refusal=loaded.get("expect_refusal", {}).get("code"),
    )  # fmt: skip


def _acts(step: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    faults = []
    acts = [key for key in ("do", "await", "wait") if key in step]
    if len(acts) > 1:
        remedy = "make one step of each"
        faults.append(("too-many-acts", f"it has {' and '.join(acts)} at once", remedy))
    if not acts and "at" not in step:
        faults.append(("no-act", "nothing happens in it", "give `do`, `await`, `wait` or `at`"))
    if sum(key in step for key in ("after", "at", "wait")) > 1:
        faults.append(("two-times", "it says twice when it happens", "keep one of `after`, `at` and `wait`"))
    return faults


def _belongings(step: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    owners = {
        "as": ("do",), "with": ("do",), "expect_refusal": ("do",), "save": ("do", "await"), "where": ("await",),
        "within": ("await",),
    }  # fmt: skip
    faults = []
    for key, acts in owners.items():
        if key in step and not any(act in step for act in acts):
            remedy = f"add `{acts[0]}`, or remove `{key}`"
            faults.append(("stray-field", f"`{key}` belongs to `{'` or `'.join(acts)}`", remedy))
    if "do" in step and "as" not in step:
        remedy = "name a person of the pack with `as`, or `as: asker`"
        faults.append(("nobody-acts", "`do` needs somebody who does it", remedy))
    if "expect_refusal" in step and "save" in step:
        faults.append(("stray-field", "a refused command has no reply to save from", "remove `save`"))
    return faults


def _expectation(number: int, value: Any, problems: list[Problem], file: str) -> Expectation | None:
    place = f"expectation {number}"
    loaded = _load(_EXPECTATION, value, place, problems, file)
    if loaded is None:
        return None
    faults: list[tuple[str, str, str]] = []
    kinds = [key for key in ("event", "matter", "report") if key in loaded]
    if len(kinds) != 1:
        remedy = "give exactly one of `event`, `matter` and `report`"
        faults.append(("unclear-expectation", f"it is about {' and '.join(kinds) or 'nothing'}", remedy))
    owners = {
        "event": ("where", "count", "at_least", "at_most"), "matter": ("state", "level", "unit", "clock", "clocks"),
    }  # fmt: skip
    for owner, keys in owners.items():
        stray = [key for key in keys if key in loaded and owner not in loaded]
        faults.extend(("stray-field", f"`{key}` belongs to `{owner}`", f"add `{owner}`") for key in stray)
    if "matter" in loaded and not any(key in loaded for key in owners["matter"]):
        faults.append(("empty-expectation", "nothing is expected of the matter", "give `state` or `clock`"))
    if "count" in loaded and ("at_least" in loaded or "at_most" in loaded):
        faults.append(("two-counts", "`count` and a bound at once", "keep one of them"))
    problems.extend(Problem(code, file, place, what, remedy) for code, what, remedy in faults)
    if faults:
        return None
    clocks = [*([loaded["clock"]] if "clock" in loaded else []), *loaded.get("clocks", [])]
    return Expectation(
        number=number, event=loaded.get("event"), where=loaded.get("where", {}), count=loaded.get("count"),
        at_least=loaded.get("at_least"), at_most=loaded.get("at_most"), matter=loaded.get("matter"),
        state=loaded.get("state"), level=loaded.get("level"), unit=loaded.get("unit"),
        clocks=tuple(ClockExpectation(**clock) for clock in clocks), report=loaded.get("report", {}),
    )  # fmt: skip
