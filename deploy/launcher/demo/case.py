"""One matter in the demo: what its players need to decide the next step, and the commands they send.

Everything goes through the suite's commands and queries, each as the person who would do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from deploy.launcher.demo.cast import LINK_HOLDER, Cast, asker
from deploy.launcher.demo.demands import DemoDemand
from deploy.launcher.scenario import doors
from deploy.launcher.suite import Suite
from services.oversight.handlers.evaluations import TOKEN_PURPOSE
from shared.kernel.actor import Actor
from shared.kernel.hashing import link_token
from shared.kernel.worktime import Target, parse_target

#: Response classes whose players do not wait for office hours.
URGENT = frozenset({"hazard", "immediate"})
OPEN_STATES = frozenset({"assigned", "in-progress", "suspended", "resolved", "verified", "unlocated"})


@dataclass(kw_only=True)
class Office:
    """The suite, its people and the dice; the same for all cases of a demo."""

    suite: Suite
    cast: Cast
    dice: Random
    #: Told of every command carried out: the progress bar.
    done: Any = None

    @property
    def now(self) -> datetime:
        """The simulated present."""
        return self.suite.clock.now()

    def execute(self, command: str, actor: Actor, **content: Any) -> Mapping[str, Any]:
        """Carry out a command. Raises Refusal: the demo's players know the rules, so a refusal is a bug."""
        body = self.suite.execute(command, content, actor).body
        if self.done is not None:
            self.done(command)
        return body

    def ask(self, service: str, path: str, **parameters: str) -> Mapping[str, Any]:
        """Ask as a supervisor of the whole pack. Raises Refusal."""
        application = self.suite.applications[service]
        route = doors.route_of(application.definition, path=path)
        if route.query is None:
            raise doors.NoSuchDoor(path)
        return application.ask(route.query, parameters, doors.observer(self.suite.jurisdiction))


@dataclass(kw_only=True)
class Case:
    """A matter in play."""

    office: Office
    demand: DemoDemand
    matter: str
    #: Demand id -> what its asker will answer; several when demands were joined.
    askers: dict[str, DemoDemand] = field(default_factory=dict)
    #: Tracking code of the first demand.
    code: str = ""
    #: Evaluations answered or left unanswered already.
    heard: set[str] = field(default_factory=set)

    # -- time ----------------------------------------------------------------------------------------------------

    def pause(self, least: int, most: int) -> datetime:
        """A while from now: `least` to `most` minutes, of working time unless the matter is urgent."""
        minutes = self.office.dice.randint(least, most)
        kind = "elapsed" if self.view()["response_class"] in URGENT else "working"
        return self._later({kind: f"{minutes}m"})

    def soon(self, least: int, most: int) -> datetime:
        """`least` to `most` minutes from now by the wall clock."""
        return self._later({"elapsed": f"{self.office.dice.randint(least, most)}m"})

    def office_hours(self, least: int, most: int) -> datetime:
        """`least` to `most` minutes of working time from now."""
        return self._later({"working": f"{self.office.dice.randint(least, most)}m"})

    def _later(self, target: Mapping[str, str]) -> datetime:
        parsed: Target = parse_target(target)
        return self.office.suite.jurisdiction.calendar.due(self.office.now, parsed).at

    # -- what is so ----------------------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        """The matter as dispatch shows it."""
        return self.office.ask("dispatch", doors.MATTER, matter=self.matter)

    @property
    def unit(self) -> str:
        """Who is responsible now."""
        return str(self.view()["unit"]["id"])

    @property
    def level(self) -> str:
        """The level of the unit responsible now."""
        return str(self.view()["level"])

    @property
    def state(self) -> str:
        """Where the matter stands."""
        return str(self.view()["state"])

    @property
    def category(self) -> str:
        """Its category, as dispatch has it."""
        return str(self.view()["category"] or "")

    def handler(self) -> Actor:
        """Who handles it now."""
        return self.office.cast.handler(self.unit)

    # -- what is done --------------------------------------------------------------------------------------------

    def do(self, command: str, actor: Actor, **content: Any) -> Mapping[str, Any]:
        """Carry out a command on the matter."""
        return self.office.execute(command, actor, matter=self.matter, **content)

    def accept(self) -> None:
        """Whoever is responsible takes the matter on, if nobody has."""
        if self.state == "assigned":
            self.do("dispatch.accept", self.handler())

    def progress(self, note: str, milestone: str | None = None) -> None:
        """Note how it goes."""
        more = {} if milestone is None else {"milestone": milestone}
        self.do("dispatch.progress", self.handler(), note=note, **more)

    def resolve(self, outcome: str, *evidence: str) -> None:
        """Say what was done."""
        self.accept()
        pieces = [{"kind": "photo", "description": text} for text in evidence]
        self.do("dispatch.resolve", self.handler(), outcome=outcome, evidence=pieces)

    def verify(self, note: str, *, passed: bool = True) -> None:
        """Somebody else looks."""
        view = self.view()
        verifier = self.office.cast.verifier(str(view["unit"]["id"]), str(view["resolved_by"]))
        self.do("dispatch.verify", verifier, passed=passed, note=note)

    def close(self) -> None:
        """Close it."""
        view = self.view()
        closer = self.office.cast.verifier(str(view["unit"]["id"]), str(view["resolved_by"]))
        self.do("dispatch.close", closer, note="已回访。")

    def answer(self, *, satisfied: bool | None = None, wants_reopening: bool = False, comment: str = "") -> None:
        """Every asker who was asked and means to answer does so, by the link."""
        found = self.office.ask("oversight", doors.EVALUATIONS, matter=self.matter)
        for row in found["items"]:
            asked = str(row["evaluation_id"])
            who = self.askers.get(str(row["demand_id"]))
            opinion = satisfied if satisfied is not None else (None if who is None else who.satisfied)
            if asked in self.heard or row["answered_at"] is not None or who is None or who.satisfied is None:
                continue
            self.heard.add(asked)
            if opinion is None:
                continue
            said = comment or (_PLEASED if opinion else _CROSS)[self.office.dice.randrange(4)]
            secret = self.office.suite.applications["oversight"].at_hand.link_secret
            self.office.execute(
                "oversight.evaluate", LINK_HOLDER, evaluation=asked, satisfied=opinion, resolved=opinion,
                wants_reopening=wants_reopening and not opinion, comment=said,
                token=link_token(secret, TOKEN_PURPOSE, asked),
            )  # fmt: skip

    def asker(self) -> Actor:
        """The first asker, on the platform."""
        return asker(next(iter(self.askers)))


_PLEASED = ("处理得很及时，谢谢。", "问题解决了，回访也到位。", "比我想的快，给网格员点个赞。", "已经办好了，满意。")
_CROSS = ("拖得太久了。", "没有人早点来看，希望改进。", "只解决了一半。", "来得晚，答复也不清楚。")
