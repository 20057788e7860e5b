"""`gridwhistle verify-trace`: recompute the hash chain of the trace and name the first row that is not what it was.

Changes nothing. `--export` writes the trace for somebody who checks it with the script of deploy/examples alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
from sqlalchemy import Connection, Engine, select

from deploy.launcher.choosing import application_at_hand, data_dir_option, settings_at_hand
from services.oversight import tables
from services.oversight.domain.chain import VerifyResult
from services.oversight.repository import trace
from shared.kernel.errors import Invalid, Refusal
from shared.ledger.engines import reading

_HASH = re.compile(r"[0-9a-f]{64}")


class BeyondEnd(Invalid):
    """The trace is not that long. Give a position that it has."""

    code = "beyond-the-end"


class CannotWrite(Refusal):
    """The file cannot be written. Give another path."""

    code = "cannot-write"


def _a_hash(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """A typing error must not look like a rewritten trace."""
    if value is None or _HASH.fullmatch(value.strip().lower()):
        return None if value is None else value.strip().lower()
    message = f"{value!r} is no hash of the trace: 64 signs 0-9 and a-f, as verify-trace prints it"
    raise click.BadParameter(message)


@click.command("verify-trace")
@click.option(
    "--from", "start", type=click.IntRange(min=0), default=0, metavar="POSITION",
    help="Take the row at this position as good (checked earlier) and start behind it.",
)  # fmt: skip
@click.option(
    "--head", metavar="HASH", callback=_a_hash, help="The chain must end in, or go through, this hash noted earlier."
)
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Also write the trace as JSON lines; it holds residents' words.",
)  # fmt: skip
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, start: int, head: str | None, export: Path | None, data_dir: Path | None, as_json: bool) -> int:
    """Verify the hash chain of the trace; exit 1 when a row was changed 校验留痕链."""
    oversight = application_at_hand("oversight", settings_at_hand(data_dir))
    with reading(oversight.at_hand.engine) as db:
        _check_start(trace.head(db).position, start)
        result = trace.verify(db, start)
        known = head is None or _has_hash(db, head)
    if export is not None:
        _export(oversight.at_hand.engine, export, start)
    good = result.ok and known
    if as_json:
        click.echo(json.dumps(_content(result, head_found=known)))
        return 0 if good else 1
    if not result.ok:
        before = f"{result.rows} rows before it are good"
        click.echo(f"FAILED 校验失败: row 第 {result.first_bad} 条: {result.why} ({before})", err=True)
    elif not known:
        click.echo(f"FAILED 校验失败: no row has the hash {head}: the trace was rewritten since it was noted", err=True)
    else:
        click.echo(f"ok 校验通过: {result.rows} rows, head {result.head.position} {result.head.hash}")
    return 0 if good else 1


def _check_start(last: int, start: int) -> None:
    if start > last:
        fault = f"The trace has {last} rows; {start} lies beyond them."
        raise BeyondEnd(fault, fields={"--from": [fault]}, remedy="Give a position up to the last one.")


def _content(result: VerifyResult, *, head_found: bool) -> dict[str, object]:
    return {
        "ok": result.ok and head_found, "rows": result.rows, "first_bad": result.first_bad, "why": result.why,
        "head": {"position": result.head.position, "hash": result.head.hash}, "head_found": head_found,
    }  # fmt: skip


def _has_hash(db: Connection, link: str) -> bool:
    return db.execute(select(tables.trace.c.position).where(tables.trace.c.hash == link)).first() is not None


def _export(engine: Engine, path: Path, start: int) -> None:
    try:
        # A stranger's eyes are not meant: the words in it are those of residents.
        path.touch(mode=0o600)
        with path.open("wb") as file, reading(engine) as db:
            for line in trace.export(db, start):
                file.write(line)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}.", where="--export") from error
