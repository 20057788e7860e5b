"""Worlds for the tests: a whole suite on this session's servers, thrown away afterwards."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from deploy.servers import PrivatePostgreSQL
from tests.chaos import run
from tests.chaos.small_disk import may_mount, small_disk
from tests.chaos.world import World


@pytest.fixture
def small_postgresql(server_folder):
    """A PostgreSQL on a disk that may be filled; on the machine's own where we may not mount one."""
    folder = server_folder / "postgresql-small"
    with small_disk(folder, run.DISK_MIB) if may_mount() else nullcontext(), PrivatePostgreSQL(folder) as server:
        yield server


@pytest.fixture
def full_world(rabbitmq, small_postgresql, tmp_path_factory):
    """A suite in full mode that runs."""
    world = World(tmp_path_factory.mktemp("chaos"), rabbitmq, small_postgresql, name="chaos_short")
    try:
        world.up()
        yield world
    finally:
        world.end()
        rabbitmq.drop(world.name)
