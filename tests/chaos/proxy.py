"""A TCP proxy that does what networks do: cuts, refuses, swallows, delays. A process of its own, started by `Proxy`.

    with Proxy("127.0.0.1", 5672) as proxy:         # `upstreams` makes it a load balancer: the first that accepts
        proxy.black_hole("answers")                 # what is sent arrives, no answer comes back
        proxy.heal()

Debian 12 packages no such proxy (toxiproxy is not in it). Run by path with `python -I`: it imports the standard library
alone. It never looks into what it carries, but for one pattern of bytes when told to lose the answer to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

#: Where the proxy listens.
HOST = "127.0.0.1"
#: Directions: what the client sends, what the server answers.
REQUESTS, ANSWERS, BOTH = "requests", "answers", "both"
#: Bytes held back in one direction of one connection before the sender is no longer read, as a full window does.
_WINDOW = 1 << 20
#: SO_LINGER with 0 seconds: closing sends a reset.
_RESET = struct.pack("ii", 1, 0)
#: Seconds to reach one upstream, and to stop.
_CONNECT_S, _STOP_S = 5.0, 5.0


class Proxy:
    """A proxy before one server. Every method returns once it behaves so; a context manager that starts and ends it."""

    def __init__(self, host: str, port: int, *, listen_on: int = 0) -> None:
        """Nothing runs yet. It will listen on a free port unless one is given."""
        self._upstreams = [(host, port)]
        #: Where clients connect to, once started.
        self.port = listen_on
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start the process and wait until it listens."""
        command = [sys.executable, "-I", str(Path(__file__)), str(self.port), json.dumps(self._upstreams)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self._process.stdout.readline())["port"]

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The proxy's process."""
        return self._process.pid

    def url(self, url: str) -> str:
        """The same address by way of the proxy."""
        parts = urlsplit(url)
        account, _, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{account}@{HOST}:{self.port}" if account else f"{HOST}:{self.port}").geturl()

    def heal(self) -> None:
        """Pass everything, what was held back included."""
        self._ask(do="heal")

    def cut(self) -> int:
        """Reset every connection now; new ones are served as before. Returns how many were cut."""
        return self._ask(do="cut")["cut"]

    def refuse(self) -> None:
        """Reset every connection and listen no more until healed."""
        self._ask(do="refuse")

    def black_hole(self, way: str = BOTH) -> None:
        """Swallow, new connections included: they are accepted, and then nothing. Passes on late when healed."""
        self._ask(do="hold", way=way)

    def delay(self, seconds: float, way: str = ANSWERS) -> None:
        """Hand on everything that much later, in order."""
        self._ask(do="delay", seconds=seconds, way=way)

    def lose_answer_to(self, pattern: bytes, times: int = 1) -> None:
        """Next time a client sends `pattern`: let it arrive, await the server's answer, and reset instead of giving it.

        So what was asked for has been done, for certain, and who asked does not know.
        """
        self._ask(do="lose", pattern=pattern.decode("latin-1"), times=times)

    def upstreams(self, upstreams: list[tuple[str, int]]) -> None:
        """Connect new clients to these from now on."""
        self._ask(do="upstreams", upstreams=upstreams)

    def counts(self) -> dict[str, int]:
        """`open` connections, and since the start `opened`, `cut`, `lost` (answers), `unreachable` (upstreams)."""
        return self._ask(do="count")

    def stop(self) -> None:
        """End it; its connections are reset."""
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, **what: object) -> dict[str, int]:
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


# -- the process -----------------------------------------------------------------------------------------------------


class _Network:
    """How the network is just now, for every connection."""

    def __init__(self, upstreams: list[list[object]]) -> None:
        self.upstream_list = upstreams
        self.held: set[str] = set()
        self.delays: dict[str, float] = {}
        self.pattern, self.lose = b"", 0
        self.links: set[_Link] = set()
        self.numbers = {"opened": 0, "cut": 0, "lost": 0, "unreachable": 0}
        self.server: asyncio.Server | None = None
        self.port = 0

    async def listen(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        listener = socket.create_server((HOST, port), backlog=128)
        self.port = listener.getsockname()[1]
        self.server = await loop.create_server(lambda: _Link(self).client, sock=listener)

    async def do(self, what: dict[str, object]) -> dict[str, int]:
        action = what["do"]
        ways = {REQUESTS, ANSWERS} if what.get("way") == BOTH else {str(what.get("way"))}
        if action == "heal":
            self.held, self.delays, self.lose = set(), {}, 0
            if self.server is None:
                await self.listen(self.port)
        elif action == "hold":
            self.held |= ways
        elif action == "delay":
            self.delays |= dict.fromkeys(ways, float(str(what["seconds"])))
        elif action == "lose":
            self.pattern, self.lose = str(what["pattern"]).encode("latin-1"), int(str(what["times"]))
        elif action == "upstreams":
            self.upstream_list = list(what["upstreams"])  # type: ignore[call-overload]
        elif action == "refuse" and self.server is not None:
            self.server.close()
            self.server = None
        if action in {"cut", "refuse"}:
            return {"cut": self._cut()}
        for link in list(self.links):
            link.client.flush()
            link.server.flush()
        return {"open": len(self.links)} | self.numbers

    def _cut(self) -> int:
        links = list(self.links)
        for link in links:
            link.reset()
        self.numbers["cut"] += len(links)
        return len(links)


class _Link:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(self, network: _Network) -> None:
        self.network = network
        self.client, self.server = _End(self, REQUESTS), _End(self, ANSWERS)
        self.doomed = False

    async def reach(self) -> None:
        loop = asyncio.get_running_loop()
        for host, port in self.network.upstream_list:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(loop.create_connection(lambda: self.server, host, port), _CONNECT_S)
                self.client.flush()
                return
        self.network.numbers["unreachable"] += 1
        self.reset()

    def other(self, end: _End) -> _End:
        return self.server if end is self.client else self.client

    def end_passed(self, target: asyncio.Transport) -> None:
        if target.can_write_eof() and not target.is_closing():
            try:
                target.write_eof()
            except OSError:  # it has gone meanwhile
                self.reset()
                return
        if self.client.passed_end and self.server.passed_end:
            self.network.links.discard(self)
            for end in (self.client, self.server):
                if end.transport is not None:
                    end.transport.close()

    def reset(self) -> None:
        self.network.links.discard(self)
        for end in (self.client, self.server):
            if end.transport is not None:
                end.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.transport.abort()


class _End(asyncio.Protocol):
    """One of the two sockets; what it reads goes to the other, `way` says in which direction that is."""

    def __init__(self, link: _Link, way: str) -> None:
        self.link, self.way = link, way
        self.transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._at_end, self.passed_end = False, False
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.way == REQUESTS:
            self.link.network.links.add(self.link)
            self.link.network.numbers["opened"] += 1
            self.link.task = asyncio.get_running_loop().create_task(self.link.reach())

    def data_received(self, data: bytes) -> None:
        network, link = self.link.network, self.link
        if self.way == ANSWERS and link.doomed:
            network.numbers["lost"] += 1
            link.reset()
            return
        if self.way == REQUESTS and network.lose and network.pattern in data:
            network.lose -= 1
            link.doomed = True
        self._waiting.append((time.monotonic() + network.delays.get(self.way, 0.0), data))
        self._size += len(data)
        self.flush()

    def flush(self) -> None:
        """Hand on what may go now."""
        target = self.link.other(self).transport
        if target is not None and self.way not in self.link.network.held:
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                data = self._waiting.popleft()[1]
                self._size -= len(data)
                target.write(data)
            if self._waiting:
                asyncio.get_running_loop().call_at(self._waiting[0][0], self.flush)
            elif self._at_end and not self.passed_end:
                self.passed_end = True
                self.link.end_passed(target)
        self._read_or_not()

    def _read_or_not(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._size > _WINDOW or self._full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        self._of_other(full=True)

    def resume_writing(self) -> None:
        self._of_other(full=False)

    def _of_other(self, *, full: bool) -> None:
        other = self.link.other(self)
        other._full = full
        other._read_or_not()

    def eof_received(self) -> bool:
        self._at_end = True
        self.flush()
        return True  # the other direction may go on

    def connection_lost(self, error: Exception | None) -> None:
        other = self.link.other(self)
        self.transport = None
        if error is not None or not (self.passed_end and other.passed_end):
            self.link.reset()


async def _main() -> None:
    network = _Network(json.loads(sys.argv[2]))
    await network.listen(int(sys.argv[1]))
    print(json.dumps({"port": network.port}), flush=True)  # noqa: T201 -- read by Proxy
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        print(json.dumps(await network.do(json.loads(line))), flush=True)  # noqa: T201 -- read by Proxy


if __name__ == "__main__":
    asyncio.run(_main())
