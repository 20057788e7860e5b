"""`gridwhistle declare`: the exchanges, queues, bindings, policies, and each department's user with its rights.

With `--check` only whether they are right. Never takes anything away, and never changes a policy or password that is
there unless told to. Exit 1 when something is wrong.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from deploy.launcher import department_files
from deploy.launcher.choosing import data_dir_option, settings_at_hand
from deploy.launcher.installation import pack_folder
from shared import jurisdiction as packs
from shared.kernel.errors import Misconfigured, Refusal
from shared.wire import declare, department_users, drift, inspection
from shared.wire.connection import BrokerAway, sanitized
from shared.wire.management import ManagementDenied

_MANAGEMENT, _PACK = "GRIDWHISTLE_BROKER_MANAGEMENT_URL", "GRIDWHISTLE_JURISDICTION"


class BrokerUnreachable(Refusal):
    """The broker does not answer. Start it, or correct the address."""

    code = "broker-unreachable"


@click.command("declare")
@click.option("--check", is_flag=True, help="Change nothing; say what is missing or differs.")
@click.option("--reset-policies", is_flag=True, help="Set the policies as shipped, whatever somebody made of them.")
@data_dir_option
@click.option("--broker-url", envvar="GRIDWHISTLE_BROKER_URL", help="AMQP address; default: GRIDWHISTLE_BROKER_URL.")
@click.option("--management-url", envvar=_MANAGEMENT, help=f"Management address; default: {_MANAGEMENT}.")
@click.option(
    "--jurisdiction", "pack", envvar=_PACK, metavar="PACK", help=f"Pack whose departments are meant; default: {_PACK}."
)
@click.option(
    "--passwords",
    type=click.Path(dir_okay=False, path_type=Path),
    help="YAML file `department: password` (mode 600); others get one made when their user is.",
)
@click.option("--new-password", "anew", multiple=True, metavar="DEPARTMENT", help="Make a new one. Repeatable.")
@click.option(
    "--departments-folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the departments' files with their addresses go; default: departments below the data folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(  # noqa: PLR0913 -- one argument for each option
    *,
    check: bool,
    reset_policies: bool,
    data_dir: Path | None,
    broker_url: str | None,
    management_url: str | None,
    pack: str | None,
    passwords: Path | None,
    anew: tuple[str, ...],
    departments_folder: Path | None,
    as_json: bool,
) -> int:
    """Declare the broker's exchanges, queues, bindings, policies and departments' users 声明消息拓扑."""
    url, management_url, pack, folder = _addresses(data_dir, broker_url, management_url, pack)
    departments = None if pack is None else tuple(unit.id for unit in packs.load(pack_folder(pack)).departments())
    asked = _Users(
        passwords=department_files.passwords_in(passwords) if passwords is not None else {},
        anew=anew,
        folder=departments_folder or folder / "departments",
    )
    asked.check(departments)
    if check and reset_policies:
        message = "--check changes nothing, and --reset-policies does: give one of the two"
        raise click.UsageError(message)
    if reset_policies and not management_url:
        message = f"policies are set through the management interface: set {_MANAGEMENT} or give --management-url"
        raise Misconfigured(message)
    try:
        written: tuple[Path, ...] = ()
        if check:
            found = inspection.inspect(url, management_url, departments)
        else:
            found, written = _declared(url, management_url, departments, asked, reset=reset_policies)
    except BrokerAway as error:
        remedy = "Start RabbitMQ, or correct the address (GRIDWHISTLE_BROKER_URL, or the management address)."
        raise BrokerUnreachable(str(error), remedy=remedy) from error
    faults = drift.faults(found)
    if as_json:
        rows = {"faults": faults, "notes": [one for one in found if not one.fault]}
        parts = {name: [_row(one) for one in each] for name, each in rows.items()}
        about = {"broker": sanitized(url), "checked": check, "department_files": [str(path) for path in written]}
        click.echo(json.dumps(about | parts, ensure_ascii=False))
    else:
        _print(found)
        if written:
            click.echo(f"{len(written)} 个部门的连接文件 file(s), each for its department alone: {written[0].parent}")
        if not faults:
            click.echo("拓扑正常 topology as declared" if check else "拓扑已声明 topology declared")
        elif check:
            click.echo(f"{len(faults)} 处不符 {len(faults)} fault(s)", err=True)
    return 1 if faults else 0


@dataclass(frozen=True, kw_only=True)
class _Users:
    """What is wanted of departments' users."""

    passwords: dict[str, str] = field(repr=False)
    anew: tuple[str, ...]
    folder: Path

    def check(self, departments: tuple[str, ...] | None) -> None:
        """Raise Misconfigured for a department that the pack does not have."""
        unknown = sorted({*self.passwords, *self.anew} - set(departments or ()))
        if unknown:
            message = f"no department of the pack: {', '.join(unknown)}"
            raise Misconfigured(message)


def _addresses(
    data_dir: Path | None, broker_url: str | None, management_url: str | None, pack: str | None
) -> tuple[str, str | None, str | None, Path]:
    """Addresses, pack and data folder: as given, else those of the installation at hand. Raises Misconfigured."""
    if broker_url and data_dir is None:
        return broker_url, management_url, pack, Path()
    settings = settings_at_hand(data_dir)
    if settings.broker_url is None:
        message = "no broker: set GRIDWHISTLE_BROKER_URL or give --broker-url"
        raise Misconfigured(message)
    return settings.broker_url, settings.broker_management_url, pack or str(settings.jurisdiction), settings.data_dir


def _declared(
    url: str, management_url: str | None, departments: tuple[str, ...] | None, users: _Users, *, reset: bool
) -> tuple[tuple[drift.Drift, ...], tuple[Path, ...]]:
    """Make what is missing; what could not be made, and the files written for departments."""
    found: tuple[drift.Drift, ...] = ()
    try:
        declare.declare(url, departments or ())
    except declare.DeclarationRefused as refused:
        found = refused.drift
    if not management_url:
        remedy = f"set {_MANAGEMENT}, or import deploy/rabbitmq/policies.json once"
        what = "are not set over AMQP"
        note = drift.Drift(code="not-looked-at", where="policies", what=what, remedy=remedy, fault=False)
        return (*found, note), ()
    try:
        inspection.set_policies(url, management_url, reset=reset)
    except ManagementDenied as denied:
        remedy = "give the user the tag policymaker, or import deploy/rabbitmq/policies.json as administrator"
        found = (*found, drift.Drift(code="missing-policy", where="policies", what=str(denied), remedy=remedy))
    try:
        made = department_users.set_users(
            url, management_url, departments or (), passwords=users.passwords, anew=users.anew
        )
    except ManagementDenied as denied:
        remedy = "declare with an administrator's management address, once and after each change of departments"
        where, what = "departments' users", str(denied)
        return (*found, drift.Drift(code="not-looked-at", where=where, what=what, remedy=remedy, fault=False)), ()
    return found, department_files.write(users.folder, url, made)


def _row(one: drift.Drift) -> dict[str, str]:
    return {name: value for name, value in asdict(one).items() if name != "fault"}


def _print(found: tuple[drift.Drift, ...]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        mark = "[bold red]fail[/]" if one.fault else "[yellow]note[/]"
        console.print(f"{mark} {drift.TITLES[one.code]}: {escape(one.where)} {escape(one.what)}")
        console.print(f"       → {escape(one.remedy)}")
