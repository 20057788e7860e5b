"""Deliberation's handlers, by subject: they decide and write, and never commit."""

from __future__ import annotations

from services.deliberation.handlers.ballots import cast_vote, close_ballot, close_due_ballots, open_ballot
from services.deliberation.handlers.matters import (
    on_matter_at_rest,
    on_matter_going_on,
    on_matter_located,
    on_matter_opened,
    on_matter_resolved,
    on_matter_withdrawn,
)
from services.deliberation.handlers.resolutions import adopt_resolution, complete_measure, reject_resolution
from services.deliberation.handlers.topics import give_opinion, open_topic

__all__ = [
    "adopt_resolution",
    "cast_vote",
    "close_ballot",
    "close_due_ballots",
    "complete_measure",
    "give_opinion",
    "on_matter_at_rest",
    "on_matter_going_on",
    "on_matter_located",
    "on_matter_opened",
    "on_matter_resolved",
    "on_matter_withdrawn",
    "open_ballot",
    "open_topic",
    "reject_resolution",
]
