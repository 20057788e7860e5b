"""`gridwhistle jurisdiction lint|show`: what a pack says that cannot be meant, and what is in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.launcher.installation import pack_folder
from shared import jurisdiction as packs
from shared.jurisdiction import Finding, InvalidPack, Jurisdiction, Severity
from shared.kernel.worktime import Target

_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@click.group("jurisdiction")
def command() -> None:
    """Check or show a jurisdiction pack 辖区配置包."""


@command.command("lint")
@click.argument("names", nargs=-1, required=True, metavar="PACK…")
@click.option("--strict", is_flag=True, help="Exit 1 on warnings, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def lint(*, names: tuple[str, ...], strict: bool, as_json: bool) -> int:
    """Check packs, by name or path; exit 1 when one has an error 检查."""
    console = Console(highlight=False, soft_wrap=True)
    found: dict[str, list[dict[str, str]]] = {}
    bad = False
    for name in names:
        rows = _findings(name)
        found[name] = rows
        errors = sum(row["severity"] == Severity.ERROR for row in rows)
        bad = bad or errors > 0 or (strict and bool(rows))
        if as_json:
            continue
        for row in rows:
            style = _STYLES[Severity(row["severity"])]
            place = escape(f"{row['file']} {row['path']}".strip())
            console.print(f"[{style}]{row['severity']}[/] {place}: {escape(row['what'])} \\[{row['code']}]")
            console.print(f"  → {escape(row['remedy'])}")
        verdict = f"{errors} error(s), {len(rows) - errors} warning(s)" if rows else "no findings 没有问题"
        console.print(f"{escape(name)}: {verdict}")
    if as_json:
        click.echo(json.dumps({"packs": found, "ok": not bad}, ensure_ascii=False))
    return 1 if bad else 0


def _findings(name: str) -> list[dict[str, str]]:
    try:
        pack = packs.load(pack_folder(name))
    except InvalidPack as invalid:
        return [
            {
                "severity": Severity.ERROR, "code": one.code, "file": one.file, "path": one.path, "what": one.what,
                "remedy": one.remedy,
            }
            for one in invalid.problems
        ]  # fmt: skip
    return [_finding(one) for one in packs.lint(pack)]


def _finding(one: Finding) -> dict[str, str]:
    return {
        "severity": one.severity, "code": one.code, "file": one.file, "path": one.path, "what": one.what,
        "remedy": one.remedy,
    }  # fmt: skip


@command.command("show")
@click.argument("name", metavar="PACK")
@click.option("--units", is_flag=True, help="List every unit.")
@click.option("--people", is_flag=True, help="List everybody with role and unit.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def show(*, name: str, units: bool, people: bool, as_json: bool) -> int:
    """Show what is in a pack 查看."""
    pack = packs.load(pack_folder(name))
    if as_json:
        click.echo(json.dumps(_summary(pack), ensure_ascii=False, indent=2))
        return 0
    console = Console(highlight=False)
    counts = " · ".join(f"{level} {count}" for level, count in _by_level(pack).items())
    console.print(f"[bold]{escape(pack.title.zh)}[/] {escape(pack.title.en)}  ({pack.name} {pack.version})")
    console.print(f"units 单位: {counts}; people 人员: {len(pack.staff)}; categories 类别: {len(pack.categories)}")
    console.print(f"calendar 工作日历: until {pack.calendar.covered_until}; digest 摘要: {pack.digest[:16]}…")
    console.print(_classes(pack))
    if units:
        rows = [(unit.id, unit.name.zh, unit.level, unit.kind, unit.parent or "") for unit in pack.units.values()]
        console.print(_rows(("id", "name 名称", "level 层级", "kind 类型", "above 上级"), rows))
    if people:
        staff = [(one.id, one.name.zh, ", ".join(one.roles), one.unit) for one in pack.staff.values()]
        console.print(_rows(("id", "name 姓名", "roles 角色", "unit 单位"), staff))
    return 0


def _by_level(pack: Jurisdiction) -> Counter[str]:
    return Counter(unit.level for unit in pack.units.values())


def _classes(pack: Jurisdiction) -> Table:
    kinds = list(dict.fromkeys(kind for one in pack.policy.classes.values() for kind in one.clocks))
    rows = [
        (f"{one.name.zh} {one.id}", *(_said(one.clocks.get(kind)) for kind in kinds))
        for one in pack.policy.classes.values()
    ]
    return _rows(("class 类别", *kinds), rows)


def _said(target: Target | None) -> str:
    if target is None:
        return ""
    kind, value = next(iter(target.as_mapping().items()))
    details = ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, Mapping) else str(value)
    return f"{kind.replace('_', ' ')} {details}".strip()


def _rows(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for number, head in enumerate(heads):
        table.add_column(head, no_wrap=number == 0, overflow="fold")  # ids come first, and are copied
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _summary(pack: Jurisdiction) -> dict[str, object]:
    return {
        "name": pack.name, "title": {"zh": pack.title.zh, "en": pack.title.en}, "version": pack.version,
        "digest": pack.digest, "timezone": pack.timezone, "levels": list(pack.levels), "units": dict(_by_level(pack)),
        "people": len(pack.staff), "categories": len(pack.categories),
        "calendar_covered_until": pack.calendar.covered_until.isoformat(),
        "classes": {
            one.id: {kind: target.as_mapping() for kind, target in one.clocks.items()}
            for one in pack.policy.classes.values()
        },
    }  # fmt: skip
