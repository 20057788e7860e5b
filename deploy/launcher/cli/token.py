"""`gridwhistle token PERSON`: a bearer token for a person of the pack, or for an outside system.

Only for who holds the installation's signing secret anyway; in production tokens come from the identity provider.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import click

from deploy.launcher.choosing import data_dir_option, settings_at_hand
from shared import jurisdiction as packs
from shared.kernel.actor import ROLE_PERMISSIONS
from shared.kernel.errors import Refusal
from shared.kernel.worktime import InvalidTarget, parse_duration
from shared.runtime.setup import clock_of, gatekeeper_of


class RolesNeeded(Refusal):
    """The pack does not know a system, so its roles have to be named. Give --role, as often as needed."""

    code = "roles-needed"


@click.command("token")
@click.argument("person", required=False)
@click.option("--system", metavar="NAME", help="A token for an outside system instead of a person.")
@click.option("--role", "roles", multiple=True, type=click.Choice(sorted(ROLE_PERMISSIONS)), help="With --system.")
@click.option("--unit", help="With --system: the unit whose territory it may see; none when left out.")
@click.option("--lasting", default="12h", show_default=True, metavar="DURATION", help="Such as 30m, 12h or 30d.")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print token, roles, unit and expiry as JSON.")
def command(
    *,
    person: str | None,
    system: str | None,
    roles: tuple[str, ...],
    unit: str | None,
    lasting: str,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Make a token for PERSON of the pack, or with --system for an outside system 签发令牌."""
    if (person is None) == (system is None):
        message = "name a PERSON of the pack, or give --system NAME; one of them"
        raise click.UsageError(message)
    if person is not None and (roles or unit is not None):
        message = "roles and unit of a person are the pack's; --role and --unit belong to --system"
        raise click.UsageError(message)
    settings = settings_at_hand(data_dir)
    pack = packs.load(Path(settings.jurisdiction))
    subject, held, where = str(system), frozenset(roles), unit
    if person is not None:
        found = pack.person(person)
        subject, held, where = found.id, frozenset(found.roles), found.unit
    else:
        if not held:
            known = ", ".join(ROLE_PERMISSIONS)
            raise RolesNeeded(f"{subject} has no role.", where="--role", remedy=f"Give one or several of: {known}.")
        if where is not None:
            pack.unit(where)
    clock = clock_of(settings)
    duration = _duration(lasting)
    token = gatekeeper_of(settings, clock).issue(
        subject=subject, roles=held & ROLE_PERMISSIONS.keys(), unit=where, lasting=duration
    )
    if as_json:
        expires = (clock.now() + duration).isoformat(timespec="seconds")
        content = {"token": token, "subject": subject, "roles": sorted(held), "unit": where, "expires_at": expires}
        click.echo(json.dumps(content, ensure_ascii=False))
    else:
        click.echo(token)
    return 0


def _duration(text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text))
    except InvalidTarget as error:
        message = f"{text!r} is not a duration; write it like 30m, 12h or 30d"
        raise click.BadParameter(message, param_hint="--lasting") from error
