"""Where the servers' programs are, and their installation from Debian when they are absent and we are root.

The packaged services are never started: the programs are wanted, not a server on the system's own ports.
Nothing is installed unless a server is asked for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.servers.errors import ServerMissing

#: Debian's hook that is asked before a package's service is started; 101 says "not allowed".
POLICY_HOOK = Path("/usr/sbin/policy-rc.d")
#: The hook's text while we install.
POLICY_TEXT = "#!/bin/sh\n# Written by gridwhistle for the time of one installation.\nexit 101\n"
#: Seconds that one apt-get command may take.
APT_TIMEOUT_S = 900
#: Seconds that apt-get waits for another installation to finish.
APT_LOCK_TIMEOUT_S = 300


@dataclass(frozen=True)
class ServerPackage:
    """A server as Debian packages it."""

    #: Shown in messages: "RabbitMQ".
    name: str
    #: Debian's package.
    package: str
    #: Finds the folder with its programs, None when absent.
    find: Callable[[], Path | None]


def rabbitmq_folder() -> Path | None:
    """The folder of RabbitMQ's own scripts (not Debian's wrapper, which insists on its own account)."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"), key=_version_key)
    if found and shutil.which("erl"):
        return found[-1]
    # Elsewhere (a generic build on PATH): the script proper has rabbitmq-env beside it.
    program = shutil.which("rabbitmq-server")
    folder = Path(program).resolve().parent if program else None
    return folder if folder and (folder / "rabbitmq-env").exists() and shutil.which("erl") else None


def postgresql_folder() -> Path | None:
    """The bin folder of the newest PostgreSQL server on this machine (a client alone does not count)."""
    for candidate in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_key, reverse=True):
        if _has_postgresql_server(candidate):
            return candidate
    program = shutil.which("postgres")
    folder = Path(program).resolve().parent if program else None
    return folder if folder and _has_postgresql_server(folder) else None


def prometheus_folder() -> Path | None:
    """The folder of the prometheus program."""
    program = shutil.which("prometheus")
    return Path(program).parent if program else None


RABBITMQ = ServerPackage("RabbitMQ", "rabbitmq-server", rabbitmq_folder)
POSTGRESQL = ServerPackage("PostgreSQL", "postgresql", postgresql_folder)
PROMETHEUS = ServerPackage("Prometheus", "prometheus", prometheus_folder)


def ensure(wanted: ServerPackage, say: Callable[[str], None] = lambda _line: None) -> Path:
    """The folder of a server's programs; installs the Debian package first when it is absent and we are root.

    `say` is told about an installation before it starts. Raises ServerMissing with the command to run.
    """
    folder = wanted.find()
    if folder is not None:
        return folder
    remedy = (
        f"Install it: sudo apt-get install --no-install-recommends {wanted.package}"
        " (and stop the packaged service: the suite starts its own, or is given an address)."
    )
    if shutil.which("apt-get") is None:
        raise ServerMissing(f"{wanted.name} is not installed and this is not Debian.", f"Install {wanted.package}.")
    if os.geteuid() != 0:
        raise ServerMissing(f"{wanted.name} is not installed and only root can install it.", remedy)
    say(f"Installing {wanted.name} from Debian (package {wanted.package}); about a minute")
    with _services_not_started():
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", wanted.package)
    folder = wanted.find()
    if folder is None:
        raise ServerMissing(f"{wanted.package} is installed, but {wanted.name} was not found in it.", remedy)
    return folder


def _apt_get(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["apt-get", "-o", f"DPkg::Lock::Timeout={APT_LOCK_TIMEOUT_S}", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=APT_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise ServerMissing(
            f"apt-get {' '.join(arguments)} failed with exit code {done.returncode}.",
            f"Mend the cause and try again:\n{tail}",
        )


@contextmanager
def _services_not_started() -> Iterator[None]:
    """While inside, package scripts start no service. A hook that is already there is left as it is."""
    if POLICY_HOOK.exists():
        yield
        return
    POLICY_HOOK.write_text(POLICY_TEXT, encoding="ascii")
    POLICY_HOOK.chmod(0o755)
    try:
        yield
    finally:
        POLICY_HOOK.unlink(missing_ok=True)


def _has_postgresql_server(folder: Path) -> bool:
    return all((folder / program).exists() for program in ("postgres", "initdb"))


def _version_key(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.parent.name)]
