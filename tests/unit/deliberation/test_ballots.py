"""The one ballot: who may vote, how often, in secret; how it closes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import OperationalError

from services.deliberation import tables
from services.deliberation.web.routes import ROUTES
from shared.kernel.clock import rfc3339
from shared.ledger.engines import reading, writing

HOST = "deliberation-host-guanghua-dongli"
VOTER = "grid-head-guanghua-dongli-1"


def closed(platform):
    return [event for event in platform.events() if type(event).__name__ == "BallotClosed"]


@pytest.mark.parametrize(
    ("votes", "outcome", "state"),
    [
        ("yyya", "carried", "carried"), ("yynn", "lost", "failed"), ("y", "inquorate", "failed"),
        ("", "inquorate", "failed"),
    ],
)  # fmt: skip
def test_a_ballot_is_counted_by_the_packs_shares(platform, voting, votes, outcome, state):
    _, ballot = voting(votes)
    reply = platform.do("close-ballot", HOST, ballot=ballot)
    (event,) = closed(platform)
    assert (event.outcome, reply.body["state"]) == (outcome, state)
    assert (event.voters, event.yes, event.no, event.abstain) == (4, *(votes.count(sign) for sign in "yna"))


def test_one_vote_for_listed_voters_only(platform, voting):
    _, ballot = voting()
    platform.do("cast-vote", VOTER, ballot=ballot, choice="yes")
    assert platform.refused("cast-vote", VOTER, ballot=ballot, choice="no") == "already-voted"
    stranger = "grid-worker-guanghua-dongli-1"
    assert platform.refused("cast-vote", stranger, ballot=ballot, choice="yes") == "not-a-voter"
    assert platform.refused("cast-vote", HOST, ballot=ballot, choice="yes") == "not-permitted"
    assert platform.refused("cast-vote", VOTER, ballot=ballot, choice="perhaps") == "invalid-input"
    assert platform.refused("cast-vote", VOTER, ballot="none", choice="yes") == "unknown-ballot"
    assert platform.do("close-ballot", HOST, ballot=ballot).body["yes"] == 1


def test_no_vote_after_the_end(platform, voting):
    _, ballot = voting("yy")
    platform.do("close-ballot", HOST, ballot=ballot)
    assert platform.refused("cast-vote", VOTER, ballot=ballot, choice="no") == "ballot-closed"
    assert platform.refused("close-ballot", HOST, ballot=ballot) == "ballot-closed"


def test_the_second_ballot_is_refused(platform, voting):
    topic, ballot = voting("yyy")
    again = {"topic": topic, "question": "?", "voters": ["a"]}
    assert platform.refused("open-ballot", HOST, **again) == "ballot-exists"
    platform.do("close-ballot", HOST, ballot=ballot)
    assert platform.refused("open-ballot", HOST, **again) == "ballot-exists"


def test_a_slip_of_the_pen_opens_no_ballot(platform):
    platform.matter()
    topic = platform.do("open-topic", HOST, matter="m-1", title="题").body["topic_id"]
    good = {"topic": topic, "question": "?", "voters": ["a", "b"]}
    assert platform.refused("open-ballot", HOST, **(good | {"voters": ["a", "a"]})) == "voter-twice"
    assert platform.refused("open-ballot", HOST, **(good | {"voters": []})) == "invalid-input"
    past = rfc3339(platform.clock.now())
    assert platform.refused("open-ballot", HOST, **(good | {"closes_at": past})) == "closes-in-the-past"
    assert platform.refused("open-ballot", "deliberation-host-jianguo-li", **good) == "out-of-scope"
    assert platform.refused("open-ballot", "grid-worker-guanghua-dongli-1", **good) == "not-permitted"


def test_nothing_stored_pairs_a_voter_with_a_choice(platform, voting):
    _, ballot = voting("yn")
    with reading(platform.application.at_hand.engine) as db:
        voters = db.execute(select(tables.ballot_voters)).mappings().all()
        choices = db.execute(select(tables.ballot_choices)).mappings().all()
        receipts = db.execute(select(tables.ballot_receipts)).mappings().all()
    assert sum(row["has_voted"] for row in voters) == len(choices) == len(receipts) == 2
    shared = [
        {value for row in table for value in row.values() if isinstance(value, str)} - {ballot}
        for table in (voters, choices, receipts)
    ]
    assert not shared[0] & shared[1]
    assert not shared[1] & shared[2]
    assert not any("vote" in type(event).__name__.lower() for event in platform.events())
    # A POST may carry an Idempotency-Key, and the fingerprint kept under the actor's name would give the choice away.
    assert [route.method for route in ROUTES if route.command == "deliberation.cast-vote"] == ["PUT"]


def test_a_receipt_shows_that_a_vote_counts_and_not_which(platform, voting):
    _, ballot = voting()
    reply = platform.do("cast-vote", VOTER, ballot=ballot, choice="no")
    assert set(reply.body) == {"ballot_id", "receipt"}
    typed = reply.body["receipt"].lower().replace("-", " ")
    assert platform.ask("receipt", VOTER, ballot=ballot, code=typed) == {"ballot_id": ballot, "counted": True}
    assert not platform.ask("receipt", VOTER, ballot=ballot, code="0000-0000-0000-0000")["counted"]


def test_figures_stay_hidden_until_the_end(platform, voting):
    _, ballot = voting("yyn")
    before = platform.ask("ballot", HOST, ballot=ballot)
    assert (before["voted"], before["yes"], before["outcome"]) == (3, None, None)
    assert platform.ask("ballot", "community-clerk-guanghua-dongli", ballot=ballot)["you_may_vote"]
    platform.do("close-ballot", HOST, ballot=ballot)
    after = platform.ask("ballot", HOST, ballot=ballot)
    assert (after["yes"], after["no"], after["outcome"], after["you_may_vote"]) == (2, 1, "carried", False)


def test_a_ballot_closes_itself_once(platform, voting):
    ends = platform.clock.now() + timedelta(hours=2)
    _, ballot = voting("yyy", closes_at=rfc3339(ends))
    assert platform.application.next_due() == ends
    platform.application.run_due()
    assert closed(platform) == []
    platform.clock.set(ends)
    late = "community-clerk-guanghua-dongli"
    assert platform.refused("cast-vote", late, ballot=ballot, choice="no") == "ballot-closed"
    assert platform.application.run_due() == 1
    assert platform.application.run_due() == 0
    (event,) = closed(platform)
    assert event.outcome == "carried"
    assert platform.application.next_due() is None


def test_an_altered_ballot_is_left_to_people_and_stops_no_other(platform, voting):
    ends = rfc3339(platform.clock.now() + timedelta(hours=2))
    _, bad = voting("yy", "m-1", closes_at=ends)
    _, good = voting("yyy", "m-2", closes_at=ends)
    with writing(platform.application.at_hand.engine) as db:
        db.execute(insert(tables.ballot_choices).values(ballot_id=bad, slip="stuffed", choice="yes"))
        db.commit()
    platform.clock.advance(timedelta(hours=2))
    platform.application.run_due()
    assert [event.ballot_id for event in closed(platform)] == [good]
    assert platform.application.next_due() is None
    assert platform.refused("close-ballot", HOST, ballot=bad) == "ballot-miscounted"
    with reading(platform.application.at_hand.engine) as db:
        assert db.execute(select(func.count()).where(tables.ballots.c.closed_at.is_(None))).scalar_one() == 1


def test_a_vote_whose_commit_nobody_answered_for_still_gets_its_receipt(voting, platform, monkeypatch):
    """Told "already-voted" for a vote that was just counted, the voter would be left without a receipt."""
    _, ballot = voting()
    for voter, stored in (("branch-secretary-guanghua-dongli-1", True), (VOTER, False)):
        commit = Connection.commit

        def lose_the_answer(db, stored=stored, commit=commit):
            monkeypatch.setattr(Connection, "commit", commit)
            (commit if stored else Connection.rollback)(db)
            raise OperationalError("COMMIT", None, Exception("the link broke"), connection_invalidated=True)

        monkeypatch.setattr(Connection, "commit", lose_the_answer)
        receipt = platform.do("cast-vote", voter, ballot=ballot, choice="yes").body["receipt"]
        assert platform.ask("receipt", voter, ballot=ballot, code=receipt)["counted"] is True
    assert platform.do("close-ballot", HOST, ballot=ballot).body["yes"] == 2
