"""A deliberation service in memory, and sister services' events to feed it with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.deliberation.definition import DEFINITION
from shared import jurisdiction
from shared.contracts import dispatch, intake, registry, shapes
from shared.contracts.envelope import SOURCE_PREFIX, Envelope, from_bytes
from shared.contracts.values import Place
from shared.kernel.actor import Actor
from shared.kernel.clock import ManualClock
from shared.kernel.errors import Refusal
from shared.kernel.sealing import new_key_text
from shared.ledger import outbox
from shared.ledger import tables as ledger_tables
from shared.ledger.engines import reading, writing
from shared.ledger.reception import Outcome
from shared.runtime.application import Application
from shared.runtime.definition import Reply
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of

START = datetime(2025, 9, 9, 1, 30, tzinfo=UTC)
GRID = "guanghua-dongli-1"
CITIZEN = Actor(id="asker:d-1", roles=frozenset({"citizen"}))


@pytest.fixture(scope="session")
def pack() -> jurisdiction.Jurisdiction:
    return jurisdiction.load(Path("deploy/jurisdictions/jianwai"))


class Platform:
    """The service under test with its clock, its people and what it emitted."""

    def __init__(self, application: Application, clock: ManualClock, pack: jurisdiction.Jurisdiction) -> None:
        self.application, self.clock, self.pack = application, clock, pack
        self._versions: Counter[str] = Counter()

    def actor(self, who: str | Actor) -> Actor:
        if isinstance(who, Actor):
            return who
        person = self.pack.person(who)
        return Actor(id=person.id, roles=frozenset(person.roles), unit=person.unit)

    def do(self, name: str, who: str | Actor, **content: Any) -> Reply:
        return self.application.execute(f"deliberation.{name}", content, self.actor(who))

    def refused(self, name: str, who: str | Actor, **content: Any) -> str:
        with pytest.raises(Refusal) as caught:
            self.do(name, who, **content)
        return caught.value.code

    def ask(self, name: str, who: str | Actor, **parameters: str) -> Any:
        query = next(r.query for r in DEFINITION.routes if r.query and r.query.name == f"deliberation.{name}")
        return self.application.ask(query, parameters, self.actor(who))

    def hear(self, event: Any) -> Outcome:
        row = registry.by_shape(type(event))
        stream = f"{row.owner}.{row.stream}:{getattr(event, row.key)}"
        self._versions[stream] += 1
        envelope = Envelope(
            id=f"{stream}/{self._versions[stream]}", source=SOURCE_PREFIX + row.owner, type=row.type,
            subject=event.matter_id, time=self.clock.now(), stream=stream, streamversion=self._versions[stream],
            correlationid="c", causationid=None, traceparent=None, classification=row.classification,
            data=shapes.dump(event),
        )  # fmt: skip
        return self.application.receive(envelope.to_bytes())

    def events(self) -> list[Any]:
        """What was emitted since the last look, in order."""
        engine = self.application.at_hand.engine
        with reading(engine) as db:
            rows = outbox.pending(db, 1_000)
        with writing(engine) as db:
            outbox.mark_published(db, [row.message_id for row in rows], self.clock.now())
            db.commit()
        return [from_bytes(row.envelope).payload() for row in rows]

    def matter(self, matter_id: str = "m-1", **changes: Any) -> str:
        fields = {
            "matter_id": matter_id, "number": "M1", "demand_id": "d-1", "text": "光华东里1号楼楼道灯不亮，坡道破损",
            "channel": "web", "asker_kind": "resident", "private": False, "unit": GRID, "place": Place(grid=GRID),
        }  # fmt: skip
        assert self.hear(intake.MatterOpened(**(fields | changes))) is Outcome.HANDLED
        return matter_id

    def resolved(self, matter_id: str) -> None:
        event = dispatch.MatterResolved(matter_id=matter_id, unit=GRID, outcome="好了", resolved_by="x")
        assert self.hear(event) is Outcome.HANDLED


@pytest.fixture
def platform(pack: jurisdiction.Jurisdiction, tmp_path: Path) -> Any:
    settings = Settings(
        database_url="sqlite://", jurisdiction=Path(), contact_keys=new_key_text(), token_secret="t" * 32,
        link_secret="l" * 32, data_dir=tmp_path,
    )  # fmt: skip
    clock = ManualClock(START)
    application = application_of(DEFINITION, settings, clock=clock, jurisdiction=pack)
    engine = application.at_hand.engine
    ledger_tables.metadata.create_all(engine)
    DEFINITION.tables.create_all(engine)
    yield Platform(application, clock, pack)
    engine.dispose()


HOST = "deliberation-host-guanghua-dongli"
VOTERS = (
    "branch-secretary-guanghua-dongli-1",
    "resident-representative-guanghua-dongli-1",
    "grid-head-guanghua-dongli-1",
    "community-clerk-guanghua-dongli",
)


@pytest.fixture
def voting(platform: Platform) -> Callable[..., tuple[str, str]]:
    """Bring a topic to its ballot; returns (topic, ballot)."""

    def make(votes: str = "", matter_id: str = "m-1", **ballot: Any) -> tuple[str, str]:
        platform.matter(matter_id)
        topic = platform.do("open-topic", HOST, matter=matter_id, title="怎么修").body["topic_id"]
        opened = platform.do("open-ballot", HOST, topic=topic, question="同意吗", voters=list(VOTERS), **ballot)
        names = {"y": "yes", "n": "no", "a": "abstain"}
        for voter, sign in zip(VOTERS, votes, strict=False):
            platform.do("cast-vote", voter, ballot=opened.body["ballot_id"], choice=names[sign])
        return topic, opened.body["ballot_id"]

    return make
