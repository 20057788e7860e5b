"""`gridwhistle declare`: the exchanges, queues and bindings; with `--check` only whether they are as they should be."""

from __future__ import annotations

import json

import click

from shared.kernel.errors import Misconfigured, Refusal
from shared.runtime.settings import read
from shared.wire import declare
from shared.wire.connection import BrokerAway, sanitized


class BrokerUnreachable(Refusal):
    """The broker does not answer. Start it, or correct the address."""

    code = "broker-unreachable"


@click.command("declare")
@click.option("--check", is_flag=True, help="Change nothing; say what is missing or differs.")
@click.option("--broker-url", envvar="GRIDWHISTLE_BROKER_URL", help="AMQP address; default: GRIDWHISTLE_BROKER_URL.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, check: bool, broker_url: str | None, as_json: bool) -> int:
    """Declare the broker's exchanges, queues and bindings 声明消息拓扑."""
    url = broker_url or read().broker_url
    if url is None:
        message = "no broker: set GRIDWHISTLE_BROKER_URL or give --broker-url"
        raise Misconfigured(message)
    faults: tuple[str, ...] = ()
    try:
        if check:
            faults = declare.check(url)
        else:
            declare.declare(url)
    except declare.DeclarationRefused as refused:
        faults = refused.faults
    except BrokerAway as error:
        raise BrokerUnreachable(str(error), remedy="Start RabbitMQ, or correct GRIDWHISTLE_BROKER_URL.") from error
    if as_json:
        click.echo(json.dumps({"broker": sanitized(url), "faults": faults}))
    else:
        for fault in faults:
            click.echo(fault)
        if not faults:
            click.echo("topology as declared 拓扑正常" if check else "topology declared 拓扑已声明")
    return 1 if faults else 0
