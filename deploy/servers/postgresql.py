"""A private PostgreSQL: its own cluster, port and password, on loopback, and a database for each name.

PostgreSQL refuses to run as root; then it runs under the package's own account `postgres`. Data is as durable
as in production unless `durable=False` is asked for, which is for tests that never look at durability.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

import psycopg2
import psycopg2.errors

from deploy.servers import debian
from deploy.servers import folder as places
from deploy.servers.errors import ServerFailed, ServerMissing
from deploy.servers.ports import LOOPBACK, kept_port
from deploy.servers.process import Account, KeptProcess, Program

#: The cluster's superuser; its password is generated.
SUPERUSER = "gridwhistle"
#: Account that Debian's package makes.
SYSTEM_ACCOUNT = "postgres"
#: Seconds until the server must answer (a recovery after a kill included).
READY_WITHIN_S = 60.0
#: Seconds one attempt to connect may take.
CONNECT_TIMEOUT_S = 3
#: Database names that may be asked for: unquoted SQL names.
DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: Signal of each way to stop, as pg_ctl names them.
STOP_SIGNALS = {"smart": "TERM", "fast": "INT", "immediate": "QUIT"}

StopMode = Literal["smart", "fast", "immediate"]


class PrivatePostgreSQL:
    """A PostgreSQL server of our own below `folder`; a context manager that starts and stops it."""

    def __init__(
        self,
        folder: Path | str,
        *,
        durable: bool = True,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`durable=False` switches fsync off. `say` hears about an installation. Nothing runs yet."""
        self.folder = Path(folder).resolve()
        self.durable = durable
        self._say = say
        self._process: KeptProcess | None = None
        #: Seconds the last start took until the server answered.
        self.started_in = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start (making the cluster the first time) and wait until it answers. Raises ServerError."""
        if self.running:
            return
        began = time.monotonic()
        self._bin = debian.ensure(debian.POSTGRESQL, self._say)
        self.folder.mkdir(parents=True, exist_ok=True)
        account = _account()
        if account is not None:
            places.open_way(self.folder, account)
        remembered = places.recall(self.folder)
        self.password: str = remembered.get("password") or places.new_password()
        if not hasattr(self, "port"):
            self.port: int = kept_port(remembered.get("port"))
        places.remember(self.folder, {"port": self.port, "password": self.password})
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            self._initialise(data, account)
        self._process = KeptProcess(self._program(data, account))
        self._process.wait_until(self._answers, READY_WITHIN_S)
        self.started_in = time.monotonic() - began

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop and wait: `smart` waits for clients, `fast` ends sessions, `immediate` needs recovery."""
        if self._process is not None:
            self._process.end(STOP_SIGNALS[mode])
            self._process = None

    def kill(self) -> None:
        """SIGKILL, as a power cut would: the next start recovers from the log."""
        if self._process is not None:
            self._process.end("KILL")
            self._process = None

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """Process id of the postmaster. Raises ServerFailed when it is not running."""
        if self._process is None:
            raise ServerFailed("PostgreSQL is not running.", "Call start() first.")
        return self._process.pid

    def url_for(self, database: str) -> str:
        """SQLAlchemy's URL of a database, made when it is not there. Raises ValueError for a bad name."""
        return self.dsn_for(database).replace("postgresql://", "postgresql+psycopg2://", 1)

    def dsn_for(self, database: str) -> str:
        """The same as libpq's URL, for psycopg2, psql and pgbench."""
        self._create(database)
        return f"postgresql://{SUPERUSER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def drop(self, database: str) -> None:
        """Drop a database, ending its sessions; no error when it is not there."""
        self._command(f"DROP DATABASE IF EXISTS {_checked(database)} WITH (FORCE)")

    def sessions(self) -> list[int]:
        """Process ids of the clients' sessions, without this one."""
        return [
            row[0]
            for row in self._command(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        ]

    def terminate_sessions(self) -> int:
        """End every session of a client, as an administrator would; returns how many."""
        return len(
            self._command(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        )

    def kill_session(self, pid: int) -> None:
        """SIGKILL of one session: the server ends all others and recovers from its log. No-op when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def program(self, name: str) -> Path:
        """Path of one of PostgreSQL's own programs: psql, pgbench, pg_dump."""
        return debian.ensure(debian.POSTGRESQL, self._say) / name

    def _create(self, database: str) -> None:
        try:
            self._command(f"CREATE DATABASE {_checked(database)}")
        except (psycopg2.errors.DuplicateDatabase, psycopg2.errors.UniqueViolation):
            return  # it is there, or someone else made it in this moment

    def _command(self, statement: str) -> list[tuple[Any, ...]]:
        connection = self._connect()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self.password,
            dbname="postgres",
            connect_timeout=CONNECT_TIMEOUT_S,
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _initialise(self, data: Path, account: Account | None) -> None:
        """Initdb: UTF-8, byte order, passwords even on loopback (other people may share the machine)."""
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password + "\n", encoding="ascii")
        if account is not None:
            places.give(data, account)
            os.chown(secret, account.uid, account.gid)
        command = [
            str(self._bin / "initdb"), f"--pgdata={data}", f"--username={SUPERUSER}", f"--pwfile={secret}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8",
        ]  # fmt: skip
        if not self.durable:
            command.append("--no-sync")
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        secret.unlink()
        if done.returncode != 0:
            raise ServerFailed("PostgreSQL's initdb failed.", (done.stdout + done.stderr).strip())

    def _program(self, data: Path, account: Account | None) -> Program:
        safe = "on" if self.durable else "off"
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",  # a socket's path has a length limit that test folders exceed
            "max_connections": "200",
            "shared_buffers": "128MB",
            "fsync": safe,
            "synchronous_commit": safe,
            "full_page_writes": safe,
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %d ",
        }
        command = [str(self._bin / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return Program(
            name="PostgreSQL",
            command=command,
            log=self.folder / "postgresql.log",
            cwd=self.folder,
            stop_signal="INT",
            account=account,
        )


def _account() -> Account | None:
    """The account to run under: None is our own, which is right unless we are root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        raise ServerMissing(
            "PostgreSQL does not run as root, and the account `postgres` is not there.",
            "Install Debian's package postgresql, which makes it, or start this as another user.",
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def _checked(database: str) -> str:
    if not DATABASE_NAME.fullmatch(database):
        message = f"{database!r} is no database name: small letters, digits and underscores, a letter first"
        raise ValueError(message)
    return database
