"""A notify service in memory, events of its sister services, and a notifier that does what a test tells it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.notify.definition import DEFINITION
from services.notify.sending import GROUP
from shared import jurisdiction
from shared.contracts import dispatch, intake, oversight, registry, shapes
from shared.contracts.envelope import SOURCE_PREFIX, Envelope, from_bytes
from shared.contracts.values import Place
from shared.kernel.actor import Actor
from shared.kernel.clock import ManualClock
from shared.kernel.sealing import Sealer, new_key_text
from shared.ledger import outbox
from shared.ledger import tables as ledger_tables
from shared.ledger.engines import reading, writing
from shared.ledger.reception import Outcome
from shared.ledger.unit_of_work import look_only
from shared.plugins import Contact, Message, Plugin, Plugins, Receipt
from shared.runtime.application import Application
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of

START = datetime(2025, 9, 8, 1, 30, tzinfo=UTC)
GRID = "guanghua-dongli-1"


class Recorder:
    """A notifier of kind `file` that keeps what it sent; `plan` holds what to raise next."""

    def __init__(self, kind: str = "file") -> None:
        self.kind = kind
        self.sent: list[Message] = []
        self.plan: list[Exception] = []

    def address(self, contact: Contact) -> str | None:
        return contact.mail if self.kind == "mail" else contact.phone or contact.mail

    def send(self, message: Message) -> Receipt:
        if self.plan:
            raise self.plan.pop(0)
        self.sent.append(message)
        return Receipt(provider_ref=f"ref-{len(self.sent)}")


def plugins_of(**made: Any) -> Plugins:
    return Plugins(
        tuple(Plugin(group=GROUP, name=name, origin="test", state="loaded", made=one) for name, one in made.items())
    )


class Desk:
    """The service under test with its clock, its notifier and what it emitted."""

    def __init__(self, application: Application, clock: ManualClock, recorder: Recorder) -> None:
        self.application, self.clock, self.recorder = application, clock, recorder
        self._versions: Counter[str] = Counter()

    recorder_of = staticmethod(Recorder)
    plugins_of = staticmethod(plugins_of)

    def with_plugins(self, plugins: Plugins) -> None:
        at_hand = dataclasses.replace(self.application.at_hand, plugins=plugins)
        self.application = dataclasses.replace(self.application, at_hand=at_hand)

    def envelope(self, event: Any) -> bytes:
        row = registry.by_shape(type(event))
        stream = f"{row.owner}.{row.stream}:{getattr(event, row.key)}"
        self._versions[stream] += 1
        return Envelope(
            id=f"{stream}/{self._versions[stream]}", source=SOURCE_PREFIX + row.owner, type=row.type,
            subject=event.matter_id or getattr(event, row.key), time=self.clock.now(), stream=stream,
            streamversion=self._versions[stream],
            correlationid="c", causationid=None, traceparent=None, classification=row.classification,
            data=shapes.dump(event),
        ).to_bytes()  # fmt: skip

    def hear(self, *events: Any) -> None:
        for event in events:
            assert self.application.receive(self.envelope(event)) is Outcome.HANDLED

    def send(self) -> int:
        return self.application.run_due()

    def events(self) -> list[Any]:
        engine = self.application.at_hand.engine
        with reading(engine) as db:
            rows = outbox.pending(db, 1_000)
        with writing(engine) as db:
            outbox.mark_published(db, [row.message_id for row in rows], self.clock.now())
            db.commit()
        return [from_bytes(row.envelope).payload() for row in rows]

    def rows(self, table: Any) -> list[Any]:
        with reading(self.application.at_hand.engine) as db:
            return list(db.execute(select(table).order_by(*table.primary_key.columns)).all())

    def empty(self) -> None:
        """Forget everything, so that the same envelopes are new."""
        with writing(self.application.at_hand.engine) as db:
            for metadata in (DEFINITION.tables, ledger_tables.metadata):
                for table in reversed(metadata.sorted_tables):
                    db.execute(table.delete())
            db.commit()

    def figure(self, name: str, **labels: str) -> float | None:
        """A metric's value as a scrape would see it."""
        with look_only(self.application.at_hand) as work:
            DEFINITION.refresh(work, self.application.metrics)
        return self.application.metrics.registry.get_sample_value(name, {"service": "notify", **labels})

    def ask(self, name: str, who: str | Actor, **parameters: str) -> Any:
        query = next(r.query for r in DEFINITION.routes if r.query and r.query.name == f"notify.{name}")
        return self.application.ask(query, parameters, self.actor(who))

    def actor(self, who: str | Actor) -> Actor:
        if isinstance(who, Actor):
            return who
        person = self.application.at_hand.jurisdiction.person(who)
        return Actor(id=person.id, roles=frozenset(person.roles), unit=person.unit)

    @property
    def sealer(self) -> Sealer:
        return self.application.at_hand.sealer

    # -- what sister services say

    def registered(self, demand: str = "d-1", matter: str = "m-1", contact: Any = ..., **changes: Any) -> Any:
        if contact is ...:
            contact = {"name": "王女士", "phone": "13812345678", "mail": None}
        sealed = None if contact is None else self.sealer.seal({**contact, "tracking_code": "AAAA-BBBB-CCCC-DDDD"})
        fields = {
            "demand_id": demand, "matter_id": matter, "number": f"N-{demand}", "matter_number": f"M-{matter}",
            "channel": "web", "asker_kind": "resident", "anonymous": contact is None, "private": False, "joined": False,
            "unit": GRID, "sealed_asker": sealed, "text": "楼道灯不亮，我叫王某某", "place": Place(grid=GRID),
        }  # fmt: skip
        return intake.DemandRegistered(**(fields | changes))

    def opened(self, matter: str = "m-1", **changes: Any) -> Any:
        fields = {
            "matter_id": matter, "number": f"M-{matter}", "demand_id": "d-1", "text": "楼道灯不亮", "channel": "web",
            "asker_kind": "resident", "private": False, "unit": GRID, "place": Place(grid=GRID),
        }  # fmt: skip
        return intake.MatterOpened(**(fields | changes))

    def joined(self, demand: str, matter: str = "m-1") -> Any:
        return intake.DemandJoinedMatter(
            matter_id=matter, demand_id=demand, asker_kind="resident", demands=2, reason="exact-duplicate"
        )

    def assigned(self, matter: str = "m-1", unit: str = GRID) -> Any:
        return dispatch.MatterAssigned(
            matter_id=matter, unit=unit, level="grid", reason="lowest level", assigned_by="system"
        )

    def closed(self, matter: str = "m-1") -> Any:
        return dispatch.MatterClosed(
            matter_id=matter, unit=GRID, level="grid", response_class="same-day", outcome="王某某家门口的灯修好了",
            on_time=True, closed_by="x", attempt=1,
        )  # fmt: skip

    def evaluation(self, demand: str = "d-1", matter: str = "m-1") -> Any:
        return oversight.EvaluationRequested(
            evaluation_id=f"e-{demand}", matter_id=matter, demand_id=demand, attempt=1, expires_at=self.clock.now()
        )


@pytest.fixture(scope="session")
def pack() -> jurisdiction.Jurisdiction:
    return jurisdiction.load(Path("deploy/jurisdictions/jianwai"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database_url="sqlite://", jurisdiction=Path(), contact_keys=new_key_text(), token_secret="t" * 32,
        link_secret="l" * 32, data_dir=tmp_path, public_url="http://127.0.0.1:8704",
    )  # fmt: skip


@pytest.fixture
def desk(pack: jurisdiction.Jurisdiction, settings: Settings) -> Any:
    clock = ManualClock(START)
    application = application_of(DEFINITION, settings, clock=clock, jurisdiction=pack)
    engine = application.at_hand.engine
    ledger_tables.metadata.create_all(engine)
    DEFINITION.tables.create_all(engine)
    recorder = Recorder()
    made = Desk(application, clock, recorder)
    made.with_plugins(plugins_of(letters=recorder))
    yield made
    engine.dispose()
