"""Every projection made anew from the trace, in a scratch database, and compared with the one the suite has.

Fed to the product's own handlers in the trace's order, each event once and with nothing broken. Columns that hold the
instant of handling are left out: they may differ.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager

from sqlalchemy import delete, insert, select

from deploy.launcher.suite import Suite
from services.deliberation import tables as deliberation
from services.intake import tables as intake
from services.intake.domain import Standing
from services.notify import tables as notify
from services.notify.notice_tables import notices
from services.oversight import tables as oversight
from services.oversight.repository import rebuild
from shared import jurisdiction as packs
from shared.contracts import envelope as envelopes
from shared.ledger.engines import reading, writing
from tests.chaos.evidence import heard_by

#: Events handed to a scratch service at once, and rows copied at once.
_BATCH = 200
#: Differing rows named in one finding.
_NAMED = 10


def differences(world, finding):
    """Findings of kind "projection", made with `finding(kind=…, service=…, what=…, ids=…)`."""
    pack = packs.load(world.settings.jurisdiction)
    for service, compare in (
        ("oversight", _oversight), ("notify", _notify), ("deliberation", _deliberation), ("intake", _intake),
    ):  # fmt: skip
        with _scratch(pack, service, world) as application:
            for table, rows in compare(world, application):
                yield finding(
                    kind="projection", service=service, what=f"{table} differs from what the trace gives",
                    ids=tuple(rows),
                )  # fmt: skip


@contextmanager
def _scratch(pack, service, world):
    """A service of its own in memory, nobody else around."""
    suite = Suite.in_memory(pack, world.now(), only=[service])
    try:
        yield suite.applications[service]
    finally:
        suite.close()


def _raws(world):
    with reading(world.engines["oversight"]) as db:
        query = select(oversight.trace.c.envelope).order_by(oversight.trace.c.position)
        for raw in db.execute(query, execution_options={"yield_per": _BATCH}).scalars():
            yield bytes(raw)


def _feed(world, application):
    """Every event that the service hears, in the trace's order."""
    hears = heard_by(application.name)
    batch = []
    for raw in _raws(world):
        if hears(envelopes.from_bytes(raw).stream):
            batch.append(raw)
        if len(batch) == _BATCH:
            application.receive_many(batch)
            batch = []
    if batch:
        application.receive_many(batch)


def _rows(engine, columns, where=None):
    query = select(*columns)
    if where is not None:
        query = query.where(where)
    with reading(engine) as db:
        return Counter(tuple(map(str, row)) for row in db.execute(query))


def _compared(world, application, table, *, leave_out=(), where=None, live_table=None):
    """(table's name, rows that only one side has), nothing when both sides are equal."""
    columns = [column for column in table.c if column.name not in leave_out]
    live = _rows(world.engines[application.name], columns, where)
    scratch = _rows(application.at_hand.engine, columns, where)
    missing, extra = scratch - live, live - scratch
    if missing or extra:
        names = [f"only rebuilt: {row}" for row in list(missing)[:_NAMED]]
        names += [f"only live: {row}" for row in list(extra)[:_NAMED]]
        total = missing.total() + extra.total()
        yield f"{live_table or table.name} ({total} rows)", names


def _oversight(world, application):
    engine = application.at_hand.engine
    with reading(world.engines["oversight"]) as source, writing(engine) as target:
        query = select(oversight.trace).order_by(oversight.trace.c.position)
        for part in source.execute(query, execution_options={"yield_per": _BATCH}).mappings().partitions():
            target.execute(insert(oversight.trace), [dict(row) for row in part])
        rebuild.rebuild(target)
        target.commit()
    for table in oversight.PROJECTED:
        yield from _compared(world, application, table)


def _notify(world, application):
    _feed(world, application)
    engine = world.engines["notify"]
    yield from _compared(world, application, notify.addressees, leave_out=("reachable", "withdrawn_at"))
    yield from _compared(world, application, notify.matters)
    yield from _compared(world, application, notify.news)
    # Whom a notice is for, and about what; what became of it is the sender's.
    sent = {"id", "at", "state", "attempts", "created_at", "next_attempt_at", "finished_at", "channel", "provider_ref"}
    left = sent | {"facts", "reason", "read_at", "read_by", "version"}
    yield from _compared(world, application, notices, leave_out=left)
    # Who withdrew is told nothing more from the moment notify heard of it: how much that was depends on when.
    with reading(engine) as db:
        gone = set(
            db.execute(
                select(notify.addressees.c.demand_id).where(notify.addressees.c.withdrawn_at.is_not(None))
            ).scalars()
        )
    columns = (notify.messages.c.demand_id, notify.messages.c.event_id, notify.messages.c.template)
    live = Counter({row: n for row, n in _rows(engine, columns).items() if row[0] not in gone})
    scratch = Counter({row: n for row, n in _rows(application.at_hand.engine, columns).items() if row[0] not in gone})
    if live != scratch:
        names = [f"only rebuilt: {row}" for row in list(scratch - live)[:_NAMED]]
        yield "messages", names + [f"only live: {row}" for row in list(live - scratch)[:_NAMED]]


def _deliberation(world, application):
    _feed(world, application)
    yield from _compared(world, application, deliberation.matters)


def _intake(world, application):
    """What intake decided itself is taken over; what it knows from dispatch is made anew."""
    fresh = {"standing": Standing.REGISTERED, "handled_by": None, "response_class": None}
    with reading(world.engines["intake"]) as source, writing(application.at_hand.engine) as target:
        target.execute(delete(intake.matters))
        for part in source.execute(select(intake.matters)).mappings().partitions(_BATCH):
            rows = [dict(row) | fresh | {"standing_since": row["opened_at"], "version": 1} for row in part]
            target.execute(insert(intake.matters), rows)
        target.commit()
    _feed(world, application)
    yield from _compared(
        world, application, intake.matters, leave_out=("version", "standing_since", "text_fingerprint", "demands")
    )
    yield from _compared(world, application, intake.milestones, leave_out=("position",))
