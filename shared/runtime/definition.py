"""What a service is, as data: its commands, subscriptions, due work, routes and tables.

`services/<name>/definition.py` makes one; the application runs it, whichever way the suite is started.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, dataclass_transform

from sqlalchemy import Connection, MetaData

from shared.contracts import shapes
from shared.contracts.envelope import Envelope
from shared.kernel.actor import PERMISSIONS
from shared.ledger.letters import Correspondence
from shared.ledger.read_model import ReadModel
from shared.ledger.reception import EventHandler, Observer
from shared.ledger.recovery import Retell
from shared.ledger.unit_of_work import Surroundings, UnitOfWork
from shared.runtime.metrics import ServiceMetrics

Shape = TypeVar("Shape")

_METADATA = "_gridwhistle_command"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A command's answer."""

    #: JSON-ready object.
    body: Mapping[str, Any]
    #: The changed object's version: becomes the ETag.
    version: int | None = None
    #: False when a creating command found that what was asked for exists already.
    created: bool = True


CommandHandler = Callable[[Any, UnitOfWork], Reply]


@dataclass(frozen=True, kw_only=True)
class Command:
    """One thing that can be asked of a service; the same over HTTP, in scenarios and in the CLI."""

    #: `<service>.<command>`.
    name: str
    shape: type[Any]
    #: Permission that the actor must have; None: open to everybody (the handler checks a code or token itself).
    needs: str | None
    handler: CommandHandler
    #: One line for docs, Chinese and English.
    about: str
    #: Whether the reply is kept under an Idempotency-Key. False where each request has to be judged and logged anew.
    keeps_reply: bool = True
    #: Required field by whose content a command open to everybody tells its callers apart.
    proof: str | None = None


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(
        shapes.text, shapes.ident, shapes.choice, shapes.number, shapes.whole, shapes.flag, shapes.instant,
        shapes.mapping, shapes.nested, shapes.many,
    ),
)  # fmt: skip
def command(
    name: str, *, needs: str | None, keeps_reply: bool = True, proof: str | None = None
) -> Callable[[type[Shape]], type[Shape]]:
    """Class decorator for services/*/commands.py.

    Make the shape, and note the command's name and the permission it needs; `keeps_reply` and `proof` as in Command.
    """
    _check_permission(needs, name)

    def enter(cls: type[Shape]) -> type[Shape]:
        shape = shapes.record(cls)
        setattr(shape, _METADATA, (name, needs, " ".join((cls.__doc__ or "").split()), keeps_reply, proof))
        return shape

    return enter


def _check_permission(needs: str | None, what: str) -> None:
    if needs is not None and needs not in PERMISSIONS:
        message = f"{what} needs {needs!r}, which no role grants"
        raise ValueError(message)


def commands_of(commands: ModuleType, handlers: ModuleType) -> dict[str, Command]:
    """Pair every command of a commands module with its handler: `RegisterDemand` with `register_demand`."""
    found: dict[str, Command] = {}
    for shape in vars(commands).values():
        if not (isinstance(shape, type) and _METADATA in vars(shape)):
            continue
        name, needs, about, keeps_reply, proof = vars(shape)[_METADATA]
        handler = getattr(handlers, re.sub(r"(?<!^)(?=[A-Z])", "_", shape.__name__).lower())
        found[name] = Command(
            name=name, shape=shape, needs=needs, handler=handler, about=about, keeps_reply=keeps_reply,
            proof=proof,
        )  # fmt: skip
    return found


@dataclass(frozen=True, kw_only=True)
class DueWork:
    """Time-driven work that lives in the database as due rows."""

    name: str
    #: Does at most `limit` due items, oldest first, in the given unit of work; returns how many it did. Safe to
    #: run twice.
    run: Callable[[UnitOfWork, int], int]
    #: The earliest instant at which there will be something to do, or None.
    next_due: Callable[[Connection], datetime | None]
    #: Items per transaction.
    batch: int = 100


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a claim took."""

    items: Sequence[Any]
    #: How many items were due: those that are not among `items` came to their end without being carried out. As many as
    #: could be taken at most means that there may be more.
    due: int


@dataclass(frozen=True, kw_only=True)
class OutwardWork:
    """Due work that talks to the outside (mail, SMS …), which never happens inside a transaction.

    claim, commit -> carry out, with no transaction open -> record, commit. A process killed after carrying out and
    before recording leaves a claim that runs out: the item is then carried out again. Here, and only here, exactly-once
    cannot be had; the item's id goes along as an idempotency key for an other side that can use one.
    """

    name: str
    #: Takes at most `limit` due items, oldest first, so that no other process takes them too.
    claim: Callable[[UnitOfWork, int], Taken]
    #: Does one item; raises nothing, a failure is a result too.
    carry_out: Callable[[Surroundings, Any], Any]
    #: Stores the results of some items, as (item, result).
    record: Callable[[UnitOfWork, Sequence[tuple[Any, Any]]], None]
    #: The earliest instant at which there will be something to do, or None.
    next_due: Callable[[Connection], datetime | None]
    #: Items per claim.
    batch: int = 20
    #: What several items need done once before their results may be stored, with no transaction open; returns the
    #: results, which it may change. Raises nothing.
    settle: Callable[[Surroundings, Sequence[tuple[Any, Any]]], Sequence[tuple[Any, Any]]] | None = None


@dataclass(frozen=True, kw_only=True)
class Query:
    """A read: parameters in, JSON-ready object out. Raises Refusal."""

    name: str
    run: Callable[[UnitOfWork, Mapping[str, str]], Mapping[str, Any]]
    needs: str | None
    about: str

    def __post_init__(self) -> None:
        _check_permission(self.needs, self.name)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What people are shown, or what their spreadsheet reads."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a form that people fill in becomes a command, and what they read once it is carried out.

    The command runs as every other: counted, in one transaction. A hidden field `idempotency-key` does what the header
    does for programs, so that a form sent twice counts once and is answered twice.
    """

    #: Posted fields (the first of each name) -> the command's content; what it does not know it leaves as it is.
    content: Callable[[Mapping[str, str]], dict[str, Any]]
    done: Callable[[Reply], Page]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One HTTP route: a method and path, and the command, query or page behind it.

    Path parameters (`<matter>`) become fields of the command or parameters of the query.
    """

    method: str
    path: str
    command: str | None = None
    query: Query | None = None
    #: For HTML, CSV and plain text; only looks. Raises Refusal.
    page: Callable[[UnitOfWork, Mapping[str, str]], Page] | None = None
    #: The command comes from a form in a browser instead of JSON.
    form: Form | None = None
    #: People use this route: whatever goes wrong is told as a page, in the words that the catalogue has for this area
    #: (`<area>.refused.<code>`). None: programs use it and get problem details.
    people: str | None = None
    needs: str | None = None
    #: The POST creates something: it takes an Idempotency-Key and answers 201.
    creates: bool = False
    about: str = ""

    def __post_init__(self) -> None:
        _check_permission(self.needs, f"{self.method} {self.path}")


@dataclass(frozen=True, kw_only=True)
class ServiceDefinition:
    """One service."""

    name: str
    commands: Mapping[str, Command]
    #: Event name -> handler.
    subscriptions: Mapping[str, EventHandler]
    routes: tuple[Route, ...]
    tables: MetaData
    migrations: Path
    due_work: tuple[DueWork, ...] = ()
    outward_work: tuple[OutwardWork, ...] = ()
    #: Groups of entry points whose plugins the service works with (shared.plugins.GROUPS).
    plugin_groups: tuple[str, ...] = ()
    observer: Observer | None = None
    #: How it deals with messages from outside (departments' answers); None: nobody outside writes to it.
    letters: Correspondence | None = None
    #: What departments are told because of an event; called for each when its transaction commits, and at a recovery.
    tell: Callable[[Any, UnitOfWork], None] | None = None
    #: Notes messages to departments that leave by another way than the bus, in the transaction that tells them.
    deliver: Callable[[Sequence[Envelope], UnitOfWork], None] | None = None
    #: Called once when the process starts, with the surroundings (to check the pack, load templates …).
    prepare: Callable[[Surroundings], None] | None = None
    #: Called for every event once it is committed: domain counters (`services/<name>/metrics.py`).
    observe: Callable[[Any, ServiceMetrics], None] | None = None
    #: How a transaction of which only the events are left is done again; None: nothing of the service's own can be.
    retell: Retell | None = None
    #: Called when a recovery is through.
    recovered: Callable[[Connection], None] | None = None
    #: Called at a scrape to refresh domain gauges from the database.
    refresh: Callable[[UnitOfWork, ServiceMetrics], None] | None = None
    #: What of the tables is made of events alone and can be made again (shared.ledger.rebuild).
    read_model: ReadModel | None = None

    def next_due(self, db: Connection) -> datetime | None:
        """The earliest instant at which there will be due work, or None."""
        asked = [*(due.next_due for due in self.due_work), *(outward.next_due for outward in self.outward_work)]
        instants = [next_due(db) for next_due in asked]
        return min((instant for instant in instants if instant is not None), default=None)
