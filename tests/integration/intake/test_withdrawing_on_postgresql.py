"""The races of leaving and joining, on PostgreSQL: here two transactions really run at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.launcher.suite import Suite
from shared.jurisdiction import load
from shared.kernel.sealing import new_key_text
from shared.runtime.settings import Settings
from tests.unit.intake.conftest import PACK, START
from tests.unit.intake.test_withdrawing import leave_and_join, leave_twice

ROUNDS = 60


@pytest.fixture
def suite(database):
    settings = Settings(
        database_url=database, jurisdiction=Path(), contact_keys=new_key_text(), token_secret="t" * 40,
        link_secret="l" * 40, public_url="http://127.0.0.1",
    )  # fmt: skip
    suite = Suite.open(settings, load(PACK), START, only=["intake"], create_tables=True)
    yield suite
    suite.close()


def test_leaving_and_joining_at_once_loses_nobody(suite):
    leave_and_join(suite, ROUNDS)


def test_leaving_twice_at_once_is_told_once(suite):
    leave_twice(suite, ROUNDS)
