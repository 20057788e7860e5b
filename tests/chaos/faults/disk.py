"""The databases' disk full, and free again. Only where PostgreSQL lies on a small disk of its own (small_disk)."""

from __future__ import annotations

from tests.chaos.faults.fault import FULL, Fault, Struck
from tests.chaos.small_disk import fill, free


def _fill(world, dice):
    del dice
    fill(world.postgresql.folder)
    return Struck(what="PostgreSQL's disk")


def _free(world, struck):
    del struck
    free(world.postgresql.folder)
    # Without room for its log PostgreSQL stops; whoever runs it starts it again.
    world.postgresql.start()


FAULTS = (
    Fault(
        kind="database-disk-full", modes=frozenset({FULL}), hold_s=(2, 6), strike=_fill, heal=_free,
        needs=frozenset({"small-disk"}),
        how="PostgreSQL on a small file system that is filled to the last byte, and freed some seconds later",
    ),
)  # fmt: skip
