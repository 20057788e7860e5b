"""What dispatch counts beyond what every service counts (design section 10): no matter or grid as a label, ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from services.dispatch import calendars, climb_repository, connecting, lists
from services.dispatch.domain import ladder
from services.dispatch.domain.clocks import Band
from shared.contracts import claims, dispatch, timing
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.metrics import BUDGET_SHARES, ServiceMetrics

#: From the instant a breach could be known to the scan that saw it, seconds.
_DETECTION_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3_600)
#: From the whistle to the first answer of a department, seconds: minutes to three days.
_REPORT_IN_S = (300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 172_800, 259_200)


#: How far back climbs are compared with what should have caused them, and when a step is too long due.
_CHECKED, _UNSEEN = timedelta(hours=1), timedelta(minutes=5)
#: How long an undeliverable message is shown.
_DAY = timedelta(days=1)


def observe(event: Any, metrics: ServiceMetrics) -> None:
    """Count what is committed."""
    count = _OBSERVERS.get(type(event))
    if count is not None:
        count(event, metrics)


def refresh(work: UnitOfWork, metrics: ServiceMetrics) -> None:
    """Set the gauges at a scrape: open clocks by band and street, and how far the calendar reaches."""
    gauge = metrics.gauge("sla_open_clocks", "Clocks that have not stopped", ("band", "street"))
    counted = lists.open_clocks(work.db, work.now)
    streets = {unit.id for unit in work.jurisdiction.units.values() if unit.level == "street"}
    for street in streets | {street for _, street in counted}:
        for band in Band:
            gauge.labels(metrics.service, band.value, street).set(counted.get((band.value, street), 0))
    calendar = calendars.in_force(work).own
    covered = calendar.instant(calendar.covered_until, 86_400).timestamp()
    metrics.gauge("calendar_covered_until_timestamp_seconds", "End of the published working calendar").labels(
        metrics.service
    ).set(covered)
    oldest = lists.oldest_due_step(work.db)
    behind = 0.0 if oldest is None else max(0.0, (work.now - oldest).total_seconds())
    metrics.gauge("sla_scan_behind_seconds", "Age of the oldest clock step not yet done").labels(metrics.service).set(
        behind
    )
    metrics.gauge("department_deliveries_given_up", "Messages to departments given up by connectors in a day").labels(
        metrics.service
    ).set(connecting.given_up(work.db, work.now - _DAY))
    _check_climbs(work, metrics)


def _check_climbs(work: UnitOfWork, metrics: ServiceMetrics) -> None:
    """Escalations expected against those accounted for: a climb cannot fail silently."""
    expected = missing = 0
    for expecting in ladder.expectations(work.jurisdiction):
        found, unaccounted = climb_repository.unaccounted(work.db, expecting, work.now - _CHECKED)
        expected, missing = expected + found, missing + unaccounted
    missing += climb_repository.overdue_steps(work.db, work.now - _UNSEEN)
    metrics.gauge("escalations_expected", "Steps of clocks in the last hour that should make a matter climb").labels(
        metrics.service
    ).set(expected)
    metrics.gauge(
        "escalations_unaccounted", "Of those, without a climb or a reason; and steps long due that nobody looked at"
    ).labels(metrics.service).set(missing)


def _started(event: dispatch.ClockStarted, metrics: ServiceMetrics) -> None:
    starts = metrics.counter("sla_clock_starts_total", "Clocks started", ("kind", "response_class"))
    starts.labels(metrics.service, event.kind, event.response_class).inc()


def _stopped(event: dispatch.ClockStopped, metrics: ServiceMetrics) -> None:
    stops = metrics.counter("sla_clock_stops_total", "Clocks stopped, by outcome", ("kind", "outcome"))
    stops.labels(metrics.service, event.kind, event.outcome).inc()
    if event.budget_used is not None and event.outcome != "cancelled":
        used = metrics.histogram("sla_budget_used_ratio", "Share of the promised time used", ("kind",), BUDGET_SHARES)
        used.labels(metrics.service, event.kind).observe(event.budget_used)


def _breached(event: dispatch.ClockBreached, metrics: ServiceMetrics) -> None:
    metrics.counter("sla_clock_breaches_total", "Clocks breached", ("kind",)).labels(metrics.service, event.kind).inc()
    if event.detected_at is not None:
        delay = (event.detected_at - event.due_at).total_seconds()
        metrics.histogram("sla_detection_delay_seconds", "From due to seen", (), _DETECTION_S).labels(
            metrics.service
        ).observe(max(0.0, delay))


def _escalated(event: dispatch.MatterEscalated, metrics: ServiceMetrics) -> None:
    climbs = metrics.counter("escalations_total", "Matters that climbed", ("cause", "reason", "to_level"))
    climbs.labels(metrics.service, event.cause, event.reason, event.to_level).inc()
    passed_over = metrics.counter("escalations_skipped_total", "Levels passed over", ("reason",))
    for because in event.skipped_because:
        passed_over.labels(metrics.service, because).inc()


def _stayed(event: dispatch.EscalationSkipped, metrics: ServiceMetrics) -> None:
    stays = metrics.counter(
        "escalations_stayed_total", "Matters that should have climbed and stayed", ("cause", "reason", "because")
    )
    stays.labels(metrics.service, event.cause, event.reason, event.because).inc()


def _classified(event: dispatch.MatterClassified, metrics: ServiceMetrics) -> None:
    classes = metrics.counter("matters_classified_total", "Matters by class", ("response_class", "by"))
    by = "desk" if event.rule == "reclassified" else "rule"
    classes.labels(metrics.service, event.response_class, by).inc()


def _closed(event: dispatch.MatterClosed, metrics: ServiceMetrics) -> None:
    closures = metrics.counter("matters_closed_total", "Matters closed", ("response_class", "level", "on_time"))
    closures.labels(metrics.service, event.response_class, event.level, str(event.on_time).lower()).inc()


def _answered(event: dispatch.WhistleAnswered, metrics: ServiceMetrics) -> None:
    answers = metrics.counter("whistle_answers_total", "Answers by department", ("department", "answer"))
    answers.labels(metrics.service, event.department, event.answer).inc()
    if event.report_in_seconds is not None:
        metrics.histogram(
            "whistle_report_in_seconds", "From the whistle to the first answer", ("department", "late"), _REPORT_IN_S
        ).labels(metrics.service, event.department, str(event.late).lower()).observe(event.report_in_seconds)


def _overdue(event: dispatch.WhistleOverdue, metrics: ServiceMetrics) -> None:
    missed = metrics.counter(
        "whistle_deadlines_missed_total", "Deadlines missed by departments", ("department", "stage")
    )
    for department in event.departments:
        missed.labels(metrics.service, department, event.stage).inc()


def _contested(event: dispatch.WhistleContested, metrics: ServiceMetrics) -> None:
    contests = metrics.counter("whistle_contests_total", "Disputes taken to a level", ("department", "to_level"))
    contests.labels(metrics.service, event.department, event.to_level).inc()


def _contest_decided(event: dispatch.WhistleContestDecided, metrics: ServiceMetrics) -> None:
    decided = metrics.counter("whistle_contests_decided_total", "Disputes decided", ("department", "decision"))
    decided.labels(metrics.service, event.department, event.decision).inc()


def _scored(event: dispatch.WhistleScored, metrics: ServiceMetrics) -> None:
    scores = metrics.histogram(
        "whistle_score", "Scores from 1 to 5 that whistlers gave", ("department", "aspect"), (1, 2, 3, 4, 5)
    )
    for aspect in ("arrival", "quality", "result"):
        scores.labels(metrics.service, event.department, aspect).observe(getattr(event, aspect))


def _claim_reviewed(event: claims.ClaimReviewed, metrics: ServiceMetrics) -> None:
    reviewed = metrics.counter("claims_reviewed_total", "Fulfilled claims looked at, by decision", ("decision",))
    reviewed.labels(metrics.service, event.decision).inc()


def _claim_expired(event: claims.ClaimExpired, metrics: ServiceMetrics) -> None:
    expired = metrics.counter("claims_expired_total", "Claims not done, or not taken, in time", ("taken",))
    expired.labels(metrics.service, str(event.taker is not None).lower()).inc()


def _order_overdue(event: claims.RectificationOverdue, metrics: ServiceMetrics) -> None:
    overdue = metrics.counter(
        "rectifications_overdue_total", "Orders overdue, by the level they rose to", ("to_level",)
    )
    overdue.labels(metrics.service, event.to_level).inc()


def _order_closed(event: claims.RectificationClosed, metrics: ServiceMetrics) -> None:
    closed = metrics.counter("rectifications_closed_total", "Orders closed", ("inside", "on_time"))
    closed.labels(metrics.service, str(event.inside).lower(), str(event.on_time).lower()).inc()


def _extension_decided(event: timing.ExtensionDecided, metrics: ServiceMetrics) -> None:
    _time_decided("extension", metrics, granted=event.granted)


def _suspension_decided(event: timing.SuspensionDecided, metrics: ServiceMetrics) -> None:
    _time_decided("suspension", metrics, granted=event.granted)


def _time_decided(kind: str, metrics: ServiceMetrics, *, granted: bool) -> None:
    decided = metrics.counter("time_requests_decided_total", "More time and rest decided about", ("kind", "granted"))
    decided.labels(metrics.service, kind, str(granted).lower()).inc()


def _recounted(event: timing.ClockRecounted, metrics: ServiceMetrics) -> None:
    recounts = metrics.counter("sla_clock_recounts_total", "Clocks that a new calendar moved", ("kind",))
    recounts.labels(metrics.service, event.kind).inc()


def _whistle_recounted(event: dispatch.WhistleRecounted, metrics: ServiceMetrics) -> None:
    recounts = metrics.counter("whistle_recounts_total", "Deadlines of calls that a new calendar moved", ("stage",))
    recounts.labels(metrics.service, event.stage).inc(len(event.departments))


_OBSERVERS: dict[type[Any], Callable[[Any, ServiceMetrics], None]] = {
    dispatch.ClockStarted: _started,
    dispatch.ClockStopped: _stopped,
    dispatch.ClockBreached: _breached,
    dispatch.MatterEscalated: _escalated,
    dispatch.MatterClassified: _classified,
    dispatch.MatterClosed: _closed,
    dispatch.EscalationSkipped: _stayed,
    dispatch.WhistleAnswered: _answered,
    dispatch.WhistleOverdue: _overdue,
    dispatch.WhistleContested: _contested,
    dispatch.WhistleContestDecided: _contest_decided,
    dispatch.WhistleScored: _scored,
    claims.ClaimReviewed: _claim_reviewed,
    claims.ClaimExpired: _claim_expired,
    claims.RectificationOverdue: _order_overdue,
    claims.RectificationClosed: _order_closed,
    timing.ExtensionDecided: _extension_decided,
    timing.SuspensionDecided: _suspension_decided,
    timing.ClockRecounted: _recounted,
    dispatch.WhistleRecounted: _whistle_recounted,
}
