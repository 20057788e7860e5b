"""`gridwhistle up`, with three things that ours cannot be told: second relays, to keep a process down, reverse order.

It must change nothing else: what runs is the product's own supervisor. A file `held/<name>` in the data folder keeps a
process down once it has ended. CHAOS_ORDER=reverse reverses the order. A file `releases/<name>` names another build to
start instead; each process reads the clock through a link of its own.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from deploy.launcher import cli, supervisor
from deploy.launcher.cli import up
from tests.chaos.builds.release import starting
from tests.chaos.clocks import with_own_clock

#: Folder of the names that are kept down, below the data folder.
HELD = "held"
#: Variable that asks for the reverse order, and the seconds between two starts then.
ORDER, APART_S = "CHAOS_ORDER", 0.2

#: Services with a relay in reserve: two processes, one lease.
TWO_RELAYS = ("intake", "dispatch")


@dataclass(kw_only=True)
class SecondRelay(supervisor.Program):
    """A relay beside the first one of its service, as on a second machine."""

    @property
    def name(self):
        """`relay-dispatch-2`."""
        return f"relay-{self.service}-{self.replica}"


class HoldingSupervisor(supervisor.Supervisor):
    """The product's, but for processes that are kept down."""

    def _start(self, program):
        if (self.settings.data_dir / HELD / program.name).exists():
            program.start_at = time.monotonic() + 0.1
            return
        shared, self.settings = self.settings, with_own_clock(self.settings, program.name)
        try:
            with starting(program, shared.data_dir):
                super()._start(program)
        finally:
            self.settings = shared


def with_reserves(settings, replicas, *, planned=supervisor.plan):
    """The product's plan and the relays in reserve."""
    programs = list(planned(settings, replicas))
    for first in [one for one in programs if one.kind == "relay" and one.service in TWO_RELAYS]:
        second = SecondRelay(
            kind="relay", service=first.service, replica=2, port=first.port + supervisor.REPLICA_OFFSET, log=first.log
        )
        second.log = first.log.with_name(f"{second.name}.log")
        programs.append(second)
    if os.environ.get(ORDER) == "reverse":
        programs.reverse()
        for number, program in enumerate(programs):
            program.start_at = time.monotonic() + number * APART_S
    return tuple(programs)


def main():
    """`up` with the arguments of the command line."""
    supervisor.plan = with_reserves
    up.Supervisor = HoldingSupervisor
    cli.main()
