"""Dispatch alone, in memory, with the Jianwai pack; sister services' events come in as envelopes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from services.dispatch.definition import DEFINITION
from shared.contracts import registry, shapes
from shared.contracts.dispatch import MatterEscalated
from shared.contracts.envelope import Envelope, from_bytes
from shared.contracts.intake import MatterOpened
from shared.contracts.values import Place
from shared.contracts.whistles import TOLD
from shared.jurisdiction import load
from shared.ledger.engines import reading
from shared.ledger.tables import outbox

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
#: A Monday, 09:00 in Beijing.
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)

GRID, COMMUNITY, STREET, DISTRICT = "guanghua-dongli-1", "guanghua-dongli", "jianwai", "chaoyang"
WORKER = "grid-worker-guanghua-dongli-1"
HEAD = "grid-head-guanghua-dongli-1"
CLERK = "community-clerk-guanghua-dongli"
STREET_CLERK = "street-clerk-jianwai"
DISTRICT_CLERK = "district-clerk-chaoyang"
#: Words of one class each.
LIGHT, GATE, GAS, RAMP = "楼道灯不亮", "请帮忙挪车", "楼道里有煤气味", "单元门门禁坏了,坡道也没有"
PHOTO = {"kind": "photo", "description": "修好后的照片"}


_OF_CALLS = {"answer-whistle", "decide-contest", "decide-whistle-extension", "end-whistle", "score-whistle"}


class Desk:
    """A dispatch service, and hands to work it with."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.app = suite.applications["dispatch"]
        self._versions: Counter[str] = Counter()
        self._count = 0

    @property
    def now(self) -> datetime:
        return self.suite.clock.now()

    def envelope(self, event, *, at=None) -> bytes:
        row = registry.by_shape(type(event))
        stream = f"{row.owner}.{row.stream}:{getattr(event, row.key)}"
        self._versions[stream] += 1
        self._count += 1
        return Envelope(
            id=f"message-{self._count}",
            source=f"urn:gridwhistle:{row.owner}",
            type=row.type,
            subject=str(getattr(event, row.key)),
            time=at or self.now,
            stream=stream,
            streamversion=self._versions[stream],
            correlationid="test",
            causationid=None,
            traceparent=None,
            classification=row.classification,
            data=shapes.dump(event),
        ).to_bytes()

    def receive(self, event, *, at=None):
        outcome = self.app.receive(self.envelope(event, at=at))
        self.suite.settle()
        return outcome

    def open(self, matter="m-1", text=LIGHT, unit: str | None = GRID, *, at=None, **more) -> str:
        given = {"channel": "web", "asker_kind": "resident", "private": False, "category": None, **more}
        self.receive(
            MatterOpened(
                matter_id=matter, number=f"M-{matter}", demand_id=f"d-{matter}", text=text, unit=unit,
                place=Place(address="光华东里1号楼"), **given,
            ),
            at=at,
        )  # fmt: skip
        return matter

    def do(self, who: str, command: str, matter="m-1", **content):
        key = "whistle" if command in _OF_CALLS else "matter"
        how = {"if_match": content.pop("if_match")} if "if_match" in content else {}
        return self.suite.execute(f"dispatch.{command}", {key: matter, **content}, who, **how).body

    def close(self, matter="m-1") -> None:
        """Accept, resolve, verify, close."""
        self.do(WORKER, "accept", matter)
        self.do(WORKER, "resolve", matter, outcome="换了灯泡", evidence=[PHOTO])
        self.do(HEAD, "verify", matter, passed=True)
        self.do(HEAD, "close", matter)

    def ask(self, who: str, path: str, **parameters: str):
        route = next(one for one in DEFINITION.routes if one.path == path and one.query is not None)
        return self.app.ask(route.query, parameters, self.suite.actor(who))

    def view(self, who=DISTRICT_CLERK, matter="m-1"):
        return self.ask(who, "/api/v1/matters/<matter>", matter=matter)

    def clock(self, kind: str, matter="m-1"):
        """The newest clock of a kind, as the view shows it."""
        return [clock for clock in self.view(matter=matter)["clocks"] if clock["kind"] == kind][-1]

    def wait(self, **length: float) -> None:
        self.suite.advance(by=timedelta(**length))

    def until(self, instant: datetime) -> None:
        self.suite.advance(to=instant)

    def events(self, name: str | None = None):
        """(short name, data) of what was emitted, in order; of one name only the data."""
        with reading(self.app.at_hand.engine) as db:
            raws = db.execute(select(outbox.c.envelope).order_by(outbox.c.position)).scalars().all()
        envelopes = [from_bytes(bytes(raw)) for raw in raws]
        every = [(one.name.removeprefix("dispatch."), one.data) for one in envelopes if one.type not in TOLD]
        return every if name is None else [data for known, data in every if known == name]

    def climbs(self) -> list[tuple[str, str, str]]:
        name = registry.by_shape(MatterEscalated).routing_key
        return [(one["to_unit"], one["cause"], one["reason"]) for one in self.events(name)]


@pytest.fixture(scope="session")
def pack():
    return load(PACK)


@pytest.fixture
def desk(pack):
    suite = Suite.in_memory(pack, START, only=["dispatch"])
    yield Desk(suite)
    suite.close()


@pytest.fixture
def desk_of():
    """Make a desk with a changed pack; all are closed afterwards."""
    made = []

    def make(pack):
        made.append(Suite.in_memory(pack, START, only=["dispatch"]))
        return Desk(made[-1])

    yield make
    for suite in made:
        suite.close()
