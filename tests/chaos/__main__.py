"""`python -m tests.chaos`: the long run. Prints progress, the verdict and a table of recoveries; 1 on any finding."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.chaos import again, run
from tests.chaos.faults.fault import EMBEDDED, FULL

#: Where `--write-table` puts the table.
DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
#: Strokes that took longest to deal, shown at the end.
SLOWEST = 20
#: Full mode on three nodes of RabbitMQ, and PostgreSQL on a disk that can be filled: what only those can meet.
CLUSTER = "cluster"
CLUSTER_KINDS = ("node-killed", "node-stopped", "database-disk-full", "broker-link-cut", "publishes-swallowed")
MODES = {"both": (FULL, CLUSTER, EMBEDDED)}
#: Share of lives and of faults that the cluster gets.
CLUSTER_SHARE = 0.05


def main():
    """Run what the command line asks for; returns the exit code."""
    options = _parse()
    if options.judge:
        return again.judged(options.judge, print)
    return max(_play(mode, options) for mode in MODES.get(options.mode, (options.mode,)))


def _parse():
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--mode", choices=(FULL, CLUSTER, EMBEDDED, "both"), default="both",
        help="cluster: full mode on three nodes and a small disk, a twentieth of lives and faults; both: all three",
    )  # fmt: skip
    parser.add_argument("--matters", type=int, default=10_000, help="lives, in each mode")
    parser.add_argument("--faults", type=int, default=200, help="strokes, in each mode")
    parser.add_argument("--clients", type=int, default=12, help="client threads of the producer")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kinds", help="only these faults, divided by commas")
    parser.add_argument("--together", type=float, default=0.15, help="share of strokes that come in pairs")
    parser.add_argument("--hold", type=float, default=1.0, help="factor on how long faults are held")
    parser.add_argument("--folder", type=Path, help="keep everything here; else in a folder that is thrown away")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="only judge a run kept there (full mode) again")
    parser.add_argument("--beside", type=Path, nargs="*", metavar="FOLDER", help="runs kept before: into the table too")
    parser.add_argument("--write-table", action="store_true", help="put the table into docs/reliability.md")
    return parser.parse_args()


def _write(mode, table):
    """Between the marks of the mode."""
    begin, end = f"<!-- recovery: {mode} -->", "<!-- recovery: end -->"
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    DOCUMENT.write_text("\n".join([before + begin, *table, end + after]), encoding="utf-8")


def _play(mode, options):
    began = time.monotonic()

    def say(line):
        print(f"{time.monotonic() - began:7.1f} {line}", flush=True)  # noqa: T201 -- its output

    with ExitStack() as stack:
        folder = options.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gridwhistle-chaos-")))
        folder = folder / mode
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        folder.parent.chmod(0o755)  # PostgreSQL's own account has to reach its data below
        share = CLUSTER_SHARE if mode == CLUSTER else 1
        matters, strokes = int(options.matters * share), int(options.faults * share)
        say(f"{mode} mode, {matters} matters, {strokes} faults, seed {options.seed}, in {folder}")
        if mode == EMBEDDED:
            from tests.chaos.embedded import embedded_world  # noqa: PLC0415 -- only that mode needs it

            world = embedded_world(stack, folder, say=say)
        else:
            world = run.full_world(stack, folder, say=say, cluster=mode == CLUSTER)
        say("the suite is ready")
        kinds = options.kinds.split(",") if options.kinds else CLUSTER_KINDS if mode == CLUSTER else None
        verdict, monkey = run.play(
            world, matters=matters, strokes=strokes, seed=options.seed, clients=options.clients,
            kinds=kinds, together=options.together, hold=options.hold, say=say,
        )  # fmt: skip
        # Runs kept before this one, so that a kind that is rare in one run is not so in the table.
        before = [each / mode / "suite" for each in options.beside or ()]
        table = run.recovery_table(*before, world.folder)
        print("\n".join(table))  # noqa: T201
        if options.write_table:
            _write(mode, table)
        for seconds, kinds in sorted(monkey.spent, reverse=True)[:SLOWEST]:
            say(f"{seconds:5.1f} s for {', '.join(kinds)}")
        say(f"{mode}: {verdict}")
        return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
