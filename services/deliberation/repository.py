"""All SQL of deliberation: topics, opinions, resolutions. Ballots have a module of their own (`ballot_box`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.deliberation.domain import FINAL
from services.deliberation.tables import matters, measures, opinions, resolutions, topic_parties, topics
from shared.kernel.errors import NotFound, Stale
from shared.ledger.bulk import Inserting, updating

_FINAL = [state.value for state in FINAL]


# -- matters


_BORN = {"title": "", "state": "open"}


def note_matters(db: Connection, told: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what events tell of matters (id -> columns), whichever event of a matter comes first."""
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for matter_id in sorted(told):
        values = told[matter_id]
        born = [value for name, value in _BORN.items() if name not in values]
        groups.setdefault(tuple(values), []).append((matter_id, *values.values(), *born))
    for columns, rows in groups.items():
        _noting(columns).run(db, rows)


@lru_cache(maxsize=100)
def _noting(columns: tuple[str, ...]) -> Inserting:
    born = tuple(name for name in _BORN if name not in columns)
    return Inserting(
        table=matters, columns=("id", *columns, *born), conflict=f"ON CONFLICT (id) DO UPDATE SET {updating(columns)}"
    )


def matter(db: Connection, matter_id: str) -> Row[Any]:
    """One matter that intake has told us of. Raises NotFound."""
    row = db.execute(select(matters).where(matters.c.id == matter_id, matters.c.private.is_not(None))).one_or_none()
    if row is None:
        message = f"There is no matter {matter_id}."
        raise NotFound(
            message, code="unknown-matter", where="matter", remedy="Check the id; a new matter arrives within seconds."
        )
    return row


# -- topics


def add_topic(db: Connection, **values: Any) -> bool:
    """Store a topic; False when the matter has an open one."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    return bool(db.execute(dialect.insert(topics).values(version=1, **values).on_conflict_do_nothing()).rowcount)


def open_topic_of(db: Connection, matter_id: str) -> Row[Any] | None:
    """The matter's open topic, locked; None when it has none."""
    query = select(topics).where(topics.c.matter_id == matter_id, topics.c.state.not_in(_FINAL))
    return db.execute(query.with_for_update()).one_or_none()


def add_parties(db: Connection, topic_id: str, kinds: Sequence[tuple[str, str]]) -> None:
    """Store the parties as (id, kind)."""
    if kinds:
        db.execute(
            insert(topic_parties), [{"topic_id": topic_id, "party": party, "kind": kind} for party, kind in kinds]
        )


def topic(db: Connection, topic_id: str, *, lock: bool = False) -> Row[Any]:
    """One topic; locked so that opinions, votes and steps of one topic come one after another. Raises NotFound."""
    query = select(topics).where(topics.c.id == topic_id)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        message = f"There is no topic {topic_id}."
        raise NotFound(message, code="unknown-topic", where="topic", remedy="Check the id.")
    return row


def move_topic(db: Connection, found: Row[Any], state: str, **more: Any) -> int:
    """Bring a topic into another state; returns its new version. Raises Stale when somebody was faster."""
    done = db.execute(
        update(topics)
        .where(topics.c.id == found.id, topics.c.version == found.version)
        .values(state=state, version=topics.c.version + 1, **more)
    ).rowcount
    if not done:
        message = "Somebody changed the topic at the same moment."
        raise Stale(message, where="topic", remedy="Read it again and decide anew.")
    version: int = found.version + 1
    return version


def parties_of(db: Connection, topic_id: str) -> Sequence[Row[Any]]:
    """A topic's parties."""
    return db.execute(
        select(topic_parties).where(topic_parties.c.topic_id == topic_id).order_by(topic_parties.c.party)
    ).all()


def list_topics(
    db: Connection,
    *,
    units: Collection[str] | None,
    party: Collection[str],
    matter_id: str | None,
    state: str | None,
    before: str | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Topics, newest first: hosted by one of `units` or with one of `party` as a party; all when `units` is None."""
    query = select(topics).order_by(topics.c.id.desc()).limit(limit)
    if units is not None:
        mine = select(topic_parties.c.topic_id).where(topic_parties.c.party.in_(party))
        query = query.where(or_(topics.c.host_unit.in_(units), topics.c.id.in_(mine)))
    if matter_id is not None:
        query = query.where(topics.c.matter_id == matter_id)
    if state is not None:
        query = query.where(topics.c.state == state)
    if before is not None:
        query = query.where(topics.c.id < before)
    return db.execute(query).all()


# -- opinions


def keep_opinion(db: Connection, *, topic_id: str, author: str, **values: Any) -> str:
    """Store an author's opinion or replace the one given before; returns its id."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(opinions).values(topic_id=topic_id, author=author, **values)
    changed = {name: value for name, value in values.items() if name != "id"}
    kept: str = db.execute(
        statement.on_conflict_do_update(
            index_elements=[opinions.c.topic_id, opinions.c.author], set_=changed
        ).returning(opinions.c.id)
    ).scalar_one()
    return kept


def opinions_of(db: Connection, topic_id: str) -> Sequence[Row[Any]]:
    """Opinions of a topic without their authors, in the order of their ids."""
    columns = [opinions.c.id, opinions.c.party_kind, opinions.c.stance, opinions.c.text, opinions.c.given_at]
    return db.execute(select(*columns).where(opinions.c.topic_id == topic_id).order_by(opinions.c.id)).all()


def stances_of(db: Connection, topic_id: str) -> dict[str, int]:
    """How many opinions there are of each stance."""
    query = (
        select(opinions.c.stance, func.count().label("number"))
        .where(opinions.c.topic_id == topic_id)
        .group_by(opinions.c.stance)
    )
    return {row.stance: row.number for row in db.execute(query)}


# -- resolutions and measures


def add_resolution(db: Connection, **values: Any) -> None:
    """Store the one resolution of a topic."""
    db.execute(insert(resolutions).values(**values))


def resolution_of(db: Connection, topic_id: str) -> Row[Any] | None:
    """The topic's resolution."""
    return db.execute(select(resolutions).where(resolutions.c.topic_id == topic_id)).one_or_none()


def add_measure(db: Connection, **values: Any) -> None:
    """Store a measure."""
    db.execute(insert(measures).values(**values))


def measures_of(db: Connection, topic_id: str) -> Sequence[Row[Any]]:
    """The measures of a topic's resolution, as listed there."""
    return db.execute(select(measures).where(measures.c.topic_id == topic_id).order_by(measures.c.place)).all()


_OPEN_MEASURES = (
    select(measures)
    .where(measures.c.matter_id.in_(bindparam("matters", expanding=True)), measures.c.completed_at.is_(None))
    .order_by(measures.c.id)
)


def open_measures_of(db: Connection, matter_ids: Collection[str]) -> Sequence[Row[Any]]:
    """These matters' measures that are not completed, in a fixed order."""
    return db.execute(_OPEN_MEASURES, {"matters": list(matter_ids)}).all() if matter_ids else ()


def measure(db: Connection, topic_id: str, measure_id: str) -> Row[Any]:
    """One measure of a topic. Raises NotFound."""
    row = db.execute(select(measures).where(measures.c.id == measure_id, measures.c.topic_id == topic_id)).one_or_none()
    if row is None:
        message = f"The topic has no measure {measure_id}."
        raise NotFound(message, code="unknown-measure", where="measure", remedy="Read the topic for its measures.")
    return row


def complete_measure(db: Connection, measure_id: str, by: str, at: datetime) -> bool:
    """Mark a measure completed; False when it was before."""
    done = db.execute(
        update(measures)
        .where(measures.c.id == measure_id, measures.c.completed_at.is_(None))
        .values(completed_at=at, completed_by=by)
    )
    return bool(done.rowcount)
