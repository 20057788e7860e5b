"""`gridwhistle calendar`: when a promise falls due and why, step by step; and a new year for a running suite."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.markup import escape

from deploy.launcher import year_file as year_files
from deploy.launcher.choosing import data_dir_option
from deploy.launcher.client import SuiteClient, whom_to_ask
from deploy.launcher.installation import pack_folder
from shared import jurisdiction as packs
from shared.jurisdiction import Jurisdiction
from shared.jurisdiction.reading import parse
from shared.kernel.errors import Refusal
from shared.kernel.provisional import notice, require_certain
from shared.kernel.wording import say
from shared.kernel.worktime import (
    BeyondCalendar,
    InvalidCalendar,
    InvalidTarget,
    Target,
    WorkingCalendar,
    check_year,
    parse_target,
)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
#: Seconds to wait for an address that has never answered.
_PATIENCE_S = 10


class NoSuchClock(Refusal):
    """The class promises nothing of that kind. Use one of the kinds named."""

    code = "no-such-clock"


class BadTarget(Refusal):
    """The target cannot be read or lies beyond every calendar. Correct it as the message says."""

    code = "bad-target"


@click.group("calendar")
def command() -> None:
    """Explain a due time, or take a year of the working calendar in 工作日历."""


@command.command("due")
@click.option("--class", "class_id", help="A response class of the pack, such as same-day.")
@click.option("--kind", default="resolve", show_default=True, help="With --class: which of its clocks.")
@click.option("--target", "text", help="A target instead, such as 'working: 4h' or 'end_of_working_day: {days: 5}'.")
@click.option("--start", help="When the clock starts, such as 2025-09-30T16:10 (local); now when left out.")
@click.option("--extended", type=click.IntRange(0, 366), default=0, help="Working days granted on top 延期.")
@click.option("--rest", "rests", multiple=True, metavar="FROM/TO", help="A suspension 挂账, two instants. Repeatable.")
@click.option("--with", "year_file", type=_FILE, help="As if this year's file had been imported.")
@click.option("--pack", "pack_name", default="jianwai", show_default=True, help="Whose calendar and classes.")
@click.option("--strict", is_flag=True, help="Refuse a due time that is not certain yet 不接受暂定时限.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def due(  # noqa: PLR0913 -- one parameter per option
    *,
    class_id: str | None,
    kind: str,
    text: str | None,
    start: str | None,
    extended: int,
    rests: tuple[str, ...],
    year_file: Path | None,
    pack_name: str,
    strict: bool,
    as_json: bool,
) -> int:
    """Say when a target falls due and explain it step by step 到期时间."""
    if (class_id is None) == (text is None):
        message = "give --class or --target, one of them"
        raise click.UsageError(message)
    pack = packs.load(pack_folder(pack_name))
    target = _of_class(pack, class_id, kind) if class_id is not None else _of_text(str(text))
    calendar = _calendar(pack, class_id, year_file)
    zone = ZoneInfo(calendar.timezone)
    began = _start(start, zone)
    pauses = [_rest(one, zone) for one in rests]
    try:
        found = calendar.due(began, target, pauses, extended=extended)
    except BeyondCalendar as error:
        raise BadTarget(str(error), where="--target", remedy="Give a shorter target or an earlier start.") from error
    if strict:
        require_certain(calendar, found, began, where="--start")
    said = notice(calendar, found.at, began) if found.provisional else None
    if as_json:
        steps = [{"code": one.code, "at": _local(one.at, zone), "zh": one.zh, "en": one.en} for one in found.steps]
        content = {"start": _local(began, zone), "target": target.as_mapping(), "due_at": _local(found.at, zone)}
        sure = {"provisional": found.provisional, "provisional_year": said, "steps": steps}
        click.echo(json.dumps(content | sure, ensure_ascii=False))
        return 0
    console = Console(highlight=False)
    for step in found.steps:
        console.print(f"  {_said(step.at, zone)}  {escape(step.zh)}  [dim]{escape(step.en)}[/]")
    mark = "  [yellow]暂定 provisional[/]" if said else ""
    console.print(f"[bold]→ {_said(found.at, zone)}[/]{mark}")
    if said:
        console.print(f"  [yellow]{escape(said['zh'])}[/]  [dim]{escape(said['en'])}  \\[{said['code']}][/]")
    return 0


@command.command("import")
@click.argument("file", type=_FILE)
@click.option("--year", type=click.IntRange(1971, 2199), help="Which year, of a file with several.")
@click.option("--source", help="Number and title of the notice 文号; the file's own when left out.")
@click.option("--calendar", default="cn", show_default=True, help="National table that the pack builds on.")
@click.option("--url", help="Address of dispatch; the installation's when left out.")
@click.option(
    "--token", envvar="GRIDWHISTLE_TOKEN", help="Bearer token; made from the installation's secret when left out."
)
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def import_year(
    *,
    file: Path,
    year: int | None,
    source: str | None,
    calendar: str,
    url: str | None,
    token: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Take a year in, or its correction; open clocks are counted anew, each change an event 导入工作日历."""
    found = year_files.read(file, year)
    origin = (source or found.source).strip()
    if not origin:
        message = "name the notice with --source, or as `source` in the file"
        raise click.UsageError(message)
    address, bearer = whom_to_ask("dispatch", url, token, data_dir)
    client = SuiteClient({"dispatch": address}, bearer, first_patience=_PATIENCE_S)
    body = {
        "calendar": calendar, "year": found.year, "source": origin, "days_off": list(found.days_off),
        "makeup_days": list(found.makeup_days),
    }  # fmt: skip
    answer = client.post("dispatch", "/api/v1/calendar/years", body)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return 0
    click.echo(
        f"{answer['year']} 年工作日历已导入，版次 {answer['revision']}；未结计时随即重算 "
        f"taken in as revision {answer['revision']}; open clocks are being counted anew"
    )
    return 0


def _calendar(pack: Jurisdiction, class_id: str | None, year_file: Path | None) -> WorkingCalendar:
    name = "" if class_id is None else pack.policy.response_class(class_id).calendar or ""
    if year_file is None:
        return pack.calendars[name]
    plan, published = pack.plans[name], year_files.read(year_file).published()
    try:
        check_year(plan.national, published.year, published.days_off, published.makeup_days)
    except InvalidCalendar as error:
        raise year_files.BadYearFile(f"{error.where}: {error.what}.", where="--with", remedy=error.remedy) from error
    return plan.calendar([published])


def _rest(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    begin, _, end = text.partition("/")
    first, last = _start(begin, zone), _start(end, zone)
    if last < first:
        message = f"{text!r} ends before it begins"
        raise click.BadParameter(message, param_hint="--rest")
    return first, last


def _of_class(pack: Jurisdiction, class_id: str, kind: str) -> Target:
    clocks = pack.policy.response_class(class_id).clocks
    if kind not in clocks:
        raise NoSuchClock(f"{class_id} has no clock {kind!r}.", where="--kind", remedy=f"One of: {', '.join(clocks)}.")
    return clocks[kind]


def _of_text(text: str) -> Target:
    value, problem = parse(text.encode(), "--target")
    if problem is not None:
        raise BadTarget(problem.what, where="--target", remedy=problem.remedy)
    try:
        return parse_target(value)
    except InvalidTarget as error:
        raise BadTarget(str(error), where="--target", remedy="Write it like 'working: 4h' or 'elapsed: 2h'.") from error


def _start(text: str | None, zone: ZoneInfo) -> datetime:
    if text is None:
        return datetime.now(zone)
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is no instant; write it like 2025-09-30T16:10"
        raise click.BadParameter(message, param_hint="--start") from error
    return given if given.tzinfo is not None else given.replace(tzinfo=zone)


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).isoformat()


def _said(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {say(f'value.weekday.{local.weekday()}')}"
