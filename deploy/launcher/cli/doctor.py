"""`gridwhistle doctor`: looks for what is wrong with this installation, one clear line each: ok, warn or fail.

Looks only; changes nothing. Every line that is not ok says what to do. Exit 1 when something fails.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from deploy.launcher import services
from deploy.launcher.choosing import data_dir_option, settings_at_hand
from services.dispatch import calendars
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.jurisdiction import Jurisdiction
from shared.kernel.clock import Clock
from shared.kernel.errors import Misconfigured
from shared.kernel.worktime import WorkingCalendar
from shared.ledger import outbox, parking, quarantine
from shared.ledger.engines import open_engine, reading
from shared.ledger.errors import Transient
from shared.ledger.migrate import pending
from shared.plugins import GROUPS, PluginSettings, load
from shared.runtime.settings import Settings
from shared.runtime.setup import clock_of
from shared.wire import drift, inspection
from shared.wire.connection import BrokerAway

#: Age of the oldest unpublished event from which somebody should look.
_OUTBOX_OLD = timedelta(minutes=1)
#: The working calendar should reach this far.
_CALENDAR_AHEAD = timedelta(days=60)
_OWNER_ONLY = 0o077

_MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[bold red]fail[/]"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line."""

    #: ok, warn or fail.
    level: str
    #: What was looked at.
    about: str
    what: str
    remedy: str = ""


@click.command("doctor")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(*, data_dir: Path | None, as_json: bool) -> int:
    """Look for what is wrong with this installation 体检."""
    findings = list(_examine(data_dir))
    if as_json:
        click.echo(json.dumps({"findings": [vars(one) for one in findings]}, ensure_ascii=False))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for one in findings:
            console.print(f"{_MARKS[one.level]} {escape(one.about)}: {escape(one.what)}")
            if one.remedy:
                console.print(f"       → {escape(one.remedy)}")
    return 1 if any(one.level == "fail" for one in findings) else 0


def _examine(data_dir: Path | None) -> Iterator[Finding]:
    try:
        settings = settings_at_hand(data_dir)
    except Misconfigured as error:
        remedy = "docs/operations.md lists every setting; to try the suite: gridwhistle demo"
        yield Finding(level="fail", about="settings 配置", what=str(error), remedy=remedy)
        yield from _plugins(PluginSettings(data_dir=Path("var")))
        return
    yield Finding(level="ok", about="settings 配置", what="complete")
    yield from _folder(settings)
    clock = clock_of(settings)
    try:
        pack = packs.load(Path(settings.jurisdiction))
    except Misconfigured as error:
        remedy = f"gridwhistle jurisdiction lint {settings.jurisdiction}"
        yield Finding(level="fail", about="pack 辖区包", what=str(error).splitlines()[0], remedy=remedy)
    else:
        yield from _pack(pack)
        yield _calendar(_in_force(pack, settings), clock)
    for name in SERVICES:
        yield from _database(name, settings, clock)
    yield from _broker(settings)
    yield from _plugins(PluginSettings(data_dir=settings.data_dir, smtp_url=settings.smtp_url))


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    about = "data folder 数据目录"
    if not folder.is_dir():
        remedy = "It is made when the suite starts."
        yield Finding(level="warn", about=about, what=f"{folder} is not there yet", remedy=remedy)
        return
    if not os.access(folder, os.W_OK):
        remedy = "Give the suite's account the right to write there."
        yield Finding(level="fail", about=about, what=f"{folder} cannot be written", remedy=remedy)
        return
    secrets = folder / "secrets.json"
    if secrets.exists() and secrets.stat().st_mode & _OWNER_ONLY:
        what = f"{secrets} is readable by others"
        yield Finding(level="warn", about="secrets 密钥", what=what, remedy=f"chmod 600 {secrets}")
    yield Finding(level="ok", about=about, what=str(folder))


def _pack(pack: Jurisdiction) -> Iterator[Finding]:
    findings = packs.lint(pack)
    errors = [one for one in findings if one.severity == packs.Severity.ERROR]
    said = f"{pack.name} {pack.version}, {len(pack.units)} units, {len(pack.staff)} people"
    if errors:
        remedy = f"gridwhistle jurisdiction lint {pack.name}"
        yield Finding(level="fail", about="pack 辖区包", what=f"{said}; {len(errors)} error(s)", remedy=remedy)
    elif findings:
        remedy = f"gridwhistle jurisdiction lint {pack.name}"
        yield Finding(level="warn", about="pack 辖区包", what=f"{said}; {len(findings)} warning(s)", remedy=remedy)
    else:
        yield Finding(level="ok", about="pack 辖区包", what=said)


def _in_force(pack: Jurisdiction, settings: Settings) -> WorkingCalendar:
    """The town's calendar with the years that were taken in; the pack's own where the database does not say."""
    engine = open_engine(settings.database_for("dispatch"), pool_size=1)
    try:
        if pending(engine, services.definition("dispatch")):
            return pack.calendar
        with reading(engine) as db:
            return calendars.stored(db, pack).own
    except (DBAPIError, Transient):
        return pack.calendar  # told with the database, below
    finally:
        engine.dispose()


def _calendar(calendar: WorkingCalendar, clock: Clock) -> Finding:
    until: date = calendar.covered_until
    left = until - calendar.local_date(clock.now())
    about, said = "calendar 工作日历", f"covered until {until}"
    if left < timedelta():
        remedy = "gridwhistle calendar import FILE with this year's notice: due times are provisional until then."
        return Finding(level="fail", about=about, what=said, remedy=remedy)
    if left < _CALENDAR_AHEAD:
        remedy = (
            "gridwhistle calendar import FILE as soon as next year's notice is out: later due times are provisional."
        )
        return Finding(level="warn", about=about, what=f"{said}, {left.days} days from now", remedy=remedy)
    return Finding(level="ok", about=about, what=said)


def _database(name: str, settings: Settings, clock: Clock) -> Iterator[Finding]:
    about = f"{name} database 数据库"
    engine = open_engine(settings.database_for(name), pool_size=1)
    try:
        missing = pending(engine, services.definition(name))
        if missing:
            remedy = "gridwhistle migrate (or start the service: it migrates by itself)"
            yield Finding(level="fail", about=about, what=f"{len(missing)} migration(s) missing", remedy=remedy)
            return
        with reading(engine) as db:
            waiting, oldest = outbox.backlog(db)
            parked, _ = parking.backlog(db)
            held = quarantine.held_count(db)
    except (DBAPIError, Transient) as error:
        said = str(getattr(error, "orig", error)).strip().splitlines()[0]
        yield Finding(level="fail", about=about, what=said, remedy="Start the database, or correct its address.")
        return
    finally:
        engine.dispose()
    yield Finding(level="ok", about=about, what="up to date")
    age = timedelta() if oldest is None else clock.now() - oldest
    if age > _OUTBOX_OLD:
        remedy = "Is the relay running, and the broker? Nothing is lost: they leave as soon as it does."
        said = f"{waiting} event(s) wait, the oldest for {age - timedelta(microseconds=age.microseconds)}"
        yield Finding(level="warn", about=f"{name} outbox 发件箱", what=said, remedy=remedy)
    if parked:
        remedy = "An earlier event of their stream is missing: look for a quarantined one."
        yield Finding(level="warn", about=f"{name} parked 暂存", what=f"{parked} event(s)", remedy=remedy)
    if held:
        remedy = f"gridwhistle quarantine list --service {name}"
        yield Finding(level="warn", about=f"{name} quarantine 隔离区", what=f"{held} message(s)", remedy=remedy)


def _broker(settings: Settings) -> Iterator[Finding]:
    about = "broker 消息服务器"
    if settings.broker_url is None:
        yield Finding(level="ok", about=about, what="none: embedded mode")
        return
    try:
        departments = tuple(unit.id for unit in packs.load(Path(settings.jurisdiction)).departments())
        seen = inspection.inspect(settings.broker_url, settings.broker_management_url, departments)
        found = drift.faults(seen)
    except (BrokerAway, Misconfigured) as error:
        yield Finding(level="fail", about=about, what=str(error), remedy="Start RabbitMQ, or correct its address.")
        return
    for one in found:
        what = f"{drift.TITLES[one.code]}: {one.where} {one.what}"
        yield Finding(level="fail", about=about, what=what, remedy=one.remedy)
    if not found:
        yield Finding(level="ok", about=about, what="answers, as declared")


def _plugins(settings: PluginSettings) -> Iterator[Finding]:
    found = load(GROUPS, settings)
    for plugin in found.failed():
        remedy = f"Mend or remove {plugin.origin}; the suite goes on without it."
        what = plugin.error or "failed"
        yield Finding(level="warn", about=f"plugin 插件 {plugin.group} {plugin.name}", what=what, remedy=remedy)
    working = len(found.every) - len(list(found.failed()))
    yield Finding(level="ok", about="plugins 插件", what=f"{working} loaded or waiting for configuration")
