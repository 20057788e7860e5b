"""SQL of work lists 待办列表: matters of a territory, a unit or a person, the next due first; reads only.

A page costs the same however many matters there are and however few fit: at most `WINDOW` matters in the order of the
list are looked at for one page. A page may therefore be shorter than asked for and still have a next one. Pages are
continued behind (due instant, id) of the last matter looked at, so that rows which come and go meanwhile neither move
nor repeat the others. A band is a comparison of instants, so no scan is needed to keep it right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, text, true

from services.dispatch.domain.clocks import Band
from services.dispatch.domain.matter import NEVER
from services.dispatch.domain.states import State
from services.dispatch.tables import matter_scopes, matters

#: Matters of a unit that are rather sorted for its list than looked for among all; a few pages are read for each.
_FEW = 10_000
#: Matters looked at for one page, at most.
WINDOW = 1_000
_ENDED = (State.CLOSED.value, State.WITHDRAWN.value)
#: Word for word the condition of ix_matters_open: only so do both databases see that it fits.
_IS_OPEN = text("matters.state <> 'closed' AND matters.state <> 'withdrawn'")

Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterFilter:
    """Which matters a list shows; None: any."""

    #: Whose matters: of this unit and all below it.
    unit: str
    #: The unit, level and person responsible now.
    responsible: str | None = None
    #: The responsible unit lies in `unit`: whatever it has in hand, `unit` sees.
    within: bool = False
    level: str | None = None
    person: str | None = None
    state: str | None = None
    #: Still worked on, or no longer.
    open: bool | None = None
    response_class: str | None = None
    category: str | None = None
    band: str | None = None
    due_before: datetime | None = None
    #: Whether private matters are shown too.
    private: bool = False


class MatterPage(NamedTuple):
    """Some matters, and where the list goes on; None: it ends here."""

    rows: Sequence[Row[Any]]
    following: Place | None


def matters_by_due(db: Connection, which: MatterFilter, now: datetime, after: Place | None, limit: int) -> MatterPage:
    """Matters sorted by their next due instant, those without a running clock last; the page behind `after`."""
    running = _running(which, now, after)
    if running is not None:
        page = _page(db, running, limit)
        if page.following is not None:
            return page
    return _page(db, _window(db, which, now, after), limit)


def _running(which: MatterFilter, now: datetime, after: Place | None) -> Select[Any] | None:
    """The matters of a unit that have a running clock, by an index in the list's order; None: it does not serve."""
    asks_for_state = which.state is not None or which.band == Band.PAUSED or which.open is False
    if which.person is not None or which.responsible is not None or asks_for_state:
        return None
    due, key = matter_scopes.c.due_at, matter_scopes.c.matter_id
    query = (
        select(due, matters.c.id, and_(true(), *_conditions(which, now)).label("fits"))
        .join(matters, matters.c.id == key)
        .where(matter_scopes.c.unit == which.unit, due < NEVER)
        .order_by(due, key)
    )
    return query.where(*_instants(which, now, after, due, key))


def _page(db: Connection, looked_at: Select[Any], limit: int) -> MatterPage:
    window = looked_at.limit(WINDOW).subquery("looked")
    order = (window.c.due_at, window.c.id)
    place = func.row_number().over(order_by=order)
    numbered = select(*order, window.c.fits, (place == WINDOW).label("ends")).subquery("numbered")
    # One more than asked for, to know whether there is a next page; and the last one looked at, to go on behind it.
    picked = (
        select(numbered)
        .where(or_(numbered.c.fits, numbered.c.ends))
        .order_by(numbered.c.due_at, numbered.c.id)
        .limit(limit + 1)
        .subquery("picked")
    )
    found = db.execute(
        select(matters, picked.c.fits.label("fits"), picked.c.ends.label("ends"))
        .join(picked, picked.c.id == matters.c.id)
        .order_by(picked.c.due_at, picked.c.id)
    ).all()
    more = len(found) > limit
    # Where the next page begins: behind the last one shown, else behind the last one looked at, if that was not all.
    end = found[limit - 1] if more else next((row for row in found[-1:] if row.ends), None)
    return MatterPage([row for row in found[:limit] if row.fits], None if end is None else (end.due_at, end.id))


def _window(db: Connection, which: MatterFilter, now: datetime, after: Place | None) -> Select[Any]:
    """The matters looked at, in the list's order: chosen only by what an index finds in that order."""
    query: Select[Any] = _seen_by(db, which).order_by(matters.c.due_at, matters.c.id)
    query = query.add_columns(and_(true(), *_conditions(which, now)).label("fits"))
    state = State.SUSPENDED.value if which.band == Band.PAUSED else which.state
    ended = state in _ENDED or which.open is False
    if ended:
        query = query.where(matters.c.due_at >= NEVER)  # what has ended has no clock that runs
    elif state is not None:
        query = query.where(matters.c.state == state)
    elif which.open or which.band is not None:
        query = query.where(_IS_OPEN)
    return query.where(*_instants(which, now, after, matters.c.due_at, matters.c.id))


def _instants(
    which: MatterFilter, now: datetime, after: Place | None, due: ColumnElement[datetime], key: ColumnElement[str]
) -> list[ColumnElement[bool]]:
    """What band, limit and page say of the due instant."""
    found: list[ColumnElement[bool]] = []
    if which.band in (Band.OVERDUE, Band.GROSSLY_OVERDUE):
        found.append(due < now)
    elif which.band in (Band.OK, Band.DUE_SOON):
        found.append(due >= now)
    if which.due_before is not None:
        found.append(due < which.due_before)
    if after is not None:
        due_at, matter_id = after
        # The first part lets an index begin at the right place; the second is exact.
        found += [due >= due_at, or_(due > due_at, and_(due == due_at, key > matter_id))]
    return found


def _seen_by(db: Connection, which: MatterFilter) -> Select[Any]:
    place = select(matters.c.due_at, matters.c.id)
    scope = (matter_scopes.c.matter_id == matters.c.id, matter_scopes.c.unit == which.unit)
    if which.person is not None or which.responsible is not None:
        # Few, and by an index of their own.
        query = place if which.within else place.join(matter_scopes, scope[0]).where(scope[1])
        if which.person is not None:
            query = query.where(matters.c.person == which.person)
        return query if which.responsible is None else query.where(matters.c.unit == which.responsible)
    # PostgreSQL walks the matters by their due instant until the page is full: a few pages for a street that sees
    # them all, every matter there ever was for a grid that sees few. Of few, theirs are taken first and then sorted.
    mine = select(matter_scopes.c.matter_id).where(matter_scopes.c.unit == which.unit)
    counted = select(func.count()).select_from(mine.limit(_FEW + 1).subquery())
    if db.execute(counted).scalar_one() > _FEW:
        return place.join(matter_scopes, scope[0]).where(scope[1])
    few = mine.cte("mine").prefix_with("MATERIALIZED", dialect="postgresql")
    return place.join(few, few.c.matter_id == matters.c.id)


def _conditions(which: MatterFilter, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    columns = ((matters.c.level, which.level), (matters.c.response_class, which.response_class),
               (matters.c.category, which.category), (matters.c.state, which.state))  # fmt: skip
    found += [column == value for column, value in columns if value is not None]
    if which.open is not None:
        found.append(matters.c.state.not_in(_ENDED) if which.open else matters.c.state.in_(_ENDED))
    if which.band is not None:
        found.append(_in_band(which.band, now))
    if not which.private:
        found.append(matters.c.private.is_(False))
    return found


def _in_band(band: str, now: datetime) -> ColumnElement[bool]:
    if band == Band.PAUSED:
        return matters.c.state == State.SUSPENDED.value
    # Due before or after now: so says the window.
    running = matters.c.state.not_in([*_ENDED, State.SUSPENDED.value])
    if band == Band.GROSSLY_OVERDUE:
        return and_(running, matters.c.gross_at <= now)
    if band == Band.OVERDUE:
        return and_(running, matters.c.gross_at > now)
    return and_(running, matters.c.soon_at <= now if band == Band.DUE_SOON else matters.c.soon_at > now)
