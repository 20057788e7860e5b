"""A case: one matter with its clocks, locked, while a handler changes it; written back in one go.

Every handler opens one, says what it does, and ends with `saved`. It must never decide anything itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.dispatch import calendars, repository
from services.dispatch.domain.clocks import SlaClock, Status
from services.dispatch.domain.matter import NEVER, Matter
from services.dispatch.domain.refusals import UnknownMatter
from services.dispatch.domain.states import Action, after
from shared.jurisdiction import Jurisdiction, ResponseClass
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Forbidden
from shared.kernel.provisional import notice
from shared.kernel.worktime import Pause
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


class Case:
    """A matter in hand. Build it with `open_case` (commands) or `find_case` (events and scans)."""

    def __init__(self, work: UnitOfWork, matter: Matter, *, new: bool = False) -> None:
        self.work = work
        #: As it is now; `change` replaces it.
        self.matter = matter
        #: One instant for everything this handler does.
        self.now: datetime = work.now
        self._new = new
        self._stored = matter
        #: As they are stored, and as they are now; None until somebody asks for them.
        self._stored_clocks: dict[str, SlaClock] = {}
        self._clocks: dict[str, SlaClock] | None = {} if new else None
        self._steps: list[dict[str, Any]] = []

    @property
    def jurisdiction(self) -> Jurisdiction:
        """The pack."""
        return self.work.jurisdiction

    @property
    def actor(self) -> str:
        """Who acts."""
        return self.work.actor.id

    @property
    def clocks(self) -> dict[str, SlaClock]:
        """By id; `put` replaces or adds one. Read when first asked for, under the matter's lock."""
        if self._clocks is None:
            self._stored_clocks = repository.clocks_of(self.work.db, self.matter.id)
            self._clocks = dict(self._stored_clocks)
        return self._clocks

    @property
    def rule(self) -> ResponseClass | None:
        """The response class; None when a newer pack has dropped it: its running clocks go on, none is started."""
        return self.jurisdiction.policy.classes.get(self.matter.response_class)

    @property
    def working_time(self) -> calendars.InForce:
        """The working calendars in force."""
        return calendars.in_force(self.work)

    def pauses(self, *, running: bool = False) -> tuple[Pause, ...]:
        """Suspensions that are over, `running`: also the one that is not, up to now.

        Asks the database only for matters that had one.
        """
        if not self.matter.pauses:
            return ()
        return repository.rests(self.work.db, self.matter.id, until=self.now if running else None)

    def change(self, **fields: Any) -> None:
        """Replace fields of the matter."""
        self.matter = replace(self.matter, **fields)

    def do(self, action: Action) -> None:
        """Take a step of the state machine. Raises IllegalTransition."""
        self.change(state=after(self.matter.state, action))

    def flag(self, name: str) -> None:
        """Put a flag up for a desk to see."""
        if name not in self.matter.flags:
            self.change(flags=(*self.matter.flags, name))

    def unflag(self, *names: str) -> None:
        """Take flags down."""
        self.change(flags=tuple(flag for flag in self.matter.flags if flag not in names))

    def put(self, clock: SlaClock) -> None:
        """Add a clock, or replace it by its new form."""
        self.clocks[clock.id] = clock

    def live(self, *kinds: str) -> list[SlaClock]:
        """Clocks of these kinds (none given: of all) that have not stopped."""
        return [
            clock
            for clock in self.clocks.values()
            if clock.status is not Status.STOPPED and (not kinds or clock.kind in kinds)
        ]

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A savepoint: when the block raises, its writes and events are undone and the case is as it was before."""
        before = (
            self.matter,
            self._stored_clocks,
            None if self._clocks is None else dict(self._clocks),
            len(self._steps),
        )
        try:
            with self.work.attempt():
                yield
        except BaseException:
            self.matter, self._stored_clocks, self._clocks, steps = before
            del self._steps[steps:]
            raise

    def note(self, action: str, **detail: Any) -> None:
        """Keep what was done; absent details are left out."""
        self._steps.append(
            {
                "matter_id": self.matter.id, "at": self.now, "action": str(action), "actor": self.actor,
                "unit": self.matter.unit, "attempt": self.matter.attempt,
                "detail": {name: value for name, value in detail.items() if value not in (None, (), [])},
            }
        )  # fmt: skip

    def save(self) -> None:
        """Write everything; the version grows by one when the matter changed or something was done to it."""
        clocks = self._clocks or {}
        if self._clocks is not None:
            running = [clock for clock in clocks.values() if clock.status is Status.RUNNING]
            self.change(
                due_at=min((clock.due_at for clock in running), default=NEVER),
                soon_at=min((clock.soon_at for clock in running), default=NEVER),
                gross_at=min((clock.gross_at for clock in running), default=NEVER),
            )
        db, stored = self.work.db, self._stored_clocks
        repository.add_clocks(db, [clock for key, clock in clocks.items() if key not in stored])
        if self._new:
            repository.add_matter(db, self.matter)
            repository.add_steps(db, self._steps)
        else:
            if self._steps or self.matter != self._stored:
                self.change(version=self._stored.version + 1)
            moved = [(old, clocks[key]) for key, old in stored.items() if clocks[key] is not old]
            repository.save(db, self._stored, self.matter, moved, self._steps)
        self._new, self._stored, self._stored_clocks, self._steps = False, self.matter, dict(clocks), []

    def saved(self, **more: Any) -> Reply:
        """Write everything and answer the command; due times that it set and that are not certain are said to be."""
        guessed = self._guessed()
        self.save()
        matter = self.matter
        body = {
            "matter_id": matter.id, "number": matter.number, "state": matter.state.value, "version": matter.version,
            "unit": matter.unit, "level": matter.level, "response_class": matter.response_class,
            "attempt": matter.attempt,
        }  # fmt: skip
        return Reply(body=body | ({"provisional": guessed} if guessed else {}) | more, version=matter.version)

    def _guessed(self) -> list[dict[str, Any]]:
        if not self._clocks:
            return []
        calendar, stored = self.working_time.of(self.rule), self._stored_clocks
        set_now = [clock for clock in self.live() if clock.provisional and clock is not stored.get(clock.id)]
        return [
            {"clock": clock.kind, "due_at": rfc3339(clock.due_at)} | notice(calendar, clock.due_at, clock.started_at)
            for clock in set_now
        ]


def find_case(work: UnitOfWork, matter_id: str) -> Case | None:
    """Lock a matter; None when dispatch does not know it."""
    matter = repository.matter(work.db, matter_id, lock=True)
    return None if matter is None else Case(work, matter)


def open_case(work: UnitOfWork, matter_id: str) -> Case:
    """Lock a matter for a command: the actor's unit contains the unit responsible now, and If-Match holds.

    Raises UnknownMatter (also for private ones outside the actor's scope), Forbidden, Stale.
    """
    case = find_case(work, matter_id)
    if case is None:
        raise unknown(matter_id)
    try:
        work.require_scope(case.matter.unit)
    except Forbidden:
        if case.matter.private:
            raise unknown(matter_id) from None
        raise
    work.check_version(case.matter.version)
    return case


def unknown(matter_id: str) -> UnknownMatter:
    """The refusal for a matter that does not exist or may not be seen."""
    return UnknownMatter(
        f"There is no matter {matter_id!r} that you may see.",
        where="matter",
        remedy="Check the id, or ask the desk above.",
    )
