"""The one ballot of a topic: opened, voted in, counted (J4, 一议一决)."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from sqlalchemy import Row

from services.deliberation import ballot_box, commands, domain, repository
from services.deliberation.domain import Step, TopicState
from shared.contracts import deliberation
from shared.kernel.errors import Conflict, Refusal
from shared.kernel.hashing import sha256_hex
from shared.kernel.ids import normal_code
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

log = logging.getLogger(__name__)


def open_ballot(command: commands.OpenBallot, work: UnitOfWork) -> Reply:
    """Open the topic's ballot. Raises NotFound, Forbidden, IllegalTransition (ballot-exists), Refusal (past times)."""
    topic = repository.topic(work.db, command.topic, lock=True)
    work.require_scope(topic.host_unit)
    work.check_version(topic.version)
    state = domain.next_state(TopicState(topic.state), Step.OPEN_BALLOT)
    domain.once_each(command.voters, code="voter-twice", where="voters")
    if command.closes_at is not None and command.closes_at <= work.now:
        message = "The ballot would close before it opens."
        raise Refusal(message, code="closes-in-the-past", where="closes_at", remedy="Give a later instant, or none.")
    rules = work.jurisdiction.policy.deliberation
    ballot_id = work.new_id()
    ballot_box.open_ballot(
        work.db, ballot_id=ballot_id, voters=command.voters, topic_id=topic.id, question=command.question,
        quorum_share=rules.quorum_share, adopt_share=rules.adopt_share, policy_version=work.jurisdiction.digest,
        opened_by=work.actor.id, opened_at=work.now, closes_at=command.closes_at,
    )  # fmt: skip
    version = repository.move_topic(work.db, topic, state)
    work.emit(
        deliberation.BallotOpened(
            topic_id=topic.id, matter_id=topic.matter_id, ballot_id=ballot_id, question=command.question,
            voters=len(command.voters), closes_at=command.closes_at,
        )
    )  # fmt: skip
    return Reply(body={"ballot_id": ballot_id, "topic_id": topic.id, "state": state}, version=version)


def cast_vote(command: commands.CastVote, work: UnitOfWork) -> Reply:
    """Take one vote. Raises NotFound, Forbidden (not-a-voter), Conflict (already-voted, ballot-closed).

    No event leaves and no time is stored: either would pair the voter with the choice.
    """
    ballot = ballot_box.ballot(work.db, command.ballot)
    topic = repository.topic(work.db, ballot.topic_id, lock=True)
    standing = ballot_box.standing_of(work.db, ballot.id, work.actor.id)
    domain.check_voter(listed=standing is not None, has_voted=False)
    domain.next_state(TopicState(topic.state), Step.CAST_VOTE)
    if ballot.closes_at is not None and ballot.closes_at <= work.now:
        message = "The ballot's time is over."
        raise Conflict(message, code="ballot-closed", where="ballot", remedy="The count follows at once.")
    domain.check_voter(listed=True, has_voted=bool(standing))
    receipt = work.at_hand.ids.code()
    digest = receipt_digest(receipt)
    dropped = ballot_box.drop_in(
        work.db, ballot.id, work.actor.id, command.choice, slip=sha256_hex(work.at_hand.ids.code().encode()),
        receipt=digest,
    )  # fmt: skip
    domain.check_voter(listed=True, has_voted=not dropped)
    # The reply is kept nowhere: when nobody answers for the commit, the receipt alone tells whose vote it was.
    work.whether_stored = partial(ballot_box.was_handed_out, ballot_id=ballot.id, digest=digest)
    return Reply(body={"ballot_id": ballot.id, "receipt": receipt})


def receipt_digest(code: str) -> str:
    """A receipt code as it is stored; how it was typed does not matter."""
    return sha256_hex(normal_code(code).encode())


def close_ballot(command: commands.CloseBallot, work: UnitOfWork) -> Reply:
    """Count and decide. Raises NotFound, Forbidden, Conflict (ballot-closed)."""
    ballot = ballot_box.ballot(work.db, command.ballot)
    topic = repository.topic(work.db, ballot.topic_id, lock=True)
    work.require_scope(topic.host_unit)
    work.check_version(topic.version)
    if topic.state != TopicState.VOTING:
        message = "The ballot is closed."
        raise Conflict(message, code="ballot-closed", where="ballot", remedy="The count stands; read the ballot.")
    return _close(ballot, topic, work)


def _close(ballot: Row[Any], topic: Row[Any], work: UnitOfWork) -> Reply:
    tally = ballot_box.count(work.db, ballot.id, ballot.voters)
    domain.check_books(
        marked=ballot_box.marked(work.db, ballot.id),
        receipts=ballot_box.receipts(work.db, ballot.id),
        choices=tally.cast,
    )
    outcome = domain.outcome(tally, quorum_share=ballot.quorum_share, adopt_share=ballot.adopt_share)
    step = Step.CLOSE_CARRIED if outcome == "carried" else Step.CLOSE_FAILED
    state = domain.next_state(TopicState(topic.state), step)
    figures = {"yes": tally.yes, "no": tally.no, "abstain": tally.abstain, "outcome": outcome}
    ballot_box.close(work.db, ballot.id, closed_at=work.now, closed_by=work.actor.id, **figures)
    version = repository.move_topic(work.db, topic, state)
    work.emit(
        deliberation.BallotClosed(
            topic_id=topic.id, matter_id=topic.matter_id, ballot_id=ballot.id, voters=tally.voters, yes=tally.yes,
            no=tally.no, abstain=tally.abstain, outcome=outcome,
        )
    )  # fmt: skip
    return Reply(
        body={"ballot_id": ballot.id, "topic_id": topic.id, "voters": tally.voters, **figures, "state": state},
        version=version,
    )


def close_due_ballots(work: UnitOfWork, limit: int) -> int:
    """Close ballots whose time is over; returns how many. Safe to run twice: a closed one is not due."""
    ids = ballot_box.due(work.db, work.now, limit)
    for ballot_id in ids:
        ballot = ballot_box.ballot(work.db, ballot_id)
        topic = repository.topic(work.db, ballot.topic_id, lock=True)
        if topic.state != TopicState.VOTING:
            continue  # a host closed it between the look and the lock
        try:
            with work.attempt():
                _close(ballot, topic, work)
        except domain.Miscounted as error:
            # Left to people: with its time taken away it is not due again, and the other ballots go on.
            log.error("ballot not counted", extra={"ballot": ballot_id, "error": error.what})  # noqa: TRY400 -- no bug of ours
            ballot_box.stop_timer(work.db, ballot_id)
    return len(ids)
