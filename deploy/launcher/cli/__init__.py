"""The command `gridwhistle`.

One module per command, loaded only when called, so that `--help` is quick and nothing
imports a service it does not need.

Exit codes: 0 done, 1 refused or failed with a clear message, 2 usage. Every command that a program may read has
`--json`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click
from sqlalchemy.exc import OperationalError

from shared.kernel.errors import Misconfigured, Refusal
from shared.ledger.errors import Transient

#: command -> (module under deploy.launcher.cli, one line of help).
_COMMANDS: dict[str, tuple[str, str]] = {
    "calendar": ("calendar", "Explain a due time on the working calendar 工作日历"),
    "declare": ("declare", "Declare the broker's exchanges, queues and bindings 声明消息拓扑"),
    "demo": ("demo", "Run the whole loop here, with no server, and go on serving 演示"),
    "docs": ("docs", "Write the generated documents, or check that they are up to date 生成文档"),
    "doctor": ("doctor", "Look for what is wrong with this installation 体检"),
    "import-demands": ("import_demands", "Import demands from a CSV file into a running suite 批量导入诉求"),
    "interventions": ("interventions", "List what operators did to the flow of events by hand 人工干预记录"),
    "jurisdiction": ("jurisdiction", "Check or show a jurisdiction pack 辖区配置包"),
    "migrate": ("migrate", "Bring the databases up to date 数据库迁移"),
    "plugins": ("plugins", "List plugins and what became of them 插件"),
    "purge": ("purge", "Take away what is older than it has to be kept 清理过期记录"),
    "quarantine": ("quarantine", "See and decide about quarantined messages 隔离区"),
    "recover": ("recover", "After a database was restored: do again what was lost 恢复后补齐"),
    "rebuild": ("rebuild", "Compare a service's read tables with the trace and mend them 重建读表"),
    "relay": ("relay", "Publish a service's events to the broker 转发事件"),
    "replay": ("replay", "Hand events to a service again 重放事件"),
    "report": ("report", "Make the transparency report 公开报告"),
    "scenario": ("scenario", "Replay a town's day and check what must happen 场景回放"),
    "serve": ("serve", "Run one service 运行一个服务"),
    "token": ("token", "Make a token for a person of the pack 签发令牌"),
    "up": ("up", "Run the whole suite in full mode 启动全套"),
    "verify-trace": ("verify_trace", "Verify the hash chain of the trace 校验留痕链"),
}


class _Lazy(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, sorted."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{_COMMANDS[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands from the table, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in sorted(_COMMANDS.items())])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gridwhistle", prog_name="gridwhistle")
def group() -> None:
    """Gridwhistle 网格哨: the closed loop of grassroots grid governance."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs the command and turns refusals into one clear message."""
    try:
        result: Any = group.main(args=arguments, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped 已停止", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Refusal as refusal:
        _complain(refusal.code, refusal.what, refusal.remedy)
    except Misconfigured as error:
        _complain("misconfigured", str(error), None)
    except (Transient, OperationalError) as error:
        reason = str(error.orig if isinstance(error, OperationalError) else error).strip().splitlines()[0]
        _complain("database-away", f"the database does not answer: {reason}", "Start it (or the suite), and try again.")
    else:
        sys.exit(result if isinstance(result, int) else 0)


def _complain(code: str, what: str, remedy: str | None) -> None:
    click.echo(f"gridwhistle: {what} [{code}]", err=True)
    if remedy:
        click.echo(f"  → {remedy}", err=True)
    sys.exit(1)
