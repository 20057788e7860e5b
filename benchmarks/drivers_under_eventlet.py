"""Which PostgreSQL driver lets a service breathe under eventlet, and what each costs: the figures of docs/adr/0004.

Starts a private PostgreSQL, then measures each driver in a process of its own (a patch is for a whole process):
eight green threads in pg_sleep(0.5), while a ninth counts how often it gets to run; then transactions of three inserts
by eight green threads, beside pgbench's two-insert transaction on the same server. Drivers that are not installed are
left out: `pip install pg8000 psycopg[binary]` adds them. Ratios are what to read; the machine is shared.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GREEN_THREADS = 8
SLEEP_S = 0.5
#: Seconds of the transaction measurement.
MEASURE_S = 6.0
VARIANTS = {
    "psycopg2, patched": ("psycopg2", "postgresql+psycopg2", {"patch_driver": True}),
    "psycopg2, driver not patched": ("psycopg2", "postgresql+psycopg2", {"patch_driver": False}),
    "pg8000 (pure Python)": ("pg8000", "postgresql+pg8000", {"patch_driver": False}),
    "psycopg 3 as it is": ("psycopg", "postgresql+psycopg", {"patch_driver": False}),
    "psycopg 3, wait_select": ("psycopg", "postgresql+psycopg", {"patch_driver": False, "select": True}),
}


def main() -> None:
    """Measure every installed driver and print a table."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from benchmarks import raw  # noqa: PLC0415 -- the measuring child must not import all that unpatched
    from deploy.servers import PrivatePostgreSQL  # noqa: PLC0415 -- as above

    with tempfile.TemporaryDirectory(prefix="gridwhistle-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with PrivatePostgreSQL(Path(folder) / "postgresql") as server:
            yardstick = raw.pgbench(server, int(MEASURE_S), GREEN_THREADS)
            print(f"pgbench, transaction of two inserts, {GREEN_THREADS} clients: {yardstick:,.0f} tx/s\n")
            sleeping = f"{GREEN_THREADS} x pg_sleep({SLEEP_S}), s"
            print(f"| driver | {sleeping} | longest standstill, s | handler tx/s | of pgbench |")
            print("|---|---|---|---|---|")
            for name, (module, dialect, how) in VARIANTS.items():
                if importlib.util.find_spec(module) is None:
                    print(f"| {name} | not installed | | | |")
                    continue
                url = server.dsn_for("bench").replace("postgresql", dialect, 1)
                found = in_a_process(url, how)
                print(
                    f"| {name} | {found['sleep_s']:.2f} | {found['standstill_s']:.2f} | {found['tx_s']:,.0f} |"
                    f" {found['tx_s'] / yardstick:.2f} |"
                )


def in_a_process(url: str, how: dict[str, bool]) -> dict[str, float]:
    """The figures of one driver, measured in a fresh process."""
    environment = dict(os.environ)
    if how.get("select"):
        environment["PSYCOPG_WAIT_FUNC"] = "wait_select"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--measure", url, json.dumps(how)],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(url: str, how: dict[str, bool]) -> dict[str, float]:
    """In the child: patch first, then import everything else."""
    import eventlet  # noqa: PLC0415 -- the patch comes before any other import

    # `all=True`: naming one module alone leaves threading unpatched, and SQLAlchemy's locks would deadlock.
    eventlet.monkey_patch(all=True, psycopg=how["patch_driver"])
    import sqlalchemy as sa  # noqa: PLC0415 -- see above

    engine = sa.create_engine(url, pool_size=GREEN_THREADS, max_overflow=2)
    pool = eventlet.GreenPool(GREEN_THREADS + 1)

    def run(statement: str) -> None:
        with engine.begin() as db:
            db.execute(sa.text(statement))

    list(pool.imap(run, ["SELECT 1"] * GREEN_THREADS))  # connections are made before the clock runs
    beats: list[float] = []
    stop = False

    def beat() -> None:
        while not stop:
            beats.append(time.perf_counter())
            eventlet.sleep(0.01)

    pulse = eventlet.spawn(beat)
    eventlet.sleep(0.05)
    began = time.perf_counter()
    list(pool.imap(run, [f"SELECT pg_sleep({SLEEP_S})"] * GREEN_THREADS))
    slept = time.perf_counter() - began
    eventlet.sleep(0.05)
    stop = True
    pulse.wait()
    standstill = max(later - earlier for earlier, later in itertools.pairwise(beats))

    tables = sa.MetaData()
    made = [
        sa.Table(f"work_{number}", tables, sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("body", sa.Text))
        for number in range(3)
    ]
    tables.drop_all(engine)
    tables.create_all(engine)
    count = 0
    until = time.perf_counter() + MEASURE_S

    def handle(_: int) -> None:
        nonlocal count
        while time.perf_counter() < until:
            with engine.begin() as db:
                for table in made:
                    db.execute(table.insert().values(body="灯不亮" * 30))
            count += 1

    list(pool.imap(handle, range(GREEN_THREADS)))
    return {"sleep_s": slept, "standstill_s": standstill, "tx_s": count / MEASURE_S}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], json.loads(sys.argv[3]))))
    else:
        main()
