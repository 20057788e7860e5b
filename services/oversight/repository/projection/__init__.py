"""What each event does to the read tables: one or two rows per event, the same live and when rebuilding.

Every function may run again and, across streams, in any order: a stream's own events come in order (the ledger
sees to that), those of intake and dispatch about one matter do not. It must never look at the clock or emit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.oversight.repository.projection import calls, clocks, forums, matters, orders
from services.oversight.repository.projection.rows import Mark, Rows

Projection = Callable[[Rows, Any, Mark], None]

#: Event name -> what it does to the tables. Other events are in the trace only.
PROJECTIONS: Mapping[str, Projection] = {
    "intake.demand-registered": matters.demand_registered,
    "intake.demand-withdrawn": matters.demand_withdrawn,
    "intake.matter-opened": matters.matter_opened,
    "intake.matter-located": matters.matter_located,
    "dispatch.matter-classified": matters.matter_classified,
    "dispatch.matter-assigned": matters.matter_assigned,
    "dispatch.matter-accepted": matters.matter_accepted,
    "dispatch.matter-returned": matters.matter_returned,
    "dispatch.matter-escalated": matters.matter_escalated,
    "dispatch.matter-suspended": matters.matter_suspended,
    "dispatch.matter-resumed": matters.matter_resumed,
    "dispatch.matter-resolved": matters.matter_resolved,
    "dispatch.matter-verified": matters.matter_verified,
    "dispatch.matter-reworked": matters.matter_reworked,
    "dispatch.matter-closed": matters.matter_closed,
    "dispatch.matter-reopened": matters.matter_reopened,
    "dispatch.matter-withdrawn": matters.matter_withdrawn,
    "dispatch.clock-started": clocks.clock_started,
    "dispatch.clock-paused": clocks.clock_paused,
    "dispatch.clock-moved": clocks.clock_moved,
    "dispatch.clock-recounted": clocks.clock_recounted,
    "dispatch.clock-warned": clocks.clock_warned,
    "dispatch.clock-breached": clocks.clock_breached,
    "dispatch.clock-stopped": clocks.clock_stopped,
    "dispatch.whistle-blown": calls.whistle_blown,
    "dispatch.whistle-answered": calls.whistle_answered,
    "dispatch.whistle-overdue": calls.whistle_overdue,
    "dispatch.whistle-contested": calls.whistle_contested,
    "dispatch.whistle-contest-decided": calls.whistle_contest_decided,
    "dispatch.whistle-scored": calls.whistle_scored,
    "dispatch.whistle-recounted": calls.whistle_recounted,
    "dispatch.whistle-ended": calls.whistle_ended,
    "deliberation.topic-submitted": forums.topic_submitted,
    "deliberation.ballot-opened": forums.ballot_opened,
    "deliberation.resolution-adopted": forums.resolution_adopted,
    "deliberation.resolution-rejected": forums.resolution_rejected,
    "deliberation.resolution-filed": forums.resolution_filed,
    "oversight.evaluation-requested": forums.evaluation_requested,
    "oversight.evaluation-received": forums.evaluation_received,
    "oversight.inspection-recorded": forums.inspection_recorded,
    "oversight.rectification-ordered": orders.rectification_ordered,
    "oversight.rectification-withdrawn": orders.rectification_withdrawn,
    "dispatch.rectification-assigned": orders.rectification_assigned,
    "dispatch.rectification-overdue": orders.rectification_overdue,
    "dispatch.rectification-reported": orders.rectification_reported,
    "dispatch.rectification-reworked": orders.rectification_reworked,
    "dispatch.rectification-closed": orders.rectification_closed,
}

__all__ = ["PROJECTIONS", "Mark", "Projection", "Rows"]
