"""Eight green threads asleep in PostgreSQL, and one that counts meanwhile. Prints seconds and count (test_green.py)."""

from __future__ import annotations

# isort: off
import shared.runtime.green  # noqa: F401 -- first

# isort: on
import sys
import time

import eventlet
from sqlalchemy import text

from shared.ledger.engines import open_engine

engine = open_engine(sys.argv[1])
beats = []


def sleep_there():
    with engine.connect() as db:
        db.execute(text("SELECT pg_sleep(0.5)"))


def beat():
    while True:
        eventlet.sleep(0.02)
        beats.append(1)


heart = eventlet.spawn(beat)
began = time.monotonic()
pool = eventlet.GreenPool(8)
for _ in range(8):
    pool.spawn(sleep_there)
pool.waitall()
print(time.monotonic() - began, len(beats))  # noqa: T201
