"""What the commands share with which an operator reaches into the flow of events: who it is, why, and what is named.

Names and reasons come from a command line: they may hold signs that no database takes.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.kernel.errors import Invalid

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
