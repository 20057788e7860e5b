"""What the commands share with which an operator reaches into the flow of events: who it is, why, and what is named.

Names and reasons come from a command line: they may hold signs that no database takes.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.kernel.clock import parse_local_instant, rfc3339
from shared.kernel.errors import Invalid
from shared.ledger import interventions
from shared.ledger.engines import reading
from shared.ledger.interventions import Job
from shared.runtime.application import Application

#: Longest id, characters (shared.ledger.types.Id).
_ID_LIMIT = 200

#: Every intervention says why.
reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why; kept with your name.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def who() -> str:
    """The operator, as the machine knows them."""
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # an account without a name, as in a container
        return f"operator:uid-{os.getuid()}"


def checked_id(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Callback of an option or argument that names something. Raises Invalid."""
    if value is None or (value.isprintable() and 0 < len(value) <= _ID_LIMIT):
        return value
    name = parameter.human_readable_name
    fault = f"{name} is no id: 1 to {_ID_LIMIT} printable characters."
    raise Invalid(fault, fields={name: [fault]}, remedy="Copy the id as it is listed.")


def instant_of(text: str, option: str, application: Application) -> datetime:
    """An instant that has been, as the town's people write it. Raises Invalid."""
    at_hand = application.at_hand
    try:
        instant = parse_local_instant(text, ZoneInfo(at_hand.jurisdiction.timezone))
    except ValueError as error:
        fault = f"{text!r}: {error}."
        raise Invalid(fault, fields={option: [fault]}, remedy="Write it as 2026-11-22T09:30:00+08:00.") from error
    if instant > at_hand.clock.now():
        fault = f"{rfc3339(instant)} lies in the future."
        raise Invalid(fault, fields={option: [fault]}, remedy="Give the time from which events are missing.")
    return instant


def begun(
    application: Application, kind: str, why: str, scope: dict[str, Any], console: Console, *, resume: bool
) -> Job:
    """The intervention that a long one is kept as: a new one, or that which was broken off. Raises NothingToResume."""
    if resume:
        return interventions.resume(application.at_hand, kind, scope=scope)
    with reading(application.at_hand.engine) as db:
        earlier = interventions.broken_off(db, kind, scope)
    if earlier is not None:
        console.print(
            f"(the one of {rfc3339(earlier.at)} was broken off; --resume would go on there "
            "上次未完成，可用 --resume 接续)",
            highlight=False,
        )
    return interventions.begin(application.at_hand, kind, by=who(), why=why, scope=scope)


class Advancing(Protocol):
    """Work that knows how far it has come."""

    @property
    def total(self) -> int | None:
        """How much there is to do; None: unknown."""
        ...

    @property
    def completed(self) -> int:
        """How much is done."""
        ...


@contextmanager
def advancing(console: Console, what: str, work: Advancing, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show progress while the block runs; gives the function to call whenever something was done."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task(what, total=work.total)
        yield lambda: progress.update(task, completed=work.completed, total=work.total)
