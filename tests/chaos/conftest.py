"""Worlds for the tests: a whole suite on this session's servers, thrown away afterwards."""

from __future__ import annotations

import pytest

from shared.contracts.topology import SERVICES
from tests.chaos.world import World


@pytest.fixture
def full_world(rabbitmq, postgresql, tmp_path_factory):
    """A suite in full mode that runs."""
    world = World(tmp_path_factory.mktemp("chaos"), rabbitmq, postgresql, name="chaos_short")
    try:
        world.up()
        yield world
    finally:
        world.end()
        rabbitmq.drop(world.name)
        for service in SERVICES:
            postgresql.drop(f"{world.name}_{service}")
