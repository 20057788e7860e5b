"""A stage that is a running suite in full mode: commands over HTTP with tokens, events through the broker.

Time moves by the offset file that all its processes read: a wait is played by jumping to each next due instant and
letting the suite rest there. It must never look into a database or a queue: the operations endpoint says enough.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from deploy.launcher import services
from deploy.launcher.client import SuiteClient, Unreachable
from deploy.launcher.scenario import doors
from deploy.launcher.scenario.department_programs import ProcessPrograms
from deploy.launcher.scenario.stage import Happening, MatterView, StageFailed
from services.oversight.handlers.evaluations import TOKEN_PURPOSE
from shared.contracts.topology import SERVICES
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import ANONYMOUS, Actor
from shared.kernel.clock import SteppedClock, parse_instant, rfc3339
from shared.kernel.errors import Misconfigured
from shared.kernel.hashing import link_token
from shared.kernel.ids import RandomIds
from shared.runtime.auth import Gatekeeper
from shared.runtime.operations import not_at_rest
from shared.runtime.settings import Settings
from shared.runtime.setup import gatekeeper_of

#: Real seconds within which a suite must come to rest after a command or a jump.
REST_WITHIN_S = 60.0
#: Real seconds between two questions whether it rests: after the first, and how they grow up to the last. A question
#: goes to five services and costs them more than most commands.
ASK_EVERY_S, ASK_GROWTH, ASK_AT_MOST_S = 0.05, 1.5, 0.25
#: How long a token lasts, in simulated time: longer than any scenario.
_LASTING = timedelta(days=3_650)
#: A jump lands just behind the due instant: rows due at an instant are due from then on.
_BEHIND = timedelta(milliseconds=5)
_PAGE = 200
_PLACE = re.compile(r"<([^>]+)>")


class FullStage:
    """A running suite, driven from outside."""

    def __init__(
        self,
        jurisdiction: Jurisdiction,
        settings: Settings,
        addresses: Mapping[str, str],
        programs: ProcessPrograms | None = None,
    ) -> None:
        """`addresses`: service -> base URL. Raises Misconfigured when the suite's clock cannot be moved."""
        if settings.clock_file is None:
            message = "a suite plays scenarios only when it runs with a clock file (GRIDWHISTLE_CLOCK_FILE)"
            raise Misconfigured(message)
        self._programs = programs
        self._jurisdiction = jurisdiction
        self._settings = settings
        self._addresses = addresses
        self._clock = SteppedClock(settings.clock_file)
        self._gatekeeper: Gatekeeper = gatekeeper_of(settings, self._clock)
        self._definitions = services.definitions()
        self._ids = RandomIds()
        self._clients: dict[Actor, SuiteClient] = {}
        self._began = self._clock.now()
        #: Matters opened on this stage -> position in the trace up to which their events are known.
        self._matters: dict[str, int] = {}
        self._events: list[Happening] = []
        #: What the services said when the suite came to rest; None since something was set going again.
        self._at_rest: dict[str, Mapping[str, Any]] | None = None

    @property
    def jurisdiction(self) -> Jurisdiction:
        """The pack it runs."""
        return self._jurisdiction

    def now(self) -> datetime:
        """The suite's present instant; it goes on by itself between two jumps."""
        return self._clock.now()

    def begin(self, start: datetime) -> None:
        """Set every process's clock to `start`, back or forth."""
        self._rest()
        self._set_going()
        self._clock.advance(start - self._clock.now())
        self._began = start
        self._rest()

    def execute(self, command: str, content: Mapping[str, Any], actor: Actor) -> Mapping[str, Any]:
        """Send a command, and wait until its events have arrived everywhere. Raises Refusal, StageFailed."""
        service = command.split(".", 1)[0]
        route = doors.route_of(self._definitions[service], command=command)
        named = _PLACE.findall(route.path)
        path = _PLACE.sub(lambda place: str(content.get(place.group(1), "")), route.path)
        body = {name: value for name, value in content.items() if name not in named}
        key = self._ids.new() if route.method == "POST" else None
        self._set_going()
        reply = self._client(actor).send(route.method, service, path, body, key=key)
        if reply.get("matter_id") is not None:
            self._matters.setdefault(str(reply["matter_id"]), 0)
        self._rest()
        return reply

    def run_programs(self, departments: Mapping[str, str]) -> None:
        """Start departments' own programs, each as a process. Raises StageFailed."""
        if not departments:
            return
        if self._programs is None:
            message = "this stage can run no department's program"
            raise StageFailed(message)
        self._set_going()
        for department, way in departments.items():
            self._programs.run(department, way)

    def answer_as(self, department: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """An officer answers by the department's own program. Raises Refusal, StageFailed."""
        if self._programs is None:
            message = "run_programs() comes first"
            raise RuntimeError(message)
        self._set_going()
        reply = self._programs.answer(department, content)
        self._rest()
        return reply

    def advance(self, to: datetime) -> None:
        """Jump from due instant to due instant. Raises StageFailed."""
        self._rest()
        while (due := self.next_due()) is not None and due <= to:
            self._jump(due + _BEHIND)
        self._jump(to)

    def next_due(self) -> datetime | None:
        """The earliest instant at which something happens by itself."""
        answers = self._at_rest or self._operations()
        dues = [answer["next_due"] for answer in answers.values() if answer["next_due"] is not None]
        return min((parse_instant(due) for due in dues), default=None)

    def events(self) -> Sequence[Happening]:
        """Everything in the trace about matters opened here, in the order in which it was learnt."""
        fresh: list[Happening] = []
        for matter in self._matters:
            fresh += self._fresh(matter)
        self._events += sorted(fresh, key=lambda one: one.position)
        return self._events

    def matter(self, matter: str) -> MatterView:
        """Where a matter stands. Raises Refusal."""
        path = doors.MATTER.replace("<matter>", matter)
        return doors.matter_view(self._observe("dispatch", path))

    def report(self) -> Mapping[str, Any]:
        """The report's figures since `begin`, by name. Raises Refusal."""
        period = f"period_from={rfc3339(self._began)}&period_to={rfc3339(self.now())}"
        return doors.figures(self._observe("oversight", f"{doors.REPORT}?{period}"))

    def evaluation_token(self, evaluation: str) -> str:
        """What the asker's link holds."""
        return link_token(self._settings.link_secret, TOKEN_PURPOSE, evaluation)

    # -- inside --------------------------------------------------------------------------------------------------

    def _client(self, actor: Actor) -> SuiteClient:
        if actor not in self._clients:
            token = ""
            if actor is not ANONYMOUS:
                token = self._gatekeeper.issue(subject=actor.id, roles=actor.roles, unit=actor.unit, lasting=_LASTING)
            self._clients[actor] = SuiteClient(self._addresses, token)
        return self._clients[actor]

    def _observe(self, service: str, path: str) -> Mapping[str, Any]:
        return self._client(doors.observer(self._jurisdiction)).get(service, path)

    def _fresh(self, matter: str) -> list[Happening]:
        found: list[Happening] = []
        cursor: str | None = str(self._matters[matter])
        while cursor is not None:
            path = doors.TIMELINE.replace("<matter>", matter)
            page = self._observe("oversight", f"{path}?cursor={cursor}&limit={_PAGE}")
            found += [doors.from_timeline(row, matter) for row in page["items"]]
            cursor = page["next"]
        if found:
            self._matters[matter] = found[-1].position
        return found

    def _jump(self, to: datetime) -> None:
        ahead = to - self._clock.now()
        self._set_going()
        if ahead > timedelta():
            self._clock.advance(ahead)
        self._rest()

    def _operations(self) -> dict[str, Mapping[str, Any]]:
        client = self._client(doors.observer(self._jurisdiction))
        try:
            return {name: client.get(name, doors.OPERATIONS) for name in SERVICES}
        except Unreachable as error:
            raise StageFailed(error.what) from error

    def _set_going(self) -> None:
        self._at_rest = None

    def _rest(self) -> None:
        """Wait until nothing moves: two looks in a row that are the same and show nothing under way."""
        if self._at_rest is not None:
            return
        deadline = time.monotonic() + REST_WITHIN_S
        before: dict[str, Any] | None = None
        pause = ASK_EVERY_S
        time.sleep(pause)  # noqa: TID251 -- as below; nothing arrives everywhere at once
        while True:
            answers = self._operations()
            _refuse_quarantine(answers)
            reasons = [*not_at_rest(answers), *_due_now(answers)]
            if not reasons and self._programs is not None:
                reasons = self._programs.under_way()
            counts = {name: (answer["emitted"], answer["received"]) for name, answer in answers.items()}
            if not reasons and counts == before:
                self._at_rest = answers
                return
            before = counts if not reasons else None
            if time.monotonic() > deadline:
                raise StageFailed(f"the suite does not come to rest within {REST_WITHIN_S:.0f} s: {'; '.join(reasons)}")
            time.sleep(pause)  # noqa: TID251 -- a plain process watching others
            pause = min(ASK_AT_MOST_S, pause * ASK_GROWTH) if reasons else ASK_EVERY_S


def _due_now(answers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"{name}: work is due since {answer['next_due']}"
        for name, answer in answers.items()
        if answer["next_due"] is not None and parse_instant(answer["next_due"]) <= parse_instant(answer["now"])
    ]


def _refuse_quarantine(answers: Mapping[str, Mapping[str, Any]]) -> None:
    held = {name: answer["quarantined"] for name, answer in answers.items() if answer["quarantined"]}
    if held:
        said = ", ".join(f"{name} {count}" for name, count in held.items())
        raise StageFailed(f"messages were quarantined ({said}); see `gridwhistle quarantine list`")
