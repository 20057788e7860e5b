"""The world that the rig breaks: the suite in full mode, its broker and database, and a proxy in front of each.

All processes of the suite connect through the proxies; the rig itself connects directly. Faults break it through this;
the judge looks at it. It must never touch a table or a queue in order to put something right.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ
from shared.contracts.topology import SERVICES
from shared.kernel.clock import SteppedClock
from tests.chaos.proxy import Proxy
from tests.chaos.small_disk import is_small
from tests.chaos.suite import FullSuite
from tests.chaos.supervise import HELD, ORDER

#: As many of each, so that there are others to take over.
REPLICAS = {"dispatch": 2, "oversight": 2}
#: Shorter than what faults hold back, so that both is met: late, and later than anybody waits for.
DEADLINES = {"database_deadline": 5.0, "confirm_deadline": 3.0, "broker_heartbeat": 5}
#: Seconds within which everything must be ready again after a fault.
READY_WITHIN_S = 120
SUPERVISE = "import ctypes; ctypes.CDLL(None).prctl(1, 15, 0, 0, 0); from tests.chaos.supervise import main; main()"


class World(FullSuite):
    """A running suite that can be broken.

    Beside what FullSuite has (folder, settings, client, engines[service], running(), found(name), starts(name),
    kill(name), until(condition, seconds), until_ready(), until_at_rest(), stop()):
    broker, postgresql, broker_proxy, database_proxy, clock, offers, pause(name), resume(name), hold_down(name),
    let_up(name).
    """

    mode = "full"
    program = SUPERVISE

    def __init__(
        self, folder, broker: PrivateRabbitMQ, postgresql: PrivatePostgreSQL, *, name="chaos", replicas=None, **more
    ):
        """`broker` (or a cluster) and `postgresql` run. `name`: of virtual host and databases. Nothing is started."""
        self.broker = broker
        self.postgresql = postgresql
        self.name = name
        self.replicas = REPLICAS if replicas is None else replicas
        nodes = getattr(broker, "nodes", ())
        self._direct_broker, broker_port = broker.url_for(name), (nodes[0] if nodes else broker).port
        base = postgresql.url_for("postgres").rsplit("/", 1)[0]
        self._direct_database = f"{base}/{name}_{{service}}"
        for service in SERVICES:
            postgresql.url_for(f"{name}_{service}")
        self.broker_proxy = Proxy("127.0.0.1", broker_port)
        self.database_proxy = Proxy("127.0.0.1", postgresql.port)
        self.broker_proxy.start()
        self.database_proxy.start()
        if nodes:
            self.broker_proxy.upstreams(broker.addresses())
        self.clock = SteppedClock(folder / "clock.offset")
        super().__init__(
            folder,
            self._direct_broker.replace(f":{broker_port}/", f":{self.broker_proxy.port}/"),
            self._direct_database.replace(f":{postgresql.port}/", f":{self.database_proxy.port}/"),
            clock_file=folder / "clock.offset",
            **(DEADLINES | more),
        )
        #: What faults may need and this world has (`Fault.needs`).
        self.offers = frozenset(
            name
            for name, there in (
                ("root", os.geteuid() == 0),
                ("cluster", bool(nodes)),
                ("one-broker", not nodes),
                ("small-disk", is_small(postgresql.folder)),
            )
            if there
        )

    def direct_database(self, service):
        """The database's own address."""
        return self._direct_database.replace("{service}", service)

    def direct_broker(self):
        """The broker's own address."""
        if "cluster" in self.offers:
            return self.broker.url_for(self.name)  # at a node that runs
        return self._direct_broker

    def now(self):
        """The suite's present: its clock may be stepped."""
        return self.clock.now()

    def step_clock(self, seconds):
        """Move the clock of every process of the suite, forward or back."""
        self.clock.advance(timedelta(seconds=seconds))

    # -- running it ----------------------------------------------------------------------------------------------

    def up(self, *, reverse=False, ready_within=READY_WITHIN_S):
        """Start the suite. From the main thread."""
        os.environ.pop(ORDER, None)
        if reverse:
            os.environ[ORDER] = "reverse"
        (self.settings.data_dir / HELD).mkdir(parents=True, exist_ok=True)
        pairs = [argument for pair in self.replicas.items() for argument in ("--replicas", "{}={}".format(*pair))]
        self.start(*pairs, ready_within=ready_within)
        for node in getattr(self.broker, "nodes", (self.broker,)):
            node.settle()

    def end(self):
        """Stop everything of this world; the servers go on."""
        for each in self.running():
            if each["pid"] is not None:
                _signal(each["pid"], signal.SIGCONT)
        super().end()
        self.broker_proxy.stop()
        self.database_proxy.stop()

    def pause(self, name):
        """SIGSTOP: it stands still and keeps its connections. Returns its pid."""
        pid = self.found(name)["pid"]
        if pid is not None:
            _signal(pid, signal.SIGSTOP)
        return pid

    def resume(self, pid):
        """SIGCONT, by the pid that `pause` returned; nothing when it has ended."""
        if pid is not None:
            _signal(pid, signal.SIGCONT)

    def hold_down(self, name):
        """End a process by SIGKILL and keep it from being started again until `let_up`."""
        (self.settings.data_dir / HELD / name).touch()
        pid = self.found(name)["pid"]
        if pid is not None:
            _signal(pid, signal.SIGKILL)

    def let_up(self, name):
        """Let the supervisor start it again; nothing when it is not held."""
        (self.settings.data_dir / HELD / name).unlink(missing_ok=True)

    def is_ready(self):
        """Whether every process is ready, and none has died that the supervisor did not notice yet."""
        return super().is_ready() and all(_lives(each["pid"]) for each in self.running())

    def until(self, condition, seconds, every=0.1):
        """As FullSuite's; the message names what is not ready."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"the suite ended: {_tail(self.output)}"
            if time.monotonic() > deadline:
                waiting = [each["name"] for each in self.running() if not each["ready"]]
                raise AssertionError(f"still waiting after {seconds:.0f} s; not ready: {waiting}; {_tail(self.output)}")
            time.sleep(every)  # noqa: TID251 -- waiting for other processes


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _lives(pid):
    """Whether a process is there and no zombie."""
    try:
        # The name, in parentheses, may hold anything; the state follows it.
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def _tail(path):
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
