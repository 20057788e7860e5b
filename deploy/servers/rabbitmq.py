"""A private RabbitMQ: its own node, data, cookie, distribution port and epmd, so any number run side by side.

Everything listens on 127.0.0.1 and lies below the given folder; the system's own broker, its configuration
and its plugins are neither read nor touched. Debian's wrapper script is bypassed: it insists on the system
account.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import requests

from deploy.servers import debian
from deploy.servers import folder as places
from deploy.servers.errors import ServerFailed, ServerMissing
from deploy.servers.ports import LOOPBACK, kept_port
from deploy.servers.process import KeptProcess, Program

#: The broker's administrator; its password is generated.
ADMINISTRATOR = "gridwhistle"
#: Name of the node. The same everywhere: each instance has an epmd to itself.
NODE = "gridwhistle@localhost"
#: Plugins switched on: the management interface (users, permissions) and metrics.
PLUGINS = ("rabbitmq_management", "rabbitmq_prometheus")
#: Ports an instance uses, by what listens there.
PORT_NAMES = ("amqp", "management", "metrics", "distribution", "epmd")
#: Seconds until the broker must answer (a recovery after a kill included).
READY_WITHIN_S = 90.0
#: Seconds one call to the management interface may take.
CALL_TIMEOUT_S = 10.0
#: Memory above which publishers are held back.
MEMORY_LIMIT = "1GiB"
#: Free disk below which publishers are held back.
DISK_LIMIT = "200MB"
#: Write-ahead log of the quorum queues before it is rolled over; the default of 512 MB is taken from memory.
QUORUM_LOG_BYTES = 64 * 1024 * 1024
#: Processes and atoms that Erlang reserves tables for; a fraction of the default, which is for big brokers.
ERLANG_LIMITS = "+P 131072 +t 1048576 +sbwt none +sbwtdcpu none +sbwtdio none"


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What the nodes of one cluster share (deploy.servers.rabbitmq_cluster), and this one's name in it."""

    node: str
    #: Every node of the cluster, the one first that is there before the others.
    nodes: tuple[str, ...]
    epmd_port: int
    cookie: str
    password: str


class PrivateRabbitMQ:
    """A RabbitMQ broker of our own below `folder`; a context manager that starts and stops it."""

    def __init__(
        self,
        folder: Path | str,
        *,
        say: Callable[[str], None] = lambda _line: None,
        membership: Membership | None = None,
    ) -> None:
        """`say` hears about an installation. Nothing runs yet. With a `membership` it needs the cluster's epmd."""
        self.folder = Path(folder).resolve()
        self._say = say
        self._membership = membership
        self._broker: KeptProcess | None = None
        self._epmd: KeptProcess | None = None
        self._ports: dict[str, int] = {}
        #: The administrator's name, and password once started.
        self.user = ADMINISTRATOR
        self.password = ""
        #: Seconds the last start took until the broker answered.
        self.started_in = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until clients and the management interface are served. Raises ServerError."""
        if self.running:
            return
        began = time.monotonic()
        self._scripts = debian.ensure(debian.RABBITMQ, self._say)
        self.folder.mkdir(parents=True, exist_ok=True)
        remembered = places.recall(self.folder)
        self.password = remembered.get("password") or places.new_password()
        if self._membership is not None:
            self.password = self._membership.password
        if not self._ports:
            ports = remembered.get("ports", {})
            self._ports = {name: kept_port(ports.get(name)) for name in PORT_NAMES}
            if self._membership is not None:
                self._ports["epmd"] = self._membership.epmd_port
        places.remember(self.folder, {"ports": self._ports, "password": self.password})
        self._configure()
        environment = self._environment()
        if self._membership is None:
            self._epmd = started_epmd(self.folder, self._ports["epmd"], environment)
        self._broker = KeptProcess(
            Program(
                name="RabbitMQ",
                command=[str(self._scripts / "rabbitmq-server")],
                log=self.folder / "rabbitmq.log",
                env=environment,
                cwd=self.folder,
                grace=40.0,
            )
        )
        try:
            self._broker.wait_until(self._answers, READY_WITHIN_S)
        except ServerFailed:
            self.kill()
            raise
        self.started_in = time.monotonic() - began

    def stop(self) -> None:
        """Stop cleanly and wait: queues are flushed, connections are closed with a reason."""
        self._end("TERM")

    def kill(self) -> None:
        """SIGKILL, as a power cut would: what was confirmed is there after the next start.

        But RabbitMQ writes the name of a new quorum queue down to a second after it was declared; killed before,
        that queue comes back empty and without a leader. `settle()` right after declaring rules this out.
        """
        self._end("KILL")

    def settle(self) -> None:
        """Make the broker write down the names of all quorum queues declared so far. Raises ServerFailed."""
        self.ctl("eval", "[dets:sync(Table) || Table <- dets:all()].")

    @property
    def node(self) -> str:
        """The node's name."""
        return NODE if self._membership is None else self._membership.node

    @property
    def running(self) -> bool:
        """Whether the broker's process is there."""
        return self._broker is not None and self._broker.running

    @property
    def pid(self) -> int:
        """Process id of the broker. Raises ServerFailed when it is not running."""
        if self._broker is None:
            raise ServerFailed("RabbitMQ is not running.", "Call start() first.")
        return self._broker.pid

    @property
    def port(self) -> int:
        """The port that AMQP clients connect to."""
        return self._ports["amqp"]

    @property
    def url(self) -> str:
        """AMQP address of the virtual host `/`."""
        return self._amqp_url("/")

    @property
    def management_url(self) -> str:
        """Address of the management interface, without credentials (`user`, `password`)."""
        return f"http://{LOOPBACK}:{self._ports['management']}"

    @property
    def metrics_url(self) -> str:
        """Where Prometheus scrapes the broker."""
        return f"http://{LOOPBACK}:{self._ports['metrics']}/metrics"

    def url_for(self, vhost: str) -> str:
        """AMQP address of a virtual host, which is made when it is not there: a clean broker for one test."""
        name = quote(vhost, safe="")
        self.manage("PUT", f"/api/vhosts/{name}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.manage("PUT", f"/api/permissions/{name}/{self.user}", everything)
        return self._amqp_url(vhost)

    def drop(self, vhost: str) -> None:
        """Delete a virtual host with all that is in it; no error when it is not there."""
        self.manage("DELETE", f"/api/vhosts/{quote(vhost, safe='')}", absent_is_fine=True)

    def manage(self, method: str, path: str, body: object = None, *, absent_is_fine: bool = False) -> Any:
        """One call to the management interface (path from /api/); its JSON, or None. Raises ServerFailed."""
        answer = requests.request(
            method,
            self.management_url + path,
            json=body,
            auth=(self.user, self.password),
            timeout=CALL_TIMEOUT_S,
        )
        if answer.status_code == requests.codes.not_found and absent_is_fine:
            return None
        if not answer.ok:
            raise ServerFailed(f"{method} {path} was answered with {answer.status_code}.", answer.text)
        return answer.json() if answer.content else None

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against this broker and return what it printed. Raises ServerFailed."""
        done = subprocess.run(
            [str(self._scripts / "rabbitmqctl"), *arguments],
            env=self._environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"rabbitmqctl {' '.join(arguments)} failed.", done.stdout + done.stderr)
        return done.stdout

    def raise_memory_alarm(self) -> None:
        """Make it believe that it uses too much memory: it reads from publishers no more. Raises ServerError."""
        self.ctl("set_vm_memory_high_watermark", "absolute", "1")

    def raise_disk_alarm(self) -> None:
        """Make it believe that its disk is nearly full: it reads from publishers no more. Raises ServerError."""
        self.ctl("set_disk_free_limit", "1000000GB")

    def clear_alarms(self) -> None:
        """Put both limits back as configured; it reads from publishers again. Raises ServerError."""
        self.ctl("set_vm_memory_high_watermark", "absolute", MEMORY_LIMIT)
        self.ctl("set_disk_free_limit", DISK_LIMIT)

    def alarms(self) -> tuple[str, ...]:
        """The alarms in force now: "memory", "disk" (the management interface is seconds late). Raises ServerError."""
        found = self.ctl("eval", "[A || {{resource_limit, A, _}, _} <- rabbit_alarm:get_alarms()].")
        return tuple(name for name in ("memory", "disk") if name in found)

    def _end(self, signal_name: str) -> None:
        for process in (self._broker, self._epmd):
            if process is not None:
                process.end(signal_name)
        self._broker = self._epmd = None

    def _amqp_url(self, vhost: str) -> str:
        return f"amqp://{self.user}:{self.password}@{LOOPBACK}:{self.port}/{quote(vhost, safe='')}"

    def _configure(self) -> None:
        """Write the broker's files anew at each start; only the data and the cookie outlive it."""
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            secret = places.new_password() if self._membership is None else self._membership.cookie
            cookie.write_text(secret, encoding="ascii")
            cookie.chmod(0o400)
        (self.folder / "enabled_plugins").write_text(f"[{','.join(PLUGINS)}].\n", encoding="ascii")
        (self.folder / "rabbitmq-env.conf").write_text("", encoding="ascii")
        (self.folder / "advanced.config").write_text("[].\n", encoding="ascii")
        lines = {
            "listeners.tcp.1": f"{LOOPBACK}:{self._ports['amqp']}",
            "management.tcp.ip": LOOPBACK,
            "management.tcp.port": self._ports["management"],
            "prometheus.tcp.ip": LOOPBACK,
            "prometheus.tcp.port": self._ports["metrics"],
            "default_user": self.user,
            "default_pass": self.password,
            "default_user_tags.administrator": "true",
            "vm_memory_high_watermark.absolute": MEMORY_LIMIT,
            "disk_free_limit.absolute": DISK_LIMIT,
            "raft.wal_max_size_bytes": QUORUM_LOG_BYTES,
            "log.console": "true",
            "log.file": "false",
            "log.console.level": "info",
            "log.console.use_colors": "off",
        }
        if self._membership is not None:
            lines["cluster_formation.peer_discovery_backend"] = "classic_config"
            # A part without a majority stops instead of going on by itself (deploy/rabbitmq/cluster).
            lines["cluster_partition_handling"] = "pause_minority"
            for number, name in enumerate(self._membership.nodes, 1):
                lines[f"cluster_formation.classic_config.nodes.{number}"] = name
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        configuration = self.folder / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(text, encoding="ascii")

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "TZ") if name in os.environ}
        port = str(self._ports["distribution"])
        loopback_only = "{127,0,0,1}"
        return kept | {
            "HOME": str(self.folder),  # where Erlang looks for its cookie
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._ports["epmd"]),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": port,
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(self.folder / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "config"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (f"{ERLANG_LIMITS} -kernel inet_dist_use_interface {loopback_only}"),
            # Makes the script become the broker instead of waiting for it: signals then reach the broker.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_SERVER_START_ARGS": "-noinput +B i",
        }

    def _answers(self) -> bool:
        if not _listens(self._ports["amqp"]):
            return False
        try:
            return bool(self.manage("GET", "/api/overview"))
        except (requests.RequestException, ServerFailed):
            return False


def started_epmd(folder: Path, port: int, environment: dict[str, str]) -> KeptProcess:
    """Erlang's port mapper, ours alone. Left to itself the broker starts one that nobody ever ends."""
    program = shutil.which("epmd")
    if program is None:
        raise ServerMissing("Erlang's epmd is not on PATH.", "Install Debian's package erlang-base.")
    epmd = KeptProcess(
        Program(
            name="epmd",
            command=[program, "-address", LOOPBACK, "-port", str(port)],
            log=folder / "epmd.log",
            env=environment,
            cwd=folder,
            grace=5.0,
        )
    )
    epmd.wait_until(lambda: _listens(port), READY_WITHIN_S)
    return epmd


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False
