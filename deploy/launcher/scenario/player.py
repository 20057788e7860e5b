"""The player: takes a scenario through its steps on a stage, and checks what must have happened.

A step that goes otherwise than written ends the play: what follows would mean nothing. It must never look at the
machine's time or into a service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from deploy.launcher.scenario.form import Expectation, Scenario, Step
from deploy.launcher.scenario.meaning import ASKER, REGISTERING, department_of
from deploy.launcher.scenario.stage import Happening, MatterView, Stage
from shared.kernel.actor import Actor
from shared.kernel.errors import Refusal

#: The command that the asker's link is for; the player holds the link as the asker does.
EVALUATING = "oversight.evaluate"


@dataclass(frozen=True, kw_only=True)
class Unmet:
    """An expectation that does not hold, or a step that went otherwise."""

    #: `step 3` or `expectation 2`.
    place: str
    #: What the scenario says.
    expected: str
    #: What is so.
    found: str

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}; found {self.found}"


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a scenario."""

    scenario: str
    started_at: datetime
    ended_at: datetime
    unmet: tuple[Unmet, ...]
    #: Expectations checked.
    checked: int
    #: Everything that happened, oldest first.
    happenings: tuple[Happening, ...]
    #: Name -> value, as saved on the way.
    saved: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether everything was as the scenario says."""
        return not self.unmet


class _Otherwise(Exception):
    """A step went otherwise than the scenario says; the play ends here."""

    def __init__(self, unmet: Unmet) -> None:
        super().__init__(str(unmet))
        self.unmet = unmet


def play(scenario: Scenario, stage: Stage, *, progress: Callable[[Step], None] | None = None) -> Played:
    """Play a checked scenario. Raises StageFailed when the suite behind the stage does not work."""
    stage.begin(scenario.start)
    if scenario.departments:
        stage.run_programs(scenario.departments)
    before = len(stage.events())
    run = _Run(scenario, stage, before)
    unmet: list[Unmet] = []
    try:
        for step in scenario.steps:
            if progress is not None:
                progress(step)
            run.step(step)
    except _Otherwise as otherwise:
        unmet.append(otherwise.unmet)
    else:
        unmet = [found for expectation in scenario.expectations for found in run.check(expectation)]
    return Played(
        scenario=scenario.name, started_at=scenario.start, ended_at=stage.now(), unmet=tuple(unmet),
        checked=len(scenario.expectations) if not unmet or unmet[0].place.startswith("expect") else 0,
        happenings=tuple(stage.events()[before:]), saved=dict(run.saved),
    )  # fmt: skip


class _Run:
    """One play: the names saved, the asker, and simulated time as the steps count it."""

    def __init__(self, scenario: Scenario, stage: Stage, before: int) -> None:
        self.stage = stage
        self.saved: dict[str, Any] = {}
        #: Counted by the steps alone, so that slow machines do not shift what `after` means.
        self._now = scenario.start
        self._before = before
        self._demand: str | None = None

    # -- steps ---------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> None:
        """Play one step. Raises _Otherwise."""
        pause = step.after or step.wait
        target = step.at or (self._now + pause if pause else None)
        if target is not None and target > self._now:
            self._now = target
            self.stage.advance(target)
        if step.do is not None:
            self._do(step, step.do)
        elif step.awaited is not None:
            self._await(step, step.awaited)

    def _do(self, step: Step, command: str) -> None:
        content = self._filled(step.content)
        department = department_of(step)
        actor = self._actor(step) if department is None else None
        if command == EVALUATING and "token" not in content and step.person and step.person.startswith(ASKER):
            content["token"] = self.stage.evaluation_token(str(content.get("evaluation")))
        try:
            reply = (
                self.stage.execute(command, content, actor)
                if actor is not None
                else self.stage.answer_as(department or "", content)
            )
        except Refusal as refusal:
            if refusal.code == step.refusal:
                return
            expected = f"a refusal {step.refusal!r}" if step.refusal else f"{command} to succeed"
            raise _otherwise(step, expected, f"refused with {refusal.code!r}: {refusal.what}") from refusal
        if step.refusal is not None:
            raise _otherwise(step, f"{command} to be refused with {step.refusal!r}", "it succeeded")
        self._save(step, reply)
        if command == REGISTERING:
            self._demand = str(reply.get("demand_id"))

    def _await(self, step: Step, name: str) -> None:
        where = self._filled(step.where)
        deadline = self._now + step.within
        while True:
            found = self._matching(name, where)
            if found:
                break
            due = self.stage.next_due()
            if self._now >= deadline:
                raise _otherwise(step, f"{name} {_said(where)} within {step.within}", "no such event")
            self._now = min(deadline, max(due, self._now + timedelta(seconds=1))) if due else deadline
            self.stage.advance(self._now)
        self._save(step, found[-1].data)

    def _actor(self, step: Step) -> Actor:
        person = step.person or ""
        if person.partition(":")[0] != ASKER:
            found = self.stage.jurisdiction.person(person)
            return Actor(id=found.id, roles=frozenset(found.roles), unit=found.unit)
        named = person.partition(":")[2]
        demand = self._filled(named) if named else self._demand
        return Actor(id=f"{ASKER}:{demand}", roles=frozenset({"citizen"}))

    def _save(self, step: Step, reply: Mapping[str, Any]) -> None:
        for name, key in step.save.items():
            if key not in reply:
                raise _otherwise(step, f"an answer with {key!r}", f"one with {', '.join(reply)}")
            self.saved[name] = reply[key]

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("$") and value[1:] in self.saved:
            return self.saved[value[1:]]
        if isinstance(value, Mapping):
            return {key: self._filled(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._filled(each) for each in value]
        return value

    # -- expectations --------------------------------------------------------------------------------------------

    def check(self, expectation: Expectation) -> list[Unmet]:
        """What does not hold of an expectation."""
        place = f"expectation {expectation.number}"
        if expectation.event is not None:
            pairs = self._event_differences(expectation, expectation.event)
        elif expectation.matter is not None:
            pairs = self._matter_differences(expectation, str(self._filled(expectation.matter)))
        else:
            pairs = self._report_differences(expectation)
        return [Unmet(place=place, expected=expected, found=found) for expected, found in pairs]

    def _event_differences(self, expectation: Expectation, name: str) -> list[tuple[str, str]]:
        where = self._filled(expectation.where)
        count = len(self._matching(name, where))
        exact, low, high = expectation.count, expectation.at_least, expectation.at_most
        if exact is None and low is None and high is None:
            low = 1
        if (exact is None or count == exact) and (low is None or count >= low) and (high is None or count <= high):
            return []
        bounds = [f"exactly {exact}" if exact is not None else "", f"at least {low}" if low is not None else ""]
        bounds.append(f"at most {high}" if high is not None else "")
        expected = f"{' and '.join(filter(None, bounds))} of {name} {_said(where)}"
        others = [_said(_differing(one.data, where)) for one in self._matching(name, _identity(where))]
        seen = f" (others of it: {'; '.join(others[:4])})" if count == 0 and others else ""
        return [(expected, f"{count}{seen}")]

    def _matter_differences(self, expectation: Expectation, matter: str) -> list[tuple[str, str]]:
        try:
            view = self.stage.matter(matter)
        except Refusal as refusal:
            return [(f"matter {matter}", f"{refusal.code}: {refusal.what}")]
        wanted = {"state": expectation.state, "level": expectation.level, "unit": expectation.unit}
        differences = [
            (f"{name} {value!r}", repr(getattr(view, name)))
            for name, value in wanted.items()
            if value is not None and getattr(view, name) != value
        ]
        return [*differences, *_clock_differences(expectation, view)]

    def _report_differences(self, expectation: Expectation) -> list[tuple[str, str]]:
        report = self.stage.report()
        differences = []
        for path, value in expectation.report.items():
            found = reach(report, path)
            found = found.get("value") if isinstance(found, Mapping) else found
            wanted = self._filled(value)
            if found != wanted:
                differences.append((f"the report's {path} to be {wanted!r}", repr(found)))
        return differences

    def _matching(self, name: str, where: Mapping[str, Any]) -> list[Happening]:
        return [one for one in self.stage.events()[self._before :] if one.name == name and matches(one.data, where)]


def matches(data: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether an event has all the values of `where`; dotted names reach into nested objects."""
    return all(reach(data, path) == value for path, value in where.items())


def reach(data: Any, path: str) -> Any:
    """The value at a dotted path; None when there is none."""
    for part in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, Sequence) and not isinstance(data, str) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def _clock_differences(expectation: Expectation, view: MatterView) -> list[tuple[str, str]]:
    differences = []
    for clock in expectation.clocks:
        outcomes = [one.outcome for one in view.clocks if one.kind == clock.kind]
        if clock.outcome not in outcomes:
            found = ", ".join(outcomes) or "no such clock"
            differences.append((f"a clock {clock.kind} that is {clock.outcome}", found))
    return differences


def _identity(where: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in where.items() if key.endswith("_id")}


def _differing(data: Mapping[str, Any], where: Mapping[str, Any]) -> dict[str, Any]:
    return {path: reach(data, path) for path, value in where.items() if reach(data, path) != value}


def _said(where: Mapping[str, Any]) -> str:
    return "with " + ", ".join(f"{key}={value!r}" for key, value in where.items()) if where else ""


def _otherwise(step: Step, expected: str, found: str) -> _Otherwise:
    return _Otherwise(Unmet(place=f"step {step.number}", expected=expected, found=found))
