"""oversight alone, with sister services' events to feed it, in memory or in a SQLite file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug import Request
from werkzeug.routing import Map, Rule
from werkzeug.test import EnvironBuilder

from services.oversight import tables
from services.oversight.definition import DEFINITION
from shared import jurisdiction
from shared.contracts import dispatch, intake, registry, shapes
from shared.contracts.envelope import SOURCE_PREFIX, Envelope, from_bytes
from shared.contracts.values import Place
from shared.kernel.actor import ANONYMOUS, Actor
from shared.kernel.clock import ManualClock
from shared.kernel.errors import Refusal
from shared.kernel.hashing import link_token
from shared.kernel.sealing import new_key_text
from shared.ledger import outbox
from shared.ledger import tables as ledger_tables
from shared.ledger.engines import reading, writing
from shared.ledger.reception import Outcome
from shared.runtime import http
from shared.runtime.application import Application
from shared.runtime.auth import Gatekeeper
from shared.runtime.definition import Reply
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of

#: A Tuesday, 09:30 in Beijing.
START = datetime(2025, 9, 9, 1, 30, tzinfo=UTC)
GRID = "guanghua-dongli-1"
COMMUNITY = "guanghua-dongli"
SECRET = "l" * 32
PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
SUPERVISOR = Actor(id="supervisor-1", roles=frozenset({"supervisor"}), unit="jianwai")
STREET_CLERK = Actor(id="clerk-1", roles=frozenset({"street-clerk"}), unit="jianwai")


@pytest.fixture(scope="session")
def pack() -> jurisdiction.Jurisdiction:
    return jurisdiction.load(PACK)


class Overseer:
    """The service under test with its clock, and a pen to write sister services' events with."""

    def __init__(self, application: Application, clock: ManualClock, pack: jurisdiction.Jurisdiction) -> None:
        self.application, self.clock, self.pack = application, clock, pack
        self.engine = application.at_hand.engine
        self._versions: Counter[str] = Counter()

    # -- events

    def envelope(self, event: Any, at: datetime | None = None) -> Envelope:
        row = registry.by_shape(type(event))
        stream = f"{row.owner}.{row.stream}:{getattr(event, row.key)}"
        self._versions[stream] += 1
        return Envelope(
            id=f"{stream}/{self._versions[stream]}", source=SOURCE_PREFIX + row.owner, type=row.type,
            subject=getattr(event, "matter_id", "none"), time=at or self.clock.now(), stream=stream,
            streamversion=self._versions[stream], correlationid="c", causationid=None, traceparent=None,
            classification=row.classification, data=shapes.dump(event),
        )  # fmt: skip

    def hear(self, event: Any) -> Outcome:
        outcome = self.application.receive(self.envelope(event).to_bytes())
        assert outcome is Outcome.HANDLED
        return outcome

    def settle(self) -> list[Any]:
        """Hear one's own events, as the relay would bring them; returns them."""
        with reading(self.engine) as db:
            rows = outbox.pending(db, 1_000)
        for row in rows:
            self.application.receive(row.envelope)
        with writing(self.engine) as db:
            outbox.mark_published(db, [row.message_id for row in rows], self.clock.now())
            db.commit()
        return [from_bytes(row.envelope).payload() for row in rows]

    # -- a matter's life

    def opened(self, matter: str = "m-1", *, asks: int = 1, **changes: Any) -> str:
        place = Place(grid=GRID)
        fields = {
            "matter_id": matter, "number": f"N-{matter}", "demand_id": f"{matter}-d0", "text": "王大妈说灯不亮",
            "channel": "web", "asker_kind": "resident", "private": False, "unit": GRID, "place": place,
        }  # fmt: skip
        self.hear(intake.MatterOpened(**(fields | changes)))
        for number in range(asks):
            self.demand(matter, number, private=changes.get("private", False))
        return matter

    def demand(self, matter: str, number: int, *, private: bool = False) -> None:
        self.hear(
            intake.DemandRegistered(
                demand_id=f"{matter}-d{number}", matter_id=matter, number=f"D-{matter}-{number}",
                matter_number=f"N-{matter}", channel="web", asker_kind="resident", anonymous=False, private=private,
                joined=number > 0, unit=GRID, text="王大妈说灯不亮", place=Place(grid=GRID), sealed_asker="sealed",
            )
        )  # fmt: skip

    def assigned(self, matter: str, unit: str = GRID, level: str = "grid") -> None:
        self.hear(
            dispatch.MatterAssigned(matter_id=matter, unit=unit, level=level, reason="lowest", assigned_by="system")
        )

    def clock_started(self, matter: str, due: datetime, attempt: int = 1, kind: str = "resolve") -> str:
        clock = f"{matter}-{kind}-{attempt}"
        self.hear(
            dispatch.ClockStarted(
                clock_id=clock, matter_id=matter, kind=kind, response_class="same-day", unit=GRID,
                started_at=self.clock.now(), due_at=due, target="一日内", provisional=False, attempt=attempt,
            )
        )  # fmt: skip
        return clock

    def clock_stopped(self, clock: str, due: datetime, outcome: str = "met") -> None:
        matter, kind, _ = clock.rsplit("-", 2)
        self.hear(
            dispatch.ClockStopped(
                clock_id=clock, matter_id=matter, kind=kind, unit=GRID, stopped_at=self.clock.now(), due_at=due,
                outcome=outcome,
            )
        )  # fmt: skip

    def closed(self, matter: str = "m-1", *, on_time: bool = True, attempt: int = 1, outcome: str = "灯修好了") -> None:
        self.hear(
            dispatch.MatterClosed(
                matter_id=matter, unit=GRID, level="grid", response_class="same-day", outcome=outcome, on_time=on_time,
                closed_by="x", attempt=attempt,
            )
        )  # fmt: skip

    # -- asking

    def do(self, command: str, who: Actor = SUPERVISOR, **content: Any) -> Reply:
        return self.application.execute(f"oversight.{command}", content, who)

    def refused(self, command: str, who: Actor = SUPERVISOR, **content: Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self.do(command, who, **content)
        return caught.value

    def ask(self, name: str, who: Actor = SUPERVISOR, **parameters: str) -> Any:
        query = next(r.query for r in DEFINITION.routes if r.query and r.query.name == f"oversight.{name}")
        return self.application.ask(query, parameters, who)

    def answer(self, evaluation: str, *, satisfied: bool = True, **more: Any) -> Reply:
        return self.do(
            "evaluate", ANONYMOUS, evaluation=evaluation, satisfied=satisfied, token=token(evaluation), **more
        )

    def http(self, method: str, path: str, **form: str) -> Any:
        """One request through the real HTTP boundary, by the service's own routes."""
        rules = Map([Rule(r.path, endpoint=r, methods=[r.method]) for r in DEFINITION.routes])
        where, _, query = path.partition("?")
        builder = EnvironBuilder(where, query_string=query, method=method, data=form or None)
        request = Request(builder.get_environ())
        route, values = rules.bind("x").match(where, method)
        gatekeeper = Gatekeeper(secret="s" * 32, issuer="i", audience="a", clock=self.clock)
        return http.answer(self.application, gatekeeper, route, request, values)

    def rows(self, table: Any) -> list[dict[str, Any]]:
        with reading(self.engine) as db:
            return [dict(r) for r in db.execute(select(table).order_by(*table.primary_key.columns)).mappings()]

    def projected(self) -> dict[str, list[dict[str, Any]]]:
        return {table.name: self.rows(table) for table in tables.PROJECTED}


def token(evaluation: str) -> str:
    return link_token(SECRET, "evaluate", evaluation)


def make(pack: jurisdiction.Jurisdiction, url: str = "sqlite://") -> Overseer:
    settings = Settings(
        database_url=url, jurisdiction=Path(), contact_keys=new_key_text(), token_secret="t" * 32, link_secret=SECRET,
        public_url="http://localhost",
    )  # fmt: skip
    clock = ManualClock(START)
    application = application_of(DEFINITION, settings, clock=clock, jurisdiction=pack)
    engine = application.at_hand.engine
    ledger_tables.metadata.create_all(engine)
    DEFINITION.tables.create_all(engine)
    return Overseer(application, clock, pack)


@pytest.fixture
def overseer(pack: jurisdiction.Jurisdiction) -> Iterator[Overseer]:
    made = make(pack)
    yield made
    made.engine.dispose()


@pytest.fixture
def overseer_file(pack: jurisdiction.Jurisdiction, tmp_path: Path) -> Iterator[Overseer]:
    made = make(pack, f"sqlite:///{tmp_path / 'oversight.db'}")
    yield made
    made.engine.dispose()
