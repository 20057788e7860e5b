"""`gridwhistle migrate`: brings the databases to this release's state; with `--check` only says what is missing."""

from __future__ import annotations

import json

import click

from deploy.launcher import services
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Refusal
from shared.ledger.engines import open_engine
from shared.ledger.errors import MigrationWaits, Transient
from shared.ledger.migrate import migrate, pending
from shared.runtime.settings import read


class DatabaseUnreachable(Refusal):
    """The database does not answer. Start it, or correct the address."""

    code = "database-unreachable"


class MigrationHeldUp(Refusal):
    """Somebody else migrates the database, or keeps a table in one long transaction."""

    code = "migration-held-up"


@click.command("migrate")
@click.argument("names", nargs=-1, type=click.Choice(SERVICES))
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when something is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, names: tuple[str, ...], check: bool, as_json: bool) -> int:
    """Bring the databases up to date (of all services, or those NAMED) 数据库迁移."""
    settings = read()
    result: dict[str, list[str]] = {}
    for name in names or SERVICES:
        engine = open_engine(settings.database_for(name), pool_size=1)
        try:
            definition = services.definition(name)
            result[name] = list(pending(engine, definition) if check else migrate(engine, definition))
        except MigrationWaits as error:
            remedy = "Run it again when that has ended; revisions that are applied stay so."
            raise MigrationHeldUp(str(error), remedy=remedy) from error
        except Transient as error:
            raise DatabaseUnreachable(str(error), remedy="Start it, or correct GRIDWHISTLE_DATABASE_URL.") from error
        finally:
            engine.dispose()
        if not as_json:
            what = "missing 待迁移" if check else "applied 已迁移"
            click.echo(f"{name}: {what} {', '.join(result[name])}" if result[name] else f"{name}: up to date 已是最新")
    if as_json:
        click.echo(json.dumps({"missing" if check else "applied": result}))
    return 1 if check and any(result.values()) else 0
