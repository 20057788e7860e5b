"""`gridwhistle plugins list`: which plugins are installed and what became of them.

Works before anything is configured, so that a missing variable does not hide a broken plugin.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from shared.kernel.errors import Misconfigured
from shared.plugins import GROUPS, Plugin, PluginSettings, load
from shared.runtime.settings import read

_STATES = {"loaded": "loaded 已加载", "not-configured": "not configured 未配置", "failed": "failed 加载失败"}


@click.group("plugins")
def command() -> None:
    """List plugins and what became of them 插件."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def list_plugins(*, as_json: bool) -> int:
    """Load every installed plugin and say what became of it; exit 1 when one failed."""
    plugins = load(GROUPS, _settings())
    if as_json:
        click.echo(json.dumps({"plugins": [_shown(plugin) for plugin in plugins.every]}, ensure_ascii=False))
    else:
        Console().print(_table(plugins.every))
    return 1 if plugins.failed() else 0


def _settings() -> PluginSettings:
    try:
        settings = read()
    except Misconfigured:
        return PluginSettings(data_dir=Path("var"))
    return PluginSettings(data_dir=settings.data_dir, smtp_url=settings.smtp_url)


def _shown(plugin: Plugin) -> dict[str, str | None]:
    return {name: getattr(plugin, name) for name in ("group", "name", "state", "origin", "error")}


def _table(found: tuple[Plugin, ...]) -> Table:
    table = Table("Kind 类别", "Name 名称", "State 状态", "From 来源", "Reason 原因")
    for plugin in found:
        group = plugin.group.removeprefix("gridwhistle.")
        table.add_row(group, plugin.name, _STATES[plugin.state], plugin.origin, plugin.error or "")
    return table
