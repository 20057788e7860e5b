"""`gridwhistle up`, with two things that ours cannot be told: keep a process down, and start in reverse order.

It must change nothing else: what runs is the product's own supervisor. A file `held/<name>` in the data folder keeps a
process down once it has ended. CHAOS_ORDER=reverse reverses the order. A file `releases/<service>` names a broken build
to start; each process reads the clock through a link of its own.
"""

from __future__ import annotations

import os
import time

from deploy.launcher import cli, supervisor
from deploy.launcher.cli import up
from tests.chaos.broken.release import starting
from tests.chaos.clocks import with_own_clock

#: Folder of the names that are kept down, below the data folder.
HELD = "held"
#: Variable that asks for the reverse order, and the seconds between two starts then.
ORDER, APART_S = "CHAOS_ORDER", 0.4


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


def reversed_plan(settings, replicas, *, planned=supervisor.plan):
    """The last first, each a little after the one before."""
    programs = tuple(reversed(planned(settings, replicas)))
    for number, program in enumerate(programs):
        program.start_at = time.monotonic() + number * APART_S
    return programs


def main():
    """`up` with the arguments of the command line."""
    if os.environ.get(ORDER) == "reverse":
        supervisor.plan = reversed_plan
    up.Supervisor = HoldingSupervisor
    cli.main()
