"""Reception: every message has its effect once and in its stream's order, whatever the broker does with it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from shared.contracts import dispatch, intake
from shared.contracts.envelope import from_bytes
from shared.kernel.clock import ManualClock
from shared.kernel.errors import Refusal
from shared.kernel.ids import SequentialIds
from shared.kernel.sealing import Sealer, new_key_text
from shared.ledger import inbox, outbox, parking, quarantine, tables
from shared.ledger.engines import open_engine, reading
from shared.ledger.errors import HandlerFailed, Transient
from shared.ledger.reception import Outcome, Reception
from shared.ledger.unit_of_work import Surroundings, unit_of_work
from tests.unit.ledger.conftest import START


class Handler:
    """Writes each event it is given into a table; fails when told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []
        self.error: Exception | None = None

    def __call__(self, event, work) -> None:
        work.db.execute(
            tables.leases.insert().values(
                name=f"{event.matter_id}:{event.demands}", holder="h", token=event.demands, expires_at=work.now
            )
        )
        if self.error is not None:
            raise self.error
        self.seen.append((event.matter_id, event.demands))


def envelopes(make_surroundings, *streams: str, each: int = 4) -> dict[str, list[bytes]]:
    source = make_surroundings("intake")
    with unit_of_work(source) as work:
        for number in range(each):
            for stream in streams:
                work.emit(
                    intake.DemandJoinedMatter(
                        matter_id=stream, demand_id="d", asker_kind="resident", demands=number + 2, reason="clerk"
                    )
                )
        work.commit()
    made: dict[str, list[bytes]] = {stream: [] for stream in streams}
    with reading(source.engine) as db:
        for row in outbox.pending(db, 1000):
            made[row.stream.split(":")[1]].append(row.envelope)
    return made


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def reception(make_surroundings, handler):
    return Reception(at_hand=make_surroundings("dispatch"), handlers={"intake.demand-joined-matter": handler})


def applied(reception) -> list[str]:
    with reading(reception.at_hand.engine) as db:
        return list(db.execute(select(tables.leases.c.name).order_by(tables.leases.c.token)).scalars())


def count(reception, table) -> int:
    with reading(reception.at_hand.engine) as db:
        return db.execute(select(func.count()).select_from(table)).scalar_one()


def test_in_order(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    assert [reception.receive(raw) for raw in raws] == [Outcome.HANDLED] * 4
    assert handler.seen == [("m", 2), ("m", 3), ("m", 4), ("m", 5)]


def test_thrice_is_once(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    assert [reception.receive(raws[0]) for _ in range(3)] == [Outcome.HANDLED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert handler.seen == [("m", 2)]


def test_later_first_is_parked_and_follows(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    assert reception.receive(raws[2]) is Outcome.PARKED
    assert reception.receive(raws[1]) is Outcome.PARKED
    assert reception.receive(raws[1]) is Outcome.PARKED
    assert handler.seen == []
    assert reception.receive(raws[0]) is Outcome.HANDLED
    assert handler.seen == [("m", 2), ("m", 3), ("m", 4)]
    assert count(reception, tables.parked) == 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(), copies=st.integers(1, 3), batch=st.integers(1, 9))
def test_any_shuffle_with_repeats_in_any_batches_gives_the_same_effects(seed, copies, batch):
    # hypothesis runs many examples in one test function: own databases for each
    def make(service):
        engine = open_engine("sqlite://")
        tables.metadata.create_all(engine)
        return Surroundings(
            service=service,
            engine=engine,
            clock=ManualClock(START),
            ids=SequentialIds(),
            jurisdiction=None,
            sealer=Sealer.from_text(new_key_text()),
            link_secret="x" * 32,
            public_url="",
        )

    handler = Handler()
    receiver = Reception(at_hand=make("dispatch"), handlers={"intake.demand-joined-matter": handler})
    by_stream = envelopes(make, "a", "b", each=4)
    raws = [raw for stream in by_stream.values() for raw in stream for _ in range(copies)]
    random.Random(seed).shuffle(raws)
    for start in range(0, len(raws), batch):
        answers = receiver.receive_many(raws[start : start + batch])
        assert all(received.outcome is not None for received in answers)
    receiver.sweep()
    assert [entry for entry in handler.seen if entry[0] == "a"] == [("a", n) for n in (2, 3, 4, 5)]
    assert [entry for entry in handler.seen if entry[0] == "b"] == [("b", n) for n in (2, 3, 4, 5)]
    assert count(receiver, tables.parked) == 0
    receiver.at_hand.engine.dispose()


def test_a_crash_between_predecessor_and_successor_is_mended_by_the_sweep(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    reception.receive(raws[1])
    with unit_of_work(reception.at_hand) as work:  # as if the process had died right after applying version 1
        inbox.step(work.db, "dispatch", "intake.matter:m", 1)
        work.commit()
    assert reception.sweep() == 1
    assert handler.seen == [("m", 3)]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{not json", "undecodable"),
        (b"\xff\xfe", "undecodable"),
        (b"[]", "undecodable"),
        (b"[" * 100_000, "undecodable"),
        (b'{"specversion":"1.0"}', "schema-violation"),
    ],
)
def test_rubbish_is_held_once_with_its_bytes(reception, raw, reason):
    assert reception.receive(raw) is Outcome.QUARANTINED
    assert reception.receive(raw) is Outcome.QUARANTINED
    with reading(reception.at_hand.engine) as db:
        rows = quarantine.listed(db)
    assert [(bytes(row.body), row.reason) for row in rows] == [(raw, reason)]


def test_data_that_breaks_the_schema_is_held_and_stops_only_its_stream(make_surroundings, reception, handler):
    made = envelopes(make_surroundings, "m", "other")
    broken = made["m"][0].replace(b'"demands":2', b'"demands":"two"')
    assert reception.receive(broken) is Outcome.QUARANTINED
    assert reception.receive(made["m"][1]) is Outcome.PARKED
    assert reception.receive(made["other"][0]) is Outcome.HANDLED
    assert handler.seen == [("other", 2)]


def test_a_refusal_is_final_and_undoes_the_handlers_writes(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    handler.error = Refusal("not here", code="no")
    assert reception.receive(raws[0]) is Outcome.REFUSED
    handler.error = None
    assert reception.receive(raws[1]) is Outcome.HANDLED
    assert applied(reception) == ["m:3"]


def test_a_bug_is_tried_five_times_and_then_held_while_others_go_on(make_surroundings, reception, handler):
    made = envelopes(make_surroundings, "m", "other")
    handler.error = ZeroDivisionError("bug")
    for _ in range(quarantine.MAX_ATTEMPTS - 1):
        with pytest.raises(HandlerFailed):
            reception.receive(made["m"][0])
    assert reception.receive(made["m"][0]) is Outcome.QUARANTINED
    handler.error = None
    assert reception.receive(made["other"][0]) is Outcome.HANDLED
    assert reception.receive(made["m"][1]) is Outcome.PARKED
    assert applied(reception) == ["other:2"]


def test_a_database_that_is_away_is_nobodys_fault(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    handler.error = OperationalError("select 1", {}, Exception("server closed the connection"))
    for _ in range(20):
        with pytest.raises(Transient):
            reception.receive(raws[0])
    assert count(reception, tables.failures) == 0
    handler.error = None
    assert reception.receive(raws[0]) is Outcome.HANDLED


def test_an_unknown_type_of_a_newer_release_passes_by(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    newer = raws[0].replace(b"demand-joined-matter.v1", b"demand-joined-matter.v9")
    assert reception.receive(newer) is Outcome.IGNORED
    assert reception.receive(raws[1]) is Outcome.HANDLED


def test_the_observer_sees_exact_bytes_of_every_event_once(make_surroundings):
    seen = []
    receiver = Reception(
        at_hand=make_surroundings("oversight"),
        handlers={},
        observer=lambda events, _work: seen.extend(raw for _, raw in events),
    )
    raws = envelopes(make_surroundings, "m")["m"]
    for raw in (*raws, *raws):
        receiver.receive(raw)
    assert seen == raws


def test_emitted_events_are_told_only_after_the_commit(make_surroundings):
    told = []

    def handler(event, work):
        work.emit(dispatch.MatterAccepted(matter_id=event.matter_id, unit="u", accepted_by="p"))

    receiver = Reception(
        at_hand=make_surroundings("dispatch"), handlers={"intake.demand-joined-matter": handler}, emitted=told.extend
    )
    receiver.receive(envelopes(make_surroundings, "m")["m"][0])
    assert [type(event).__name__ for event in told] == ["MatterAccepted"]
    with reading(receiver.at_hand.engine) as db:
        row = outbox.pending(db, 10)[0]
        assert parking.backlog(db) == (0, None)
    assert from_bytes(row.envelope).causationid is not None


def outcomes(answers):
    return [received.outcome for received in answers]


def test_several_at_once_in_any_order(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    answers = reception.receive_many([raws[2], raws[0], raws[0], raws[1]])
    assert outcomes(answers) == [Outcome.HANDLED, Outcome.HANDLED, Outcome.DUPLICATE, Outcome.HANDLED]
    assert handler.seen == [("m", 2), ("m", 3), ("m", 4)]
    assert count(reception, tables.parked) == 0


def test_a_hole_filled_by_a_batch_frees_what_was_parked(make_surroundings, reception, handler):
    raws = envelopes(make_surroundings, "m")["m"]
    assert outcomes(reception.receive_many([raws[1], raws[3]])) == [Outcome.PARKED, Outcome.PARKED]
    assert outcomes(reception.receive_many([raws[2], raws[0]])) == [Outcome.PARKED, Outcome.HANDLED]
    assert handler.seen == [("m", n) for n in (2, 3, 4, 5)]
    assert count(reception, tables.parked) == 0


def test_a_bad_one_among_several_troubles_only_itself(make_surroundings):
    seen = []

    def handler(event, work):
        if event.matter_id == "bad":
            raise ZeroDivisionError
        if event.matter_id == "refused":
            work.db.execute(tables.leases.insert().values(name="r", holder="h", token=1, expires_at=work.now))
            raise Refusal("no")
        seen.append((event.matter_id, event.demands))

    receiver = Reception(at_hand=make_surroundings("dispatch"), handlers={"intake.demand-joined-matter": handler})
    made = envelopes(make_surroundings, "good", "bad", "refused", each=1)
    answers = receiver.receive_many([b"{rubbish", made["bad"][0], made["good"][0], made["refused"][0]])
    assert outcomes(answers) == [Outcome.QUARANTINED, None, Outcome.HANDLED, Outcome.REFUSED]
    assert isinstance(answers[1].kept, HandlerFailed)
    assert seen == [("good", 2)]
    assert count(receiver, tables.leases) == 0


def test_effects_of_several_name_their_own_causes(make_surroundings):
    def handler(event, work):
        work.emit(dispatch.MatterAccepted(matter_id=event.matter_id, unit="u", accepted_by="p"))

    receiver = Reception(at_hand=make_surroundings("dispatch"), handlers={"intake.demand-joined-matter": handler})
    made = envelopes(make_surroundings, "a", "b", each=1)
    receiver.receive_many([made["a"][0], made["b"][0]])
    causes = {from_bytes(raw[0]).subject: from_bytes(raw[0]) for raw in made.values()}
    with reading(receiver.at_hand.engine) as db:
        for row in outbox.pending(db, 10):
            effect = from_bytes(row.envelope)
            assert effect.causationid == causes[effect.subject].id
            assert effect.correlationid == causes[effect.subject].correlationid
