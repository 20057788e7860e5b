"""Dispatch in memory with a real broker between it and its departments: what relay and entrypoint do, step by step."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pika
from sqlalchemy import select

from deploy.launcher.suite import Suite
from shared.contracts import registry, shapes, topology, whistles
from shared.contracts.envelope import Envelope, from_bytes
from shared.contracts.intake import MatterOpened
from shared.contracts.values import Place
from shared.jurisdiction import load
from shared.ledger import outbox
from shared.ledger.engines import reading, writing
from shared.ledger.letters import Letter
from shared.ledger.tables import outbox as table
from shared.wire import relay as relays
from shared.wire.publisher import Publisher

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
STREET_CLERK = "street-clerk-jianwai"
#: Real seconds within which what is expected must come.
PATIENCE_S = 60.0


class Bridge:
    """Carries one dispatch's messages to the broker and its departments' answers back."""

    def __init__(self, url):
        self.suite = Suite.in_memory(load(PACK), START, only=["dispatch"])
        self.app = self.suite.applications["dispatch"]
        self._publisher = Publisher(url, "test bridge")
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._opened = 0

    def close(self):
        self._publisher.close()
        self._connection.close()
        self.suite.close()

    def whistle(self, request="请到场查看供水管线", departments=("dept-water",)):
        """A matter and a call; returns the call's id. Nothing has left yet."""
        self._opened += 1
        matter = f"m-{self._opened}"
        event = MatterOpened(
            matter_id=matter, number=f"M-{matter}", demand_id=f"d-{matter}", text="门前积水", unit="guanghua-dongli-1",
            place=Place(address="光华东里1号楼"), channel="web", asker_kind="resident", private=False, category=None,
        )  # fmt: skip
        row = registry.by_shape(MatterOpened)
        self.app.receive(
            Envelope(
                id=f"e-{matter}", source="urn:gridwhistle:intake", type=row.type, subject=matter, time=START,
                stream=f"intake.matter:{matter}", streamversion=1, correlationid="c", causationid=None,
                traceparent=None, classification=row.classification, data=shapes.dump(event),
            ).to_bytes()
        )  # fmt: skip
        content = {"matter": matter, "departments": list(departments), "request": request}
        reply = self.app.execute("dispatch.blow-whistle", content, self.suite.actor(STREET_CLERK))
        return reply.body["whistle_id"]

    def carry(self):
        """One round of relay and consumer. Returns how many messages moved."""
        with reading(self.app.at_hand.engine) as db:
            rows = outbox.pending(db, 200)
        mine = [row for row in rows if row.type in whistles.TOLD]
        for row in mine:
            self._publisher.send(relays._outgoing("dispatch", row))
        while self._publisher.unanswered:
            self._publisher.wait(0.2)
        answers = self._publisher.take_answers()
        assert not answers.refused
        assert not answers.returned
        with writing(self.app.at_hand.engine) as db:
            outbox.mark_published(db, [row.message_id for row in rows], START)
            db.commit()
        moved = len(mine)
        while True:
            method, _, body = self._channel.basic_get(topology.ANSWERS_QUEUE)
            if method is None:
                return moved
            (received,) = self.app.receive_letters([Letter(body=body, exchange=method.exchange)])
            assert received.outcome is not None
            self._channel.basic_ack(method.delivery_tag)
            moved += 1

    def until(self, satisfied):
        """Carry until it is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not satisfied():
            assert time.monotonic() < deadline, "what was expected did not come"
            if not self.carry():
                self._connection.sleep(0.05)

    def events(self, name):
        """Data of dispatch's events of one name, in order."""
        with reading(self.app.at_hand.engine) as db:
            raws = db.execute(select(table.c.envelope).order_by(table.c.position)).scalars().all()
        every = [from_bytes(bytes(raw)) for raw in raws]
        return [one.data for one in every if one.type == f"gridwhistle.dispatch.{name}.v1"]

    def answered(self):
        """(call, department, answer) of every answer that counted."""
        rows = self.events("whistle-answered")
        return [(row["whistle_id"], row["department"], row["answer"]) for row in rows]
