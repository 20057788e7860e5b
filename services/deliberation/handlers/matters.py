"""What deliberation hears of matters: enough to know where they lie and whether they still live.

Intake's and dispatch's events come by different queues, so each handler copes with being the first of its matter.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

from services.deliberation import ballot_box, domain, repository
from services.deliberation.domain import Step, TopicState
from services.deliberation.handlers import resolutions
from shared.contracts import dispatch, intake
from shared.contracts.envelope import Envelope
from shared.ledger.unit_of_work import UnitOfWork

#: Characters of a demand's text that are kept to recognise the matter.
TITLE_LENGTH = 60
#: Under which name what was heard is put off.
_HEARD = "heard"
#: Never the asker's own words: every resident may read a topic.
_WITHDRAWN = "事项已撤诉，议题终止。The matter was withdrawn."


class _Heard:
    """What events have told of matters, until it is stored."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, Any]] = {}
        #: Matters whose measures are carried out, with the event that says so.
        self.resolved: dict[str, Envelope | None] = {}

    def flush(self, work: UnitOfWork) -> None:
        """Store it, and complete the measures."""
        told, self.told = self.told, {}
        resolved, self.resolved = self.resolved, {}
        repository.note_matters(work.db, told)
        for measure in repository.open_measures_of(work.db, resolved):
            cause = resolved[measure.matter_id]
            with work.caused_by(cause) if cause is not None else nullcontext():
                resolutions.complete(measure, work)


def _note(work: UnitOfWork, matter_id: str, *, resolved: bool = False, **values: Any) -> None:
    """Keep it: at the end of the batch, or at once when there is none."""
    heard = _Heard() if work.put_off is None else cast("_Heard", work.put_off.setdefault(_HEARD, _Heard()))
    heard.told.setdefault(matter_id, {}).update(values)
    if resolved:
        heard.resolved.setdefault(matter_id, work.cause)
    if work.put_off is None:
        heard.flush(work)


def on_matter_opened(event: intake.MatterOpened, work: UnitOfWork) -> None:
    """Keep the minimum; of a private matter not even its first words."""
    title = "" if event.private else " ".join(event.text.split())[:TITLE_LENGTH]
    _note(work, event.matter_id, number=event.number, unit=event.unit, title=title, private=event.private)


def on_matter_located(event: intake.MatterLocated, work: UnitOfWork) -> None:
    """Keep where it lies."""
    _note(work, event.matter_id, unit=event.unit)


def on_matter_going_on(event: dispatch.MatterReworked | dispatch.MatterReopened, work: UnitOfWork) -> None:
    """It lives again."""
    _note(work, event.matter_id, state="open")


def on_matter_resolved(event: dispatch.MatterResolved, work: UnitOfWork) -> None:
    """Its measures are carried out."""
    _note(work, event.matter_id, state="resolved", resolved=True)


def on_matter_at_rest(event: dispatch.MatterClosed, work: UnitOfWork) -> None:
    """No new topic for it. An open one may still come to its resolution."""
    _note(work, event.matter_id, state="closed")


def on_matter_withdrawn(event: dispatch.MatterWithdrawn, work: UnitOfWork) -> None:
    """Its open topic falls, and a running ballot with it, uncounted."""
    _note(work, event.matter_id, state="withdrawn")
    work.flush()
    topic = repository.open_topic_of(work.db, event.matter_id)
    if topic is None:
        return
    ballot = ballot_box.ballot_of(work.db, topic.id)
    if ballot is not None:
        ballot_box.close(work.db, ballot.id, closed_at=work.now, closed_by=work.actor.id)
    state = domain.next_state(TopicState(topic.state), Step.DROP)
    resolutions.end_without(topic, state, _WITHDRAWN, work)
