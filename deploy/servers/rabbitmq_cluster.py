"""A private RabbitMQ cluster: several nodes on this machine that are one broker, to see what the loss of one costs.

Never for production, where each node has a machine to itself (deploy/rabbitmq/cluster): here one power cut takes all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self
from urllib.parse import quote

from deploy.servers import debian
from deploy.servers import folder as places
from deploy.servers.errors import ServerFailed
from deploy.servers.ports import LOOPBACK, kept_port
from deploy.servers.process import KeptProcess
from deploy.servers.rabbitmq import Membership, PrivateRabbitMQ, started_epmd


class PrivateRabbitMQCluster:
    """A cluster below `folder`; a context manager that starts and stops it."""

    def __init__(self, folder: Path | str, *, size: int = 3, say: Callable[[str], None] = lambda _line: None) -> None:
        """`say` hears about an installation. Nothing runs yet."""
        self.folder = Path(folder).resolve()
        self._size = size
        self._say = say
        self._epmd: KeptProcess | None = None
        #: The nodes, once started; each may be stopped, killed and started by itself.
        self.nodes: tuple[PrivateRabbitMQ, ...] = ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start every node that does not run, the first one before the others. Raises ServerError."""
        debian.ensure(debian.RABBITMQ, self._say)
        if not self.nodes:
            self._make()
        if self._epmd is None:
            kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "TZ") if name in os.environ}
            self._epmd = started_epmd(self.folder, self._epmd_port, kept)
        if not (self.nodes[0].folder / "mnesia").exists():
            # The others join it. Later on every node waits for those that ran last, so all are started at once.
            self.nodes[0].start()
        with ThreadPoolExecutor(self._size) as pool:
            list(pool.map(PrivateRabbitMQ.start, self.nodes))

    def kill(self) -> None:
        """SIGKILL of every node and of epmd."""
        for node in self.nodes:
            node.kill()
        if self._epmd is not None:
            self._epmd.end("KILL")
            self._epmd = None

    def addresses(self) -> list[tuple[str, int]]:
        """Where AMQP clients may connect to, one for each node."""
        return [(LOOPBACK, node.port) for node in self.nodes]

    def url_for(self, vhost: str) -> str:
        """AMQP address of a virtual host at a node that runs; made when it is not there. Raises ServerFailed."""
        return self.running()[0].url_for(vhost)

    def running(self) -> list[PrivateRabbitMQ]:
        """The nodes that run. Raises ServerFailed when there is none."""
        found = [node for node in self.nodes if node.running]
        if not found:
            raise ServerFailed("No node of the cluster is running.", "Call start() first.")
        return found

    def members(self, vhost: str, queue: str) -> dict[str, list[str]]:
        """Names of the nodes of one quorum queue: its `members`, those `online`, and its `leader`."""
        found = self.running()[0].manage("GET", f"/api/queues/{quote(vhost, safe='')}/{quote(queue, safe='')}")
        leader = found.get("leader")
        return {
            "members": sorted(found.get("members", [])),
            "online": sorted(found.get("online", [])),
            "leader": [leader] if leader else [],
        }

    def named(self, node: str) -> PrivateRabbitMQ:
        """A node by its name. Raises StopIteration when there is none of that name."""
        return next(each for each in self.nodes if each.node == node)

    def _make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        remembered = places.recall(self.folder)
        cookie = remembered.get("cookie") or places.new_password()
        password = remembered.get("password") or places.new_password()
        self._epmd_port = kept_port(remembered.get("epmd"))
        places.remember(self.folder, {"cookie": cookie, "password": password, "epmd": self._epmd_port})
        names = tuple(f"gridwhistle{number}@localhost" for number in range(1, self._size + 1))
        self.nodes = tuple(
            PrivateRabbitMQ(
                self.folder / name.partition("@")[0],
                say=self._say,
                membership=Membership(
                    node=name, nodes=names, epmd_port=self._epmd_port, cookie=cookie, password=password
                ),
            )
            for name in names
        )
