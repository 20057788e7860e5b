"""`gridwhistle declare`: the exchanges, queues, bindings and policies; with `--check` only whether they are right.

Never takes anything away, and never changes a policy that is there unless told to. Exit 1 when something is wrong.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from deploy.launcher.choosing import data_dir_option, settings_at_hand
from shared.kernel.errors import Misconfigured, Refusal
from shared.wire import declare, drift, inspection
from shared.wire.connection import BrokerAway, sanitized
from shared.wire.management import ManagementDenied

_MANAGEMENT = "GRIDWHISTLE_BROKER_MANAGEMENT_URL"


class BrokerUnreachable(Refusal):
    """The broker does not answer. Start it, or correct the address."""

    code = "broker-unreachable"


@click.command("declare")
@click.option("--check", is_flag=True, help="Change nothing; say what is missing or differs.")
@click.option("--reset-policies", is_flag=True, help="Set the policies as shipped, whatever somebody made of them.")
@data_dir_option
@click.option("--broker-url", envvar="GRIDWHISTLE_BROKER_URL", help="AMQP address; default: GRIDWHISTLE_BROKER_URL.")
@click.option("--management-url", envvar=_MANAGEMENT, help=f"Management address; default: {_MANAGEMENT}.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    *,
    check: bool,
    reset_policies: bool,
    data_dir: Path | None,
    broker_url: str | None,
    management_url: str | None,
    as_json: bool,
) -> int:
    """Declare the broker's exchanges, queues, bindings and policies 声明消息拓扑."""
    url, management_url = _addresses(data_dir, broker_url, management_url)
    if check and reset_policies:
        message = "--check changes nothing, and --reset-policies does: give one of the two"
        raise click.UsageError(message)
    if reset_policies and not management_url:
        message = f"policies are set through the management interface: set {_MANAGEMENT} or give --management-url"
        raise Misconfigured(message)
    try:
        found = inspection.inspect(url, management_url) if check else _declared(url, management_url, reset_policies)
    except BrokerAway as error:
        remedy = "Start RabbitMQ, or correct the address (GRIDWHISTLE_BROKER_URL, or the management address)."
        raise BrokerUnreachable(str(error), remedy=remedy) from error
    faults = drift.faults(found)
    if as_json:
        rows = {"faults": faults, "notes": [one for one in found if not one.fault]}
        parts = {name: [_row(one) for one in each] for name, each in rows.items()}
        click.echo(json.dumps({"broker": sanitized(url), "checked": check} | parts, ensure_ascii=False))
    else:
        _print(found)
        if not faults:
            click.echo("拓扑正常 topology as declared" if check else "拓扑已声明 topology declared")
        elif check:
            click.echo(f"{len(faults)} 处不符 {len(faults)} fault(s)", err=True)
    return 1 if faults else 0


def _addresses(data_dir: Path | None, broker_url: str | None, management_url: str | None) -> tuple[str, str | None]:
    """The two addresses: as given, else those of the installation at hand. Raises Misconfigured."""
    if broker_url and data_dir is None:
        return broker_url, management_url
    settings = settings_at_hand(data_dir)
    if settings.broker_url is None:
        message = "no broker: set GRIDWHISTLE_BROKER_URL or give --broker-url"
        raise Misconfigured(message)
    return settings.broker_url, settings.broker_management_url


def _declared(url: str, management_url: str | None, reset: bool) -> tuple[drift.Drift, ...]:  # noqa: FBT001 -- of the command line
    """Make what is missing, then say what could not be made."""
    found: tuple[drift.Drift, ...] = ()
    try:
        declare.declare(url)
    except declare.DeclarationRefused as refused:
        found = refused.drift
    if not management_url:
        remedy = f"set {_MANAGEMENT}, or import deploy/rabbitmq/policies.json once"
        what = "are not set over AMQP"
        return (*found, drift.Drift(code="not-looked-at", where="policies", what=what, remedy=remedy, fault=False))
    try:
        inspection.set_policies(url, management_url, reset=reset)
    except ManagementDenied as denied:
        remedy = "give the user the tag policymaker, or import deploy/rabbitmq/policies.json as administrator"
        found = (*found, drift.Drift(code="missing-policy", where="policies", what=str(denied), remedy=remedy))
    return found


def _row(one: drift.Drift) -> dict[str, str]:
    return {name: value for name, value in asdict(one).items() if name != "fault"}


def _print(found: tuple[drift.Drift, ...]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        mark = "[bold red]fail[/]" if one.fault else "[yellow]note[/]"
        console.print(f"{mark} {drift.TITLES[one.code]}: {escape(one.where)} {escape(one.what)}")
        console.print(f"       → {escape(one.remedy)}")
