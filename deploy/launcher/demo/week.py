"""The week: an agenda of demands and plays on the simulated clock, played in order of time."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from random import Random

from deploy.launcher.demo.case import Case, Office
from deploy.launcher.demo.cast import Cast
from deploy.launcher.demo.demands import DemoDemand, instant, working_days
from deploy.launcher.demo.plays import PLAYS, Play
from deploy.launcher.suite import Suite
from shared.kernel.errors import Refusal

log = logging.getLogger(__name__)

#: The week begins before the first demand and ends when the last desk has gone home.
OPENS, ENDS = time(9), time(20)


class PlayRefused(Exception):
    """A service refused what a player asked: a bug in the play or the service. Nothing is hidden: the demo stops."""


@dataclass(kw_only=True)
class Week:
    """A played week."""

    start: datetime
    end: datetime
    cases: list[Case] = field(default_factory=list)
    #: Demands that joined the matter of an earlier one.
    joined: int = 0
    #: Commands carried out.
    commands: int = 0


@dataclass(kw_only=True)
class Progress:
    """How far the week is, for whoever shows it."""

    now: datetime
    #: 0 … 1.
    share: float
    demands: int
    commands: int


class Player:
    """Plays the demands of a pack on a suite whose clock stands at the start."""

    def __init__(self, suite: Suite, demands: Sequence[DemoDemand], *, first_day: date, seed: int) -> None:
        self.suite = suite
        days = working_days(suite.jurisdiction, first_day)
        self.week = Week(
            start=instant(suite.jurisdiction, days[0], OPENS), end=instant(suite.jurisdiction, days[-1], ENDS)
        )
        # One die: the same seed gives the same week, whatever the machine.
        self.office = Office(suite=suite, cast=Cast(suite.jurisdiction), dice=Random(seed), done=self._count)  # noqa: S311
        self._by_matter: dict[str, Case] = {}
        self._agenda: list[tuple[datetime, int, Play]] = []
        self._entries = 0
        self._demands = 0
        for demand in demands:
            self._enter(instant(suite.jurisdiction, days[demand.day], demand.at), self._ask(demand))

    def play(self, progress: Callable[[Progress], None] | None = None) -> Week:
        """Play until the last evening. Raises PlayRefused."""
        while self._agenda and self._agenda[0][0] <= self.week.end:
            at, _, play = heapq.heappop(self._agenda)
            self.suite.advance(to=max(at, self.suite.clock.now()))
            try:
                upcoming = next(play, None)
            except Refusal as refusal:
                name = getattr(play, "__name__", "a play")
                raise PlayRefused(f"{name}, {at:%m-%d %H:%M}: {refusal.what} [{refusal.code}]") from refusal
            if upcoming is not None:
                self._enter(upcoming, play)
            if progress is not None:
                progress(self._progress())
        self.suite.advance(to=self.week.end)
        if progress is not None:
            progress(self._progress())
        return self.week

    def _progress(self) -> Progress:
        now = self.suite.clock.now()
        share = (now - self.week.start) / (self.week.end - self.week.start)
        return Progress(now=now, share=max(0.0, min(1.0, share)), demands=self._demands, commands=self.week.commands)

    def _enter(self, at: datetime, play: Play) -> None:
        self._entries += 1
        heapq.heappush(self._agenda, (at, self._entries, play))

    def _count(self, _command: str) -> None:
        self.week.commands += 1

    def _ask(self, demand: DemoDemand) -> Play:
        """Somebody asks; the first demand of a matter starts its play."""
        pack = self.suite.jurisdiction
        located = pack.locate(grid=demand.location.get("grid"), address=demand.location.get("address"))
        registrar = self.office.cast.registrar(demand.channel, located.id if located else None)
        asker = {
            "kind": demand.kind, "name": demand.name, "phone": demand.phone, "mail": demand.mail,
            "anonymous": demand.anonymous,
        }  # fmt: skip
        reply = self.office.execute(
            "intake.register-demand", registrar, channel=demand.channel, text=demand.text, private=demand.private,
            location=dict(demand.location), asker=asker, source="demo", source_ref=demand.id,
        )  # fmt: skip
        self._demands += 1
        matter, demand_id = str(reply["matter_id"]), str(reply["demand_id"])
        known = self._by_matter.get(matter)
        if known is not None:
            known.askers[demand_id] = demand
            self.week.joined += 1
            return
        case = Case(
            office=self.office, demand=demand, matter=matter, askers={demand_id: demand},
            code=str(reply["tracking_code"]),
        )  # fmt: skip
        self._by_matter[matter] = case
        self.week.cases.append(case)
        yield from PLAYS[demand.play](case)
