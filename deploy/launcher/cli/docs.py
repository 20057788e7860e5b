"""`gridwhistle docs write|check`: the documents that are made from the code, for whoever changes the code."""

from __future__ import annotations

import json

import click

from deploy.launcher.documents import catalogue

#: Lines of one document's difference that a person is shown.
_SHOWN = 30


@click.group()
def command() -> None:
    """Write the generated documents, or check that they are up to date 生成文档."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def write(*, as_json: bool) -> None:
    """Write every document that differs, and golden samples of new event types (existing samples are never touched)."""
    written = [path.as_posix() for path in catalogue.write()]
    if as_json:
        click.echo(json.dumps({"written": written}))
        return
    for path in written:
        click.echo(f"wrote 已写 {path}")
    click.echo(f"{len(written)} document(s) written 已写 {len(written)} 份" if written else "up to date 均为最新")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Compare the committed documents with the code; exit 1 with a diff when one differs."""
    found = list(catalogue.differences())
    if as_json:
        click.echo(json.dumps({"differs": [{"path": each.path.as_posix(), "diff": each.diff} for each in found]}))
    else:
        for each in found:
            lines = each.diff.splitlines()
            click.echo("\n".join(lines[:_SHOWN]))
            if len(lines) > _SHOWN:
                click.echo(f"… 另有 and {len(lines) - _SHOWN} more lines (--json)")
        verdict = f"{len(found)} out of date 有 {len(found)} 份已过时: run `gridwhistle docs write`, commit"
        click.echo(verdict if found else "up to date 均为最新", err=bool(found))
    if found:
        context.exit(1)
