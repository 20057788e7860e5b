"""A stage in this process: all five services in memory, on a clock that moves only when told.

A scenario of two weeks takes about a second. Every scenario gets a suite of its own, so none sees another's matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from deploy.launcher.scenario import doors
from deploy.launcher.scenario.department_programs import LoopbackPrograms
from deploy.launcher.scenario.stage import Happening, MatterView
from deploy.launcher.suite import Suite
from services.oversight.handlers.evaluations import TOKEN_PURPOSE
from services.oversight.repository import trace
from shared.contracts import envelope as envelopes
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import Actor
from shared.kernel.clock import rfc3339
from shared.kernel.hashing import link_token
from shared.ledger.engines import reading


class EmbeddedStage:
    """A suite in memory, made anew at every `begin`."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        self._jurisdiction = jurisdiction
        self._suite: Suite | None = None
        self._programs: LoopbackPrograms | None = None
        self._began = datetime.min.replace(tzinfo=UTC)
        self._events: list[Happening] = []

    @property
    def jurisdiction(self) -> Jurisdiction:
        """The pack it runs."""
        return self._jurisdiction

    @property
    def suite(self) -> Suite:
        """The suite behind it. Raises RuntimeError before `begin`."""
        if self._suite is None:
            message = "begin() comes first"
            raise RuntimeError(message)
        return self._suite

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the suite go."""
        if self._programs is not None:
            self._programs.close()
            self._programs = None
        if self._suite is not None:
            self._suite.close()
            self._suite = None

    def now(self) -> datetime:
        """The suite's present instant."""
        return self.suite.clock.now()

    def begin(self, start: datetime) -> None:
        """A new suite, at `start`."""
        self.close()
        self._suite = Suite.in_memory(self._jurisdiction, start)
        self._began = start
        self._events = []

    def execute(self, command: str, content: Mapping[str, Any], actor: Actor) -> Mapping[str, Any]:
        """Carry out a command and let its events arrive everywhere. Raises Refusal."""
        return self.suite.execute(command, dict(content), actor).body

    def run_programs(self, departments: Mapping[str, str]) -> None:
        """Have departments' own programs work in this process."""
        if departments:
            folder = self.suite.applications["dispatch"].at_hand.data_dir / "departments"
            self._programs = self._programs or LoopbackPrograms(self.suite, folder)
            for department, way in departments.items():
                self._programs.run(department, way)

    def answer_as(self, department: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """An officer answers by the department's own program. Raises Refusal."""
        if self._programs is None:
            message = "run_programs() comes first"
            raise RuntimeError(message)
        return self._programs.answer(department, content)

    def advance(self, to: datetime) -> None:
        """Let time pass, from due instant to due instant."""
        self.suite.advance(to=to)

    def next_due(self) -> datetime | None:
        """The earliest instant at which something happens by itself."""
        return self.suite.next_due()

    def events(self) -> Sequence[Happening]:
        """Everything in the trace, oldest first; what is known already is not read again."""
        with reading(self.suite.applications["oversight"].at_hand.engine) as db:
            for raw in trace.envelopes(db, len(self._events)):
                self._events.append(doors.happening(len(self._events) + 1, envelopes.from_bytes(raw)))
        return self._events

    def matter(self, matter: str) -> MatterView:
        """Where a matter stands. Raises Refusal."""
        return doors.matter_view(self._ask("dispatch", doors.MATTER, {"matter": matter}))

    def report(self) -> Mapping[str, Any]:
        """The report's figures since `begin`, by name. Raises Refusal."""
        period = {"period_from": rfc3339(self._began), "period_to": rfc3339(self.now())}
        return doors.figures(self._ask("oversight", doors.REPORT, period))

    def evaluation_token(self, evaluation: str) -> str:
        """What the asker's link holds."""
        return link_token(self.suite.applications["oversight"].at_hand.link_secret, TOKEN_PURPOSE, evaluation)

    def _ask(self, service: str, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        application = self.suite.applications[service]
        route = doors.route_of(application.definition, path=path)
        if route.query is None:
            message = f"{path} of {service} answers no query"
            raise doors.NoSuchDoor(message)
        return application.ask(route.query, parameters, doors.observer(self._jurisdiction))
