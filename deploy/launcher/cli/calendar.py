"""`gridwhistle calendar due`: when a promise made at an instant falls due, and why, step by step."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.markup import escape

from deploy.launcher.installation import pack_folder
from shared import jurisdiction as packs
from shared.jurisdiction import Jurisdiction
from shared.jurisdiction.reading import parse
from shared.kernel.errors import Refusal
from shared.kernel.wording import say
from shared.kernel.worktime import BeyondCalendar, InvalidTarget, Target, parse_target


class NoSuchClock(Refusal):
    """The class promises nothing of that kind. Use one of the kinds named."""

    code = "no-such-clock"


class BadTarget(Refusal):
    """The target cannot be read or lies beyond every calendar. Correct it as the message says."""

    code = "bad-target"


@click.group("calendar")
def command() -> None:
    """Explain a due time on the working calendar 工作日历."""


@command.command("due")
@click.option("--class", "class_id", help="A response class of the pack, such as same-day.")
@click.option("--kind", default="resolve", show_default=True, help="With --class: which of its clocks.")
@click.option("--target", "text", help="A target instead, such as 'working: 4h' or 'end_of_working_day: {days: 5}'.")
@click.option("--start", help="When the clock starts, such as 2025-09-30T16:10 (local); now when left out.")
@click.option("--pack", "pack_name", default="jianwai", show_default=True, help="Whose calendar and classes.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def due(*, class_id: str | None, kind: str, text: str | None, start: str | None, pack_name: str, as_json: bool) -> int:
    """Say when a target falls due and explain it step by step 到期时间."""
    if (class_id is None) == (text is None):
        message = "give --class or --target, one of them"
        raise click.UsageError(message)
    pack = packs.load(pack_folder(pack_name))
    target = _of_class(pack, class_id, kind) if class_id is not None else _of_text(str(text))
    zone = ZoneInfo(pack.timezone)
    began = _start(start, zone)
    try:
        found = pack.calendar.due(began, target)
    except BeyondCalendar as error:
        raise BadTarget(str(error), where="--target", remedy="Give a shorter target or an earlier start.") from error
    if as_json:
        steps = [{"code": one.code, "at": _local(one.at, zone), "zh": one.zh, "en": one.en} for one in found.steps]
        content = {"start": _local(began, zone), "target": target.as_mapping(), "due_at": _local(found.at, zone)}
        click.echo(json.dumps(content | {"provisional": found.provisional, "steps": steps}, ensure_ascii=False))
        return 0
    console = Console(highlight=False)
    for step in found.steps:
        console.print(f"  {_said(step.at, zone)}  {escape(step.zh)}  [dim]{escape(step.en)}[/]")
    mark = "  [yellow]暂定 provisional: the calendar is not published that far[/]" if found.provisional else ""
    console.print(f"[bold]→ {_said(found.at, zone)}[/]{mark}")
    return 0


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
