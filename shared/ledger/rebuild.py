"""Rebuild: a service's read tables are compared with the events and mended, matter by matter, while everything runs.

    events of some matters from the trace -> the same tables made anew in memory -> compare with those there are
    -> what differs is looked at again while the service handles nothing, and mended in that transaction

What is right is not touched and nobody waits for it. A matter that differs may be wrong, or merely have gone on since
it was read; so it is judged again with the service's stream positions locked: live consumers wait for as long as that
transaction lasts, commands go on. Afterwards the rows are what a service would have that heard the same events from the
beginning. Killed at any instant it leaves whole matters behind; run again it finds less to do. It must never do what
handlers do beside: no event is emitted and no letter written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, and_, bindparam, delete, select, text, update

from shared.contracts.topology import LISTENS
from shared.ledger import inbox, interventions, quarantine
from shared.ledger.beyond import Beyond
from shared.ledger.dialects import upsert
from shared.ledger.engines import reading
from shared.ledger.interventions import DONE, Job
from shared.ledger.read_model import Key, Past, ReadModel, ReadTable, Repair, Scratch, Values, compare
from shared.ledger.unit_of_work import Surroundings, unit_of_work

#: Matters compared at once, and mended in one transaction.
_COMPARED, _MENDED = 200, 50


class History(Protocol):
    """The events that happened, by matter: the trace. Its functions take a connection to the database it lies in."""

    #: The service it belongs to.
    owner: str

    def subjects(self, db: Connection, after: str, until: str, limit: int) -> Sequence[str]:
        """What events are about, in the database's order, behind `after` and up to `until`."""
        ...

    def last_subject(self, db: Connection) -> str:
        """The last of them; empty when there is none."""
        ...

    def unknown(self, db: Connection, subjects: Sequence[str]) -> list[str]:
        """Those of these that no event is about."""
        ...

    def of(self, db: Connection, subjects: Sequence[str], types: set[str], after: int) -> Sequence[Past]:
        """The events about these matters stored behind a position, in order."""
        ...

    def head(self, db: Connection) -> int:
        """The position of the last event."""
        ...

    def holds(self, db: Connection, message_ids: Sequence[str]) -> set[str]:
        """Which of these messages are in it."""
        ...


@dataclass(kw_only=True)
class Findings:
    """What a rebuild has done so far."""

    #: Where it stands: the last matter of the trace that is done.
    done: str = ""
    matters: int = 0
    events: int = 0
    #: Matters of which something was wrong.
    wrong: int = 0
    #: Table -> rows.
    put_back: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    #: Rows that only commands make and that are not there.
    missing: Counter[str] = field(default_factory=Counter)

    def as_detail(self) -> dict[str, Any]:
        """As an intervention keeps it."""
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}

    @classmethod
    def from_detail(cls, detail: Mapping[str, Any]) -> Findings:
        """As an intervention kept it."""
        found = cls()
        for name, value in vars(found).items():
            kept = detail.get(name, value)
            setattr(found, name, Counter(kept) if isinstance(kept, dict) else kept)
        return found

    def add(self, repair: Repair) -> None:
        """Count what one table needed."""
        name = repair.table.table.name
        for counter, number in (
            (self.put_back, len(repair.put_back)), (self.mended, len(repair.mended)),
            (self.removed, len(repair.removed)), (self.missing, repair.missing),
        ):  # fmt: skip
            if number:
                counter[name] += number


@dataclass(frozen=True, kw_only=True)
class Databases:
    """Where everything lies."""

    history: History
    #: Service -> its database; that of the rebuilt service is its own engine.
    engines: Mapping[str, Engine]


class Rebuild:
    """One rebuild of one service's read tables."""

    def __init__(
        self, at_hand: Surroundings, model: ReadModel, databases: Databases, *, job: Job | None, mend: bool = True
    ) -> None:
        """`job`: the intervention it is done for. Without `mend` it only says what is wrong, and has none."""
        self._at_hand, self._model, self._databases = at_hand, model, databases
        self._service, self._history = at_hand.service, databases.history
        self._job, self._mend = job, mend
        self._types = model.types()
        self._scratch = Scratch(model, at_hand)
        self._discarded: set[str] = set()
        kinds = dict(LISTENS[self._service])
        if self._service == self._history.owner:
            kinds = {self._service: ("*",)}  # of others it has handled what is in the trace, and nothing else
        self._beyond = Beyond(kinds, self._types)
        self.findings = Findings.from_detail(job.before) if job is not None else Findings()
        self.total: int | None = None

    @property
    def completed(self) -> int:
        """Matters looked at."""
        return self.findings.matters

    def run(self, progress: Callable[[], None] = lambda: None, *, matter: str | None = None) -> Findings:
        """Compare and mend everything, or one matter. Raises DBAPIError when a database goes away: resume later."""
        try:
            self._begin()
            for batch in [[matter]] if matter is not None else self._batches():
                self._do(batch)
                progress()
            if self._job is not None:
                self._job.save_now(self.findings.as_detail(), state=DONE)
        finally:
            self._scratch.close()
        return self.findings

    def _begin(self) -> None:
        with reading(self._at_hand.engine) as db:
            self._discarded = quarantine.discarded(db, self._service) | interventions.discarded(db)
        for source in self._beyond.kinds:
            with self._connected(source) as there:
                same = source == self._history.owner
                with nullcontext(there) if same else self._connected(self._history.owner) as keeper:
                    self._beyond.begin(source, there, keeper)

    # -- which matters -------------------------------------------------------------------------------------------

    def _batches(self) -> Iterator[Sequence[str]]:
        """Every matter: those in the trace, those only in the tables, and those only on their way."""
        with self._looking() as (_, keeper):
            last = self._history.last_subject(keeper)
        while True:
            with self._looking() as (_, keeper):
                batch = self._history.subjects(keeper, self.findings.done, last, _COMPARED)
            if not batch:
                break
            yield batch
            self.findings.done = batch[-1]
        for table in self._model.tables:
            yield from self._strangers(table)
        on_their_way = self._beyond.subjects()
        for start in range(0, len(on_their_way), _COMPARED):
            yield on_their_way[start : start + _COMPARED]

    def _strangers(self, table: ReadTable) -> Iterator[Sequence[str]]:
        """Matters that rows are about and no event in the trace."""
        after = ""
        while True:
            query = select(table.matter).where(table.matter > after).distinct().order_by(table.matter)
            with self._looking() as (db, keeper):
                named = db.execute(query.limit(_COMPARED)).scalars().all()
                strangers = self._history.unknown(keeper, named)
            if strangers:
                yield strangers
            if not named:
                return
            after = named[-1]

    # -- some matters --------------------------------------------------------------------------------------------

    def _do(self, matters: Sequence[str]) -> None:
        self._scratch.empty()
        with self._looking() as (db, keeper):
            until = self._history.head(keeper)
            past = [*self._history.of(keeper, matters, self._types, 0), *self._beyond.about(matters)]
            counted, waiting = self._sorted(db, past)
        # No transaction is open meanwhile: PostgreSQL ends one that idles.
        # The trace has no order between streams: what others tell may stand before what the service's rows began with.
        self.findings.events += self._scratch.apply(sorted(counted, key=lambda one: not self._is_own(one)))
        made = [table.rows(self._scratch.db, matters, real=False) for table in self._model.tables]
        with reading(self._at_hand.engine) as db:
            found = [table.rows(db, matters, real=True) for table in self._model.tables]
        wrong = sorted(set().union(*(repair.matters for repair in self._repairs(made, found))))
        if wrong:
            self._look()
        for start in range(0, len(wrong), _MENDED):
            self._mend_some(wrong[start : start + _MENDED], waiting, until)
        self.findings.matters += len(matters)
        if self._job is not None:
            self._job.save_now(self.findings.as_detail())

    def _mend_some(self, matters: Sequence[str], waiting: Sequence[Past], until: int) -> None:
        """Judge matters again that seemed wrong, while the service handles no event, and mend those that are."""
        with unit_of_work(self._at_hand) as work:
            db = work.db
            _hold_up(db)
            found = [table.rows(db, matters, real=True, lock=True) for table in self._model.tables]
            # Only now, so that what commands have told before those rows were locked is seen; and what is on its way
            # before the trace, so that nothing slips through between the two.
            self._look(db)
            late = self._beyond.about(matters)
            with self._connected(self._history.owner, db) as keeper:
                stored = self._history.of(keeper, matters, self._types, until)
                self._beyond.forget(lambda ids: self._history.holds(keeper, ids))
            mine = set(matters)
            new = [*(event for event in waiting if event.subject in mine), *stored, *late]
            counted, _ = self._sorted(db, new)
            self.findings.events += self._scratch.apply(
                sorted(counted, key=lambda one: (not self._is_own(one), one.stream, one.stream_version))
            )
            made = [table.rows(self._scratch.db, matters, real=False) for table in self._model.tables]
            repairs = self._repairs(made, found)
            wrong = set().union(*(repair.matters for repair in repairs))
            if self._mend:
                for repair in repairs:
                    _write(db, repair)
            for repair in repairs:
                self.findings.add(repair)
            self.findings.wrong += len(wrong)
            if self._job is not None:
                self._job.save(work, self.findings.as_detail())
            if self._mend:
                work.commit()

    def _repairs(self, made: Sequence[Mapping[Key, Values]], found: Sequence[Mapping[Key, Values]]) -> list[Repair]:
        tables = zip(self._model.tables, made, found, strict=True)
        return [repair for table, should, there in tables if (repair := compare(table, should, there))]

    def _look(self, own: Connection | None = None) -> None:
        """See what was told since; first without, then with the service held up, so that it is held up shortly."""
        for source in self._beyond.kinds:
            with self._connected(source, own) as there:
                self._beyond.look(source, there)

    def _sorted(self, db: Connection, past: Sequence[Past]) -> tuple[list[Past], list[Past]]:
        """Events that count for the service as it stands, and those that it has yet to handle.

        Its own count as soon as they are told: what they tell of was written with them.
        """
        positions = inbox.positions(db, self._service, {event.stream for event in past})
        counted: list[Past] = []
        waiting: list[Past] = []
        for event in past:
            if event.message_id in self._discarded:
                continue
            if self._is_own(event) or 0 < event.stream_version <= positions.get(event.stream, 0):
                counted.append(event)
            else:
                waiting.append(event)
        return counted, waiting

    def _is_own(self, event: Past) -> bool:
        return event.stream.startswith(f"{self._service}.")

    # -- databases -----------------------------------------------------------------------------------------------

    @contextmanager
    def _looking(self) -> Iterator[tuple[Connection, Connection]]:
        """The service's database and the trace's."""
        with reading(self._at_hand.engine) as db, self._connected(self._history.owner, db) as keeper:
            yield db, keeper

    def _connected(self, service: str, own: Connection | None = None) -> Any:
        """A service's database; of the rebuilt service the connection that is open already, if any."""
        if service != self._service:
            return reading(self._databases.engines[service])
        return reading(self._at_hand.engine) if own is None else nullcontext(own)


def _hold_up(db: Connection) -> None:
    """Let no event be handled until the transaction ends; who handles one now is waited for.

    Every reception begins by locking its stream's position. SQLite has one writer at a time anyway.
    """
    if db.dialect.name == "postgresql":
        db.execute(text("LOCK TABLE stream_positions IN EXCLUSIVE MODE"))


def _write(db: Connection, repair: Repair) -> None:
    table = repair.table.table
    if repair.removed:
        db.execute(delete(table).where(_keyed(repair.table)), [_bound(repair.table, key) for key in repair.removed])
    for key, values in repair.mended:
        db.execute(update(table).where(_keyed(repair.table)).values(values), _bound(repair.table, key))
    if repair.put_back:
        db.execute(upsert(db.dialect.name, table).on_conflict_do_nothing(), repair.put_back)


def _keyed(table: ReadTable) -> Any:
    return and_(*[column == bindparam(f"key_{column.name}") for column in table.key])


def _bound(table: ReadTable, key: Key) -> Values:
    return {f"key_{column.name}": value for column, value in zip(table.key, key, strict=True)}
