"""Events stored with versions that PostgreSQL gives them: byte for byte what would have been stored knowing them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.contracts.envelope import Envelope
from shared.ledger import outbox, tables
from shared.ledger.engines import open_engine

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
WORDS = '"streamversion":0,\\ "x\' %s %(a)s; 楼道的灯不亮 😀\n\t\x7f'


def draft(number, stream):
    return Envelope(
        id=f"id-{number}", source="urn:gridwhistle:dispatch", type="t", subject=WORDS, time=AT, stream=stream,
        streamversion=0, correlationid=WORDS, causationid=None, traceparent=None, classification="internal",
        data={"words": WORDS, "streamversion": 0, "number": number},
    )  # fmt: skip


@pytest.fixture
def engine(database):
    made = open_engine(database, pool_size=1)
    tables.metadata.create_all(made)
    yield made
    made.dispose()


def test_the_bytes_are_those_of_the_versioned_envelope_in_order(engine):
    streams = ["dispatch.matter:b", "dispatch.matter:a", "dispatch.matter:b", "dispatch.clock:很"]
    expected, heads, number = [], {}, 0
    for many in (4, 1, 1_203):  # the last takes several statements
        drafts = [draft(number + place, streams[place % len(streams)]) for place in range(many)]
        number += many
        with engine.connect() as db:
            outbox.append_next(db, drafts, AT)
            db.commit()
        for each in drafts:
            heads[each.stream] = heads.get(each.stream, 0) + 1
            expected.append((each.id, replace(each, streamversion=heads[each.stream])))
    with engine.connect() as db:
        rows = outbox.pending(db, number + 1)
        assert outbox.heads(db, list(heads)) == heads
    assert [(row.message_id, row.envelope) for row in rows] == [(id_, whole.to_bytes()) for id_, whole in expected]
