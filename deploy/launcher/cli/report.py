"""`gridwhistle report`: the transparency report of a period, to read, as JSON or CSV, or published.

The same document that oversight publishes, made by oversight's own code on its database.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console

from deploy.launcher.choosing import application_at_hand, data_dir_option, settings_at_hand
from deploy.launcher.demo import summary
from deploy.launcher.demo.cast import actor as acting
from deploy.launcher.scenario import doors
from services.oversight.web.table import as_csv
from shared.kernel.actor import SYSTEM
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Refusal
from shared.runtime.application import Application

#: Days reported on when no period is given.
_USUAL_DAYS = 30
#: Columns of a table in a file.
_FILE_WIDTH = 140


class CannotWrite(Refusal):
    """The file cannot be written. Give another path."""

    code = "cannot-write"


@click.command("report")
@click.option("--from", "first", help="First instant, 2025-09-01 or 2025-09-01T08:00; 30 days ago when left out.")
@click.option("--to", "last", help="End, not included; now when left out.")
@click.option("--unit", help="Only what lies in this unit of the pack.")
@click.option(
    "--format", "shape", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="How to print it.",
)  # fmt: skip
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it into a file.")
@click.option(
    "--publish-as", metavar="PERSON", help="Publish it as this person of the pack: it gets a page, and is in the trace."
)
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
def command(
    *,
    first: str | None,
    last: str | None,
    unit: str | None,
    shape: str,
    output: Path | None,
    publish_as: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Make the transparency report of a period 公开报告."""
    oversight = application_at_hand("oversight", settings_at_hand(data_dir))
    zone = ZoneInfo(oversight.at_hand.jurisdiction.timezone)
    end = _instant(last, zone, "--to") or oversight.at_hand.clock.now()
    start = _instant(first, zone, "--from") or end - timedelta(days=_USUAL_DAYS)
    period = {"period_from": rfc3339(start), "period_to": rfc3339(end)}
    route = doors.route_of(oversight.definition, path=doors.REPORT)
    if route.query is None:
        raise doors.NoSuchDoor(doors.REPORT)
    found = oversight.ask(route.query, period | ({"unit": unit} if unit else {}), SYSTEM)
    if publish_as is not None:
        _publish(oversight, period, unit, publish_as)  # first: who may not is told so, and nothing else
    shape = "json" if as_json else shape
    if shape == "table" and output is None:
        Console(highlight=False).print(summary.figures(found))
    else:
        _write(_content(found, shape), output)
    return 0


def _publish(oversight: Application, period: dict[str, str], unit: str | None, person: str) -> None:
    actor = acting(oversight.at_hand.jurisdiction.person(person))
    reply = oversight.execute("oversight.publish-report", {**period, "unit": unit}, actor)
    click.echo(f"published 已公开: {reply.body['html']}", err=True)


def _instant(text: str | None, zone: ZoneInfo, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is no date or instant; write it like 2025-09-01 or 2025-09-01T08:00"
        raise click.BadParameter(message, param_hint=option) from error
    return given if given.tzinfo is not None else given.replace(tzinfo=zone)


def _content(found: Mapping[str, Any], shape: str) -> bytes:
    if shape == "csv":
        table: bytes = as_csv(found)
        return table
    if shape == "json":
        return json.dumps(found, ensure_ascii=False, indent=2).encode() + b"\n"
    shown = io.StringIO()
    Console(highlight=False, file=shown, width=_FILE_WIDTH).print(summary.figures(found))
    return shown.getvalue().encode()


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(content, nl=False)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise CannotWrite(f"{output} cannot be written: {error.strerror}.", where="--output") from error
