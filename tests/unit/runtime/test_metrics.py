"""Metrics: every label set that is known starts at 0, and what happens is counted once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.launcher.suite import Suite
from shared.jurisdiction import load
from shared.kernel.errors import Invalid
from shared.runtime.metrics import RESULTS

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
DEMAND = {"channel": "web", "text": "灯不亮", "location": {"address": "光华东里1号楼"}}


@pytest.fixture
def suite():
    suite = Suite.in_memory(load(PACK), datetime(2026, 11, 16, 1, 0, tzinfo=UTC), only=["intake"])
    yield suite
    suite.close()


def value(suite, name, **labels):
    found = suite.applications["intake"].metrics.registry.get_sample_value(name, {"service": "intake", **labels})
    assert found is not None, f"{name} {labels} is not there"
    return found


def test_every_command_starts_at_zero(suite):
    for command in suite.applications["intake"].definition.commands:
        for result in RESULTS:
            assert value(suite, "gridwhistle_requests_total", command=command, result=result) == 0


def test_done_and_refused_are_counted_apart(suite):
    suite.execute("intake.register-demand", DEMAND, "grid-worker-guanghua-dongli-1")
    with pytest.raises(Invalid):
        suite.execute("intake.register-demand", {}, "grid-worker-guanghua-dongli-1")
    name, command = "gridwhistle_requests_total", "intake.register-demand"
    assert value(suite, name, command=command, result="ok") == 1
    assert value(suite, name, command=command, result="rejected") == 1
    assert value(suite, name, command=command, result="error") == 0
    assert value(suite, "gridwhistle_events_emitted_total", event="intake.matter-opened") == 1
