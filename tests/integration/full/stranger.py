"""A stream that no service told, for poison: what comes of it is its hearers' alone to see."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from shared.contracts import dispatch, registry, shapes
from shared.contracts.envelope import SOURCE_PREFIX, Envelope
from shared.kernel.ids import RandomIds
from shared.ledger import tables
from shared.ledger.engines import reading
from tests.chaos import wire


class Stranger:
    """A stream of dispatch that dispatch never told: what hearers make of it is theirs alone to see."""

    def __init__(self, suite):
        self.suite, self.matter, self.version = suite, f"stranger-{RandomIds().new()}", 0

    def envelope(self, level="grid", version=None):
        if version is None:
            self.version += 1
        event = dispatch.MatterAssigned(
            matter_id=self.matter, unit="yongan-nanli-6", level=level, reason="r", assigned_by="x"
        )
        row = registry.by_shape(type(event))
        return Envelope(
            id=RandomIds().new(), source=SOURCE_PREFIX + "dispatch", type=row.type, subject=self.matter,
            time=datetime.now(UTC), stream=f"dispatch.matter:{self.matter}", streamversion=version or self.version,
            correlationid="c", causationid=None, traceparent=None, classification="internal", data=shapes.dump(event),
        )  # fmt: skip

    def send(self, *raws):
        queue = "gridwhistle.oversight.from.dispatch"
        ids = RandomIds()
        wire.publish(self.suite.direct_broker(), [wire.straight_to(queue, raw, ids.new()) for raw in raws])

    def state(self):
        with reading(self.suite.engines["oversight"]) as db:
            query = select(tables.stream_positions.c.version, tables.stream_positions.c.waiting).where(
                tables.stream_positions.c.stream == f"dispatch.matter:{self.matter}"
            )
            row = db.execute(query).one_or_none()
        return None if row is None else tuple(row)
