"""Oversight's own gauges and counters."""

from __future__ import annotations

from services.oversight import metrics
from shared.ledger.unit_of_work import look_only


def test_every_label_set_is_there_at_zero_and_then_counts(overseer):
    def shown():
        with look_only(overseer.application.at_hand) as work:
            metrics.refresh(work, overseer.application.metrics)
        return overseer.application.metrics.render().decode()

    before = shown()
    for line in (
        'evaluations_last_day{result="unsatisfied",service="oversight"} 0.0',
        'inspections_total{kind="on-site",service="oversight"} 0.0',
        'trace_position{service="oversight"} 0.0',
    ):
        assert f"gridwhistle_{line}\n" in before
    overseer.opened()
    overseer.closed()
    [asked] = overseer.settle()
    overseer.answer(asked.evaluation_id, satisfied=False)
    overseer.do("record-inspection", matter="m-1", kind="cloud", finding="亮", passed=True)
    after = shown()
    for line in (
        'evaluations_last_day{result="asked",service="oversight"} 1.0',
        'evaluations_last_day{result="satisfied",service="oversight"} 0.0',
        'evaluations_last_day{result="unsatisfied",service="oversight"} 1.0',
        'inspections_total{kind="cloud",service="oversight"} 1.0',
        'trace_position{service="oversight"} 4.0',
    ):
        assert f"gridwhistle_{line}\n" in after
