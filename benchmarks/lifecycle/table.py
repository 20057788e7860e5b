"""The measurement as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

_COSTLIEST = 5


def print_table(found: Sequence[Mapping[str, Any]]) -> None:
    """One column per number of matters there already."""
    rows: list[tuple[str, list[str]]] = [
        ("matters there already", [f"{one['seeded']:,}" for one in found]),
        ("databases, GB", [f"{one['database_gb']:.2f}" for one in found]),
        ("pgbench, two one-row inserts, 8 clients, a second", [f"{one['pgbench_tx_s']:,.0f}" for one in found]),
        ("raw pipelined publishing, a second", [f"{one['publishing_msg_s']:,.0f}" for one in found]),
        ("lifecycles a second", [f"{one['lives_s']:.1f}" for one in found]),
        ("of pgbench", [f"1/{1 / one['of_pgbench']:.0f}" for one in found]),
        ("events a second", [f"{one['events_s']:,.0f}" for one in found]),
        ("of publishing", [f"1/{1 / one['of_publishing']:.0f}" for one in found]),
        ("events a life", [f"{one['events_per_life']:.1f}" for one in found]),
        ("requests a life, those that came too early included", [f"{one['requests_per_life']:.2f}" for one in found]),
        ("longest answer, s", [f"{one['longest_answer_s']:.2f}" for one in found]),
    ]
    rows += [(f"CPU ms a life: {name}", [f"{one['cpu_ms'][name]:.1f}" for one in found]) for name in found[0]["cpu_ms"]]
    rows += [
        (f"PostgreSQL's by database: {name}", [f"{one['postgresql_ms'].get(name, 0):.1f}" for one in found])
        for name in sorted(found[0]["postgresql_ms"])
    ]
    rows += [
        (f"idle, % of a core: {name}", [f"{one['idle_cpu_percent'].get(name, 0):.1f}" for one in found])
        for name in found[0]["idle_cpu_percent"]
    ]
    click.echo("| what |" + " |" * len(found))
    click.echo("|---" * (len(found) + 1) + "|")
    for name, values in rows:
        click.echo(f"| {name} | {' | '.join(values)} |")
    for one in found:
        pairs = zip(one["raw_before"].values(), one["raw_after"].values(), strict=True)
        spread = "; ".join(f"{before:,.0f} and {after:,.0f}" for before, after in pairs)
        click.echo(f"raw before and after at {one['seeded']:,}: {spread} (far apart: the machine was busy)")


def print_profile(profile: Mapping[str, Mapping[str, Any]]) -> None:
    """The costliest functions of each process: by their own CPU time, and with all they call."""
    for process, content in profile.items():
        samples = max(content["samples"], 1)
        click.echo(f"\n{process}: {samples} samples")
        for kind in ("own", "below"):
            ours = [(name, count) for name, count in content[kind] if kind == "own" or _ours(name)]
            for name, count in ours[: _COSTLIEST if kind == "own" else 4 * _COSTLIEST]:
                click.echo(f"  {kind:<5} {100 * count / samples:5.1f} %  {name}")


def _ours(name: str) -> bool:
    return name.startswith(("main/", "shared/", "services/", "ledger/", "runtime/", "contracts/")) or "/shared/" in name
