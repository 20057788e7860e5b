"""What notify counts beyond what every service counts: deliveries by channel and result, what waits, broken plugins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.notify import notice_repository, repository
from shared.contracts import notify
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.metrics import ServiceMetrics

#: Notices given up are counted by index.
_WINDOW = timedelta(days=1)
_NOTICES = {notify.NoticeDelivered: "delivered", notify.NoticeFailed: "failed"}


def observe(event: Any, metrics: ServiceMetrics) -> None:
    """Count messages that came to an end, once that is committed."""
    if isinstance(event, notify.MessageDelivered | notify.MessageFailed):
        deliveries = metrics.counter("deliveries_total", "Messages by channel and end", ("channel", "result"))
        result = "delivered" if isinstance(event, notify.MessageDelivered) else "failed"
        deliveries.labels(metrics.service, event.channel, result).inc()
    if type(event) in _NOTICES:
        sent = metrics.counter("notices_total", "Notices to people at work by channel and end", ("channel", "result"))
        sent.labels(metrics.service, event.channel, _NOTICES[type(event)]).inc()


def refresh(work: UnitOfWork, metrics: ServiceMetrics) -> None:
    """Set the gauges at a scrape."""
    lost = metrics.gauge(
        "notices_given_up_last_day", "Notices to people at work that no channel took in the last 24 hours"
    )
    lost.labels(metrics.service).set(notice_repository.failed_since(work.db, work.now - _WINDOW))
    waiting = metrics.gauge("messages", "Messages that wait, are being sent, or have failed", ("state",))
    for state, number in repository.unfinished(work.db).items():
        waiting.labels(metrics.service, state).set(number)
    errors = metrics.gauge("plugin_errors", "How often a plugin raised what it may not, since the start", ("plugin",))
    for plugin in work.at_hand.plugins.every:
        errors.labels(metrics.service, plugin.name).set(work.at_hand.plugins.raised[plugin.group, plugin.name])
    failed = metrics.gauge("plugins_failed", "Plugins that could not be loaded")
    failed.labels(metrics.service).set(len(work.at_hand.plugins.failed()))
