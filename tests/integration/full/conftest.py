"""The whole suite in full mode, started as an operator starts it, on servers of this session."""

from __future__ import annotations

import json

import pytest

from shared.contracts.topology import SERVICES
from tests.chaos.suite import FullSuite


@pytest.fixture(scope="module")
def full_suite(rabbitmq, postgresql, tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    database_url = postgresql.url_for("postgres").rsplit("/", 1)[0] + "/full_{service}"
    suite = FullSuite(folder, rabbitmq.url_for("full"), database_url)
    yield suite
    suite.end()
    rabbitmq.drop("full")
    for name in SERVICES:
        postgresql.drop(f"full_{name}")
    errors = [
        line
        for log in (folder / "logs").glob("*.log")
        for line in log.read_text(encoding="utf-8").splitlines()
        if not line.startswith("{") or json.loads(line)["level"] in ("ERROR", "CRITICAL")
    ]
    print("\n".join(errors[:20]))  # noqa: T201 -- shown when a test failed
