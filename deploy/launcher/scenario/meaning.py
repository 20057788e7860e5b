"""Whether a scenario means anything: its people, commands, events, fields and names exist, and its time runs forwards.

A misspelt field in `where` would make "never happened" true for ever, so every name is looked up before anything is
played. It must never play a step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from marshmallow import fields

from deploy.launcher.scenario.form import InvalidScenario, Scenario, Step
from shared.contracts import registry, shapes
from shared.jurisdiction import Jurisdiction
from shared.jurisdiction.faults import Problem
from shared.jurisdiction.fields import closest
from shared.runtime.definition import Command

#: `as: asker` is whoever the demand registered last belongs to; `as: asker:$demand` names the demand.
ASKER = "asker"
#: The command after which there is an asker.
REGISTERING = "intake.register-demand"
#: `as: department:dept-water` is an officer who answers by that department's own program.
DEPARTMENT = "department"
#: All that such an officer can do there.
ANSWERING = "dispatch.answer-whistle"
#: A step may lie this far before the one before it: none at all.
_NO_TIME = timedelta()


def check(scenario: Scenario, jurisdiction: Jurisdiction, commands: Mapping[str, Command]) -> None:
    """Look every name up. Raises InvalidScenario with all that is wrong."""
    problems = [
        Problem(code, scenario.file, place, what, remedy)
        for place, code, what, remedy in _all(scenario, jurisdiction, commands)
    ]
    if problems:
        raise InvalidScenario(scenario.file or scenario.name, problems)


_Fault = tuple[str, str, str, str]


def _all(scenario: Scenario, jurisdiction: Jurisdiction, commands: Mapping[str, Command]) -> Iterator[_Fault]:
    yield from _programs(scenario, jurisdiction)
    saved: set[str] = set()
    now = scenario.start
    has_asker = False
    for step in scenario.steps:
        place = f"step {step.number}"
        for code, what, remedy in _step(step, jurisdiction, commands, saved):
            yield place, code, what, remedy
        if _is_asker(step) and not has_asker:
            yield place, "no-asker", "nobody has asked for anything yet", f"let a {REGISTERING} step come first"
        if step.at is not None and step.at - now < _NO_TIME:
            yield place, "backwards", "it lies before the step before it", "put the steps in order of time"
        now = _moved(now, step)
        has_asker = has_asker or step.do == REGISTERING
        saved |= step.save.keys()
    for expectation in scenario.expectations:
        place = f"expectation {expectation.number}"
        if expectation.event is not None:
            for code, what, remedy in _event(expectation.event, expectation.where):
                yield place, code, what, remedy
        for value in (expectation.where, expectation.matter, expectation.report):
            for code, what, remedy in _names(value, saved):
                yield place, code, what, remedy


def _moved(now: datetime, step: Step) -> datetime:
    if step.at is not None:
        return max(now, step.at)
    return now + (step.after or step.wait or timedelta())


def _programs(scenario: Scenario, jurisdiction: Jurisdiction) -> Iterator[_Fault]:
    """Departments whose own programs take part."""
    known = [unit.id for unit in jurisdiction.departments()]
    for department in scenario.departments:
        if department not in known:
            what = f"{jurisdiction.name} has no department {department!r}"
            yield "departments", "unknown-department", what, _likely(department, known)
    for step in scenario.steps:
        own, place = department_of(step), f"step {step.number}"
        if own is not None and own not in scenario.departments:
            remedy = f"write `departments: {{{own}: by-hand}}` at the top"
            yield place, "no-program", f"{own} runs no program of its own in this scenario", remedy
        if own is not None and step.do != ANSWERING:
            yield place, "not-by-program", f"a department's program cannot {step.do}", f"use {ANSWERING}"


def department_of(step: Step) -> str | None:
    """The department whose own program the step goes through; None: it is somebody else's step."""
    kind, _, department = (step.person or "").partition(":")
    return department if kind == DEPARTMENT and department else None


def _is_asker(step: Step) -> bool:
    return step.person is not None and step.person.partition(":")[0] == ASKER


def _step(
    step: Step, jurisdiction: Jurisdiction, commands: Mapping[str, Command], saved: set[str]
) -> Iterator[tuple[str, str, str]]:
    special = _is_asker(step) or department_of(step) is not None
    if step.person is not None and not special and step.person not in jurisdiction.staff:
        what = f"{jurisdiction.name} has no person {step.person!r}"
        yield "unknown-person", what, _likely(step.person, jurisdiction.staff)
    if step.do is not None:
        yield from _command(step, commands)
    if step.awaited is not None:
        yield from _event(step.awaited, {**step.where, **dict.fromkeys(step.save.values())})
    for value in (step.content, step.where, step.person):
        yield from _names(value, saved)


def _command(step: Step, commands: Mapping[str, Command]) -> Iterator[tuple[str, str, str]]:
    name = step.do or ""
    if name not in commands:
        yield "unknown-command", f"there is no command {name!r}", _likely(name, commands)
        return
    shape = commands[name].shape
    known = [field.name for field in dataclasses.fields(shape)]
    for given in step.content:
        if given not in known:
            yield "unknown-field", f"{name} has no field {given!r}", closest(given, known)
    required = [name for name, field in shapes.schema_of(shape).fields.items() if field.required]
    # A step that expects a refusal may leave something out on purpose; the asker's token is added by the player.
    for needed in required if step.refusal is None and not _is_asker(step) else ():
        if needed not in step.content:
            yield "missing-field", f"{name} needs {needed!r}", f"add it under `with`; it needs {', '.join(required)}"


def _event(name: str, where: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    try:
        row = registry.by_name(name)
    except registry.UnknownType:
        yield "unknown-event", f"there is no event {name!r}", _likely(name, [one.name for one in registry.all_types()])
        return
    for path in where:
        schema: Any = shapes.schema_of(row.shape)
        for part in path.split("."):
            members = getattr(schema, "fields", {})
            if part not in members:
                yield "unknown-field", f"{name} has no field {path!r}", closest(part, members)
                break
            member = members[part]
            schema = member.schema if isinstance(member, fields.Nested) else None
            if isinstance(member, fields.Dict):
                break  # a free object: what is in it is not ours to know


def _names(value: Any, saved: set[str]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(mentioned(value) - saved):
        remedy = f"did a step before it say `save: {{{name}: …}}`?"
        yield "unknown-name", f"${name} has not been saved", remedy


def mentioned(value: Any) -> set[str]:
    """The `$name`s in a value."""
    if isinstance(value, str):
        head, _, tail = value.partition("$")
        return {tail} if tail and head in {"", f"{ASKER}:"} else set()
    if isinstance(value, Mapping):
        return set().union(*(mentioned(each) for each in value.values())) if value else set()
    if isinstance(value, list | tuple):
        return set().union(*(mentioned(each) for each in value)) if value else set()
    return set()


def _likely(word: str, known: Any) -> str:
    advice = closest(word, known)
    look_up = "look it up: gridwhistle jurisdiction show, docs/commands.md"
    return advice if advice.startswith("did you mean") else look_up
