"""docs/backup.md as a test: one service's database, restored to a moment ago from base backup and archived log.

The town's people went on meanwhile; `gridwhistle recover` makes the suite whole again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select, text

from deploy.launcher.demo import demands
from deploy.launcher.demo.week import OPENS, Player
from deploy.launcher.installation import trial_settings
from deploy.launcher.suite import Suite
from deploy.servers import PrivatePostgreSQL
from deploy.servers import folder as places
from services.intake.tables import demands as registered
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.kernel.clock import rfc3339
from shared.ledger.engines import reading, writing
from shared.ledger.migrate import migrate
from shared.ledger.tables import interventions, outbox

PROJECT = Path(__file__).parents[3]
PACK = PROJECT / "deploy" / "jurisdictions" / "jianwai"
#: A working week that is over.
FIRST_DAY = date(2026, 3, 9)
#: One in so many of the demands of the demo's week is played.
EVERY = 5
#: Share of their week after which the moment comes that the database is restored to.
MOMENT = 0.3
ARCHIVED_WITHIN_S = 30


class Archiving:
    """A PostgreSQL that archives its log, with a base backup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = folder / "archive"
        self.server = PrivatePostgreSQL(folder / "live")

    def start(self) -> None:
        self.server.start()
        self.archive.mkdir(mode=0o777)
        self.archive.chmod(0o777)
        for setting in ("archive_mode = on", f"archive_command = 'cp %p {self.archive}/%f'"):
            self.server._command(f"ALTER SYSTEM SET {setting}")
        self.server.stop()
        self.server.start()

    def base_backup(self) -> None:
        done = subprocess.run(
            [
                str(self.server.program("pg_basebackup")), "--dbname", self.server.dsn_for("postgres"),
                "--pgdata", str(self.folder / "base"), "--checkpoint", "fast",
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def name_this_moment(self, name: str) -> None:
        self.server._command(f"SELECT pg_create_restore_point('{name}')")

    def all_archived(self) -> None:
        ((segment,),) = self.server._command("SELECT pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + ARCHIVED_WITHIN_S
        while not (self.archive / segment).exists():
            assert time.monotonic() < deadline, "the log was not archived"
            time.sleep(0.1)  # noqa: TID251 -- waiting for another process

    def restored_to(self, name: str) -> PrivatePostgreSQL:
        """Another cluster, as this one was at a moment."""
        other = PrivatePostgreSQL(self.folder / "restored")
        data = other.folder / "data"
        data.parent.mkdir(parents=True)
        (self.folder / "base").rename(data)
        with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as configuration:
            configuration.write(
                f"\nrestore_command = 'cp {self.archive}/%f %p'\nrecovery_target_name = '{name}'\n"
                "recovery_target_action = 'promote'\narchive_mode = off\n"
            )
        (data / "recovery.signal").touch()
        places.remember(other.folder, {"password": self.server.password})
        account = places.recall(self.server.folder) and _account_of(self.server.folder / "data")
        for path in (data, *data.rglob("*")):
            os.chown(path, *account, follow_symlinks=False)
        other.start()
        deadline = time.monotonic() + ARCHIVED_WITHIN_S
        while other._command("SELECT pg_is_in_recovery()") != [(False,)]:
            assert time.monotonic() < deadline, "the restored cluster did not come out of recovery"
            time.sleep(0.1)  # noqa: TID251 -- waiting for another process
        return other


def _account_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


def put_back(restored: PrivatePostgreSQL, live: PrivatePostgreSQL, database: str) -> None:
    """One database of the restored cluster in place of the live one's, with the tools of docs/backup.md."""
    dump = restored.folder / "one.dump"
    subprocess.run(
        [str(live.program("pg_dump")), "--format=custom", f"--file={dump}", restored.dsn_for(database)], check=True
    )
    live.drop(database)
    subprocess.run([str(live.program("pg_restore")), f"--dbname={live.dsn_for(database)}", str(dump)], check=True)


@pytest.fixture
def archiving(server_folder):
    folder = server_folder / "archiving"
    folder.mkdir()
    folder.chmod(0o777)
    made = Archiving(folder)
    made.start()
    yield made
    made.server.kill()


def rows(application, *, without):
    found = {}
    with reading(application.at_hand.engine) as db:
        for table in application.definition.tables.sorted_tables:
            columns = [column for column in table.c if f"{table.name}.{column.name}" not in without]
            found[table.name] = sorted(
                json.dumps([str(value) for value in row], ensure_ascii=False) for row in db.execute(select(*columns))
            )
    return found


def gridwhistle(settings, *arguments):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
    return subprocess.run(
        [sys.executable, "-c", "from deploy.launcher.cli import main; main()", *arguments],
        env=kept | settings.environment(), cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip


UNTOLD = {
    "intake": {"milestones.position", "demands.registered_by", "supplements.supplement_id"},
    "dispatch": {
        "matter_steps.position", "matter_steps.detail", "whistle_answers.position", "climbs.position",
        "early_events.position",
    },
}  # fmt: skip


def test_two_services_restored_one_after_the_other_and_the_suite_is_whole(archiving, tmp_path):
    pack = packs.load(PACK)
    settings = replace(
        trial_settings(tmp_path, "jianwai", port_base=20_000),
        database_url=archiving.server.url_for("postgres").rsplit("/", 1)[0] + "/kept_{service}",
        broker_url=None,
    )
    start = demands.instant(pack, demands.working_days(pack, FIRST_DAY)[0], OPENS)
    suite = Suite.open(settings, pack, start)
    for application in suite.applications.values():
        migrate(application.at_hand.engine, application.definition)
    # Serials with gaps, as transactions that were rolled back leave them.
    with writing(suite.applications["intake"].at_hand.engine) as db:
        db.execute(text("SELECT setval(pg_get_serial_sequence('demands', 'serial'), 500)"))
        db.commit()
    archiving.base_backup()
    moments = []

    def look(progress):
        if not moments and progress.share >= MOMENT:
            archiving.name_this_moment("a-while-ago")
            moments.append(suite.clock.now())
            with writing(suite.applications["intake"].at_hand.engine) as db:
                db.execute(text("SELECT nextval(pg_get_serial_sequence('demands', 'serial'))"))
                db.commit()

    Player(suite, demands.read(PACK)[::EVERY], first_day=FIRST_DAY, seed=11).play(look)
    archiving.all_archived()
    before = {name: rows(suite.applications[name], without=UNTOLD[name]) for name in UNTOLD}
    books = {name: told_by(suite.applications[name]) for name in UNTOLD}
    for application in suite.applications.values():
        application.at_hand.engine.dispose()

    restored = archiving.restored_to("a-while-ago")
    try:
        for name in UNTOLD:
            put_back(restored, archiving.server, f"kept_{name}")
    finally:
        restored.kill()
    for name, untold in UNTOLD.items():
        assert rows(suite.applications[name], without=untold) != before[name]
        recover(settings, name, since=moments[0], until=suite.clock.now())

    for name, untold in UNTOLD.items():
        application = suite.applications[name]
        after = rows(application, without=untold)
        for table in before[name]:
            assert after[table] == before[name][table], (name, table)
        assert told_by(application) == books[name]
        with reading(application.at_hand.engine) as db:
            kept = db.execute(select(interventions)).one()
        assert (kept.kind, kept.detail["state"]) == ("recover", "done")
    life_goes_on(suite)


def told_by(application):
    with reading(application.at_hand.engine) as db:
        return {row.message_id: bytes(row.envelope) for row in db.execute(select(outbox))}


def recover(settings, name, *, since, until):
    about = ["recover", "--service", name, "--since", rfc3339(since), "--until", rfc3339(until)]
    looked = gridwhistle(settings, *about, "--reason", "演练", "--dry-run")
    assert looked.returncode == 0, looked.stderr
    assert "transaction(s)" in looked.stdout
    done = gridwhistle(settings, *about, "--reason", "磁盘损坏，从备份恢复 disk lost, restored", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["transactions"] > 0
    assert (told["left"], told["gone"]) == ([], {})


def life_goes_on(suite):
    """The next demand gets the next serial, and reaches everybody."""
    clerk = suite.actor("street-clerk-jianwai")
    reply = suite.execute(
        "intake.register-demand", {"channel": "web", "text": "恢复之后的第一件诉求", "location": {}}, clerk
    ).body
    with reading(suite.applications["intake"].at_hand.engine) as db:
        serials = list(db.execute(select(registered.c.serial).order_by(registered.c.serial)).scalars())
    assert int(reply["number"][9:]) == serials[-1] == serials[-2] + 1
    for name in SERVICES:
        with reading(suite.applications[name].at_hand.engine) as db:
            assert db.execute(text("SELECT count(*) FROM parked")).scalar_one() == 0
    with reading(suite.applications["dispatch"].at_hand.engine) as db:
        assert db.execute(text("SELECT state FROM matters WHERE id = :id"), {"id": reply["matter_id"]}).scalar_one()
