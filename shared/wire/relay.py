"""The relay: takes events from one service's outbox to the broker, in a plain process of its own.

    lease -> rows with published_at IS NULL -> publish, all in flight at once -> mark exactly what was confirmed, fenced

A crash between the confirm and the mark sends a row twice; the inboxes drop the second. A row that no confirm came for
is never marked. A broker or database that is away is waited for and counts as nobody's attempt. No eventlet, no nameko.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential
from tenacity.nap import sleep_using_event

from shared.contracts import topology
from shared.contracts.envelope import CONTENT_TYPE
from shared.kernel.clock import Clock
from shared.ledger import lease, outbox
from shared.ledger.engines import reading, writing
from shared.ledger.errors import LeaseLost, Transient, is_transient
from shared.ledger.lease import RENEW_EVERY_S, Candidate
from shared.ledger.outbox import Pending
from shared.wire.connection import BrokerAway
from shared.wire.metrics import RelayMetrics
from shared.wire.newcomers import Newcomers
from shared.wire.publisher import Answers, Outgoing

log = logging.getLogger(__name__)

#: Name of the lease that lets one relay of a service work.
LEASE = "relay"
#: Rows per round, all in flight at once.
WINDOW = 200
#: Seconds between two looks at an empty outbox.
POLL_S = 0.25
#: Seconds after a round that was not full, at least and at most: lets events gather into one commit without being
#: noticed. The longer the round took, the longer, as a multiple of it.
BREATH_S = (0.05, 0.5)
BREATH_TO_WORK = 5
#: Seconds between two counts of the backlog.
COUNT_EVERY_S = 5.0
#: Longest pause, in seconds, before a broker or database that is away is tried again.
LONGEST_PAUSE_S = 10.0
#: Seconds a stream rests after a refusal; doubles up to the second figure.
FIRST_REST_S, LONGEST_REST_S = 1.0, 30.0
#: Seconds given to answers still due when the process is told to stop.
FAREWELL_S = 5.0


class Publishes(Protocol):
    """What the relay needs of a publisher (`shared.wire.publisher.Publisher`)."""

    blocked: str | None

    @property
    def unanswered(self) -> int: ...  # noqa: D102 -- see Publisher
    def bind(self, queue: str, exchange: str, routing_key: str) -> str | None: ...  # noqa: D102
    def send(self, message: Outgoing) -> None: ...  # noqa: D102
    def wait(self, seconds: float) -> None: ...  # noqa: D102
    def take_answers(self) -> Answers: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(kw_only=True)
class _Rest:
    """A stream whose head was refused."""

    until: float
    pause_s: float


class Relay:
    """The relay of one service. Any number may run; the fenced lease lets one work."""

    def __init__(
        self,
        service: str,
        *,
        engine: Engine,
        clock: Clock,
        holder: str,
        connect: Callable[[], Publishes],
        metrics: RelayMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`connect` makes a publisher, or raises BrokerAway. Nothing is touched before `run`."""
        self.service = service
        self._engine = engine
        self._clock = clock
        self._candidate = Candidate(holder=holder, monotonic=monotonic)
        self._connect = connect
        self._metrics = metrics
        self._monotonic = monotonic
        self._publisher: Publishes | None = None
        self._token: int | None = None
        self._renewed_at = float("-inf")
        self._counted_at = float("-inf")
        self._hung_up_at = float("-inf")
        self._resting: dict[str, _Rest] = {}
        self._newcomers = Newcomers(service, monotonic)

    def run(self, stop: Event) -> None:
        """Work until `stop` is set, whatever happens to broker and database. Raises only on bugs."""
        retrying = Retrying(
            retry=retry_if_exception_type((BrokerAway, Transient)),
            wait=wait_random_exponential(multiplier=POLL_S, max=LONGEST_PAUSE_S),
            stop=stop_when_event_set(stop),
            sleep=sleep_using_event(stop),
            before_sleep=self._say_why,
            reraise=True,
        )
        try:
            while not stop.is_set():
                pause = retrying(self.run_once, stop)
                self._pause(pause, stop)
        except (BrokerAway, Transient):
            if not stop.is_set():
                raise
        finally:
            self._leave()

    def run_once(self, stop: Event) -> float:
        """One round; returns the seconds to pause after it. Raises BrokerAway or Transient."""
        began = self._monotonic()
        try:
            self._count()
            if not self._lead():
                return RENEW_EVERY_S / 2
            rows = self._rows()
            if rows:
                self._publish(rows, stop)
        except LeaseLost:
            log.warning("the lease went to another relay", extra={"service": self.service})
            self._forget_lease()
            return POLL_S
        except DBAPIError as error:
            if is_transient(error):
                message = f"the database of {self.service} does not answer: {error.orig}"
                raise Transient(message) from error
            raise
        self._metrics.success(self._clock.now())
        if len(rows) == WINDOW:
            return 0.0
        least, most = BREATH_S
        return min(most, max(least, BREATH_TO_WORK * (self._monotonic() - began))) if rows else POLL_S

    # -- leading -------------------------------------------------------------------------------------------------

    def _lead(self) -> bool:
        now = self._monotonic()
        if self._token is None or now - self._renewed_at >= RENEW_EVERY_S:
            with writing(self._engine) as db:
                token = lease.take(db, LEASE, self._candidate, self._clock.now())
                db.commit()
            if token is not None and self._token is None:
                log.info("this relay leads", extra={"service": self.service, "token": token})
            self._token, self._renewed_at = token, now
            self._metrics.leads(leading=token is not None)
        return self._token is not None

    def _forget_lease(self) -> None:
        self._token, self._renewed_at = None, float("-inf")
        self._metrics.leads(leading=False)

    # -- publishing ----------------------------------------------------------------------------------------------

    def _rows(self) -> list[Pending]:
        now = self._monotonic()
        resting = [stream for stream, rest in self._resting.items() if rest.until > now]
        self._metrics.resting(len(resting))
        with reading(self._engine) as db:
            return outbox.pending(db, WINDOW, without=resting)

    def _publish(self, rows: Sequence[Pending], stop: Event) -> None:
        if self._publisher is None:
            self._publisher = self._connect()
            self._newcomers.forget()
            self._metrics.connected(connected=True)
            log.info("connected to the broker", extra={"service": self.service})
        publisher = self._publisher
        held: set[str] = set()
        try:
            self._send(publisher, rows, held)
            self._collect(publisher, stop)
        except BrokerAway:
            # What was confirmed before the link broke is confirmed; the rest goes again over a new connection.
            self._publisher = None
            self._metrics.connected(connected=False)
            self._settle(rows, publisher.take_answers(), held)
            raise
        except DBAPIError:
            # Answers are due that the next round could not place: another relay may lead by then.
            self._hang_up(publisher)
            raise
        answers = publisher.take_answers()
        if answers.refused and self._monotonic() - self._hung_up_at >= FIRST_REST_S:
            # RabbitMQ 3.10 asks for a queue's leader once a channel: opened while a node was being lost, it
            # would refuse everything for that queue for as long as the channel lasts (rabbitmq-server, pull 9241).
            self._hung_up_at = self._monotonic()
            self._hang_up(publisher)
        self._settle(rows, answers, held)
        if not answers.confirmed and (answers.refused or answers.returned):
            message = f"the broker took none of {len(rows)} events: {_first_reason(answers)}"
            raise BrokerAway(message)

    def _send(self, publisher: Publishes, rows: Sequence[Pending], held: set[str]) -> None:
        """Send all but what may not leave yet; `held` gets the streams of that, which stop there."""
        for row in rows:
            if row.stream in held:
                continue
            refused = self._newcomers.refused(row.type, row.stream, publisher)
            if refused is None:
                publisher.send(_outgoing(self.service, row))
            else:
                held.add(row.stream)
                self._rest(row.stream, row.message_id, refused)

    def _hang_up(self, publisher: Publishes) -> None:
        self._publisher = None
        self._metrics.connected(connected=False)
        publisher.close()

    def _collect(self, publisher: Publishes, stop: Event) -> None:
        told = False
        leave_at: float | None = None
        while publisher.unanswered:
            publisher.wait(POLL_S)
            self._metrics.blocked(blocked=publisher.blocked is not None)
            if publisher.blocked is not None and not told:
                told = True
                log.error("the broker holds publishers back", extra={"service": self.service})
            if stop.is_set():
                leave_at = leave_at or self._monotonic() + FAREWELL_S
                if self._monotonic() >= leave_at:
                    return
            self._lead()
            self._count()

    def _settle(self, rows: Sequence[Pending], answers: Answers, held: set[str]) -> None:
        """Mark what was confirmed, in one transaction with the proof that we still lead; let refused streams rest.

        `held`: streams that rest already.
        """
        counts = {"confirmed": answers.confirmed, "refused": answers.refused, "returned": answers.returned}
        self._metrics.answered(**{result: len(ids) for result, ids in counts.items()})
        streams = {row.message_id: row.stream for row in rows}
        for message_id in answers.refused:
            self._rest(streams[message_id], message_id, "refused by a queue (full, or without a majority of its nodes)")
        for message_id, reason in answers.returned.items():
            self._rest(streams[message_id], message_id, f"no queue is bound ({reason}); run `gridwhistle declare`")
        if not answers.confirmed:
            return
        if self._token is None:
            raise LeaseLost
        with writing(self._engine) as db:
            lease.fence(db, LEASE, self._token)
            outbox.mark_published(db, answers.confirmed, self._clock.now())
            db.commit()
        troubled = held | {streams[message_id] for message_id in (*answers.refused, *answers.returned)}
        for message_id in answers.confirmed:
            if streams[message_id] not in troubled:
                self._resting.pop(streams[message_id], None)

    def _rest(self, stream: str, message_id: str, why: str) -> None:
        before = self._resting.get(stream)
        pause = FIRST_REST_S if before is None else min(before.pause_s * 2, LONGEST_REST_S)
        self._resting[stream] = _Rest(until=self._monotonic() + pause, pause_s=pause)
        log.error(
            "event not taken by the broker; its stream waits, the others go on",
            extra={"stream": stream, "message_id": message_id, "reason": why, "again_in_s": pause},
        )

    # -- around it -----------------------------------------------------------------------------------------------

    def _count(self) -> None:
        if self._monotonic() - self._counted_at < COUNT_EVERY_S:
            return
        with reading(self._engine) as db:
            waiting, oldest = outbox.backlog(db)
        self._counted_at = self._monotonic()
        self._metrics.backlog(waiting, 0.0 if oldest is None else (self._clock.now() - oldest).total_seconds())

    def _pause(self, seconds: float, stop: Event) -> None:
        if seconds <= 0:
            return
        if self._publisher is None:
            stop.wait(seconds)
            return
        try:
            self._publisher.wait(seconds)
        except BrokerAway as error:
            log.warning("the broker went away", extra={"service": self.service, "reason": str(error)})
            self._publisher = None
            self._metrics.connected(connected=False)

    def _say_why(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "the relay waits",
            extra={
                "service": self.service, "reason": str(error), "attempt": state.attempt_number,
                "again_in_s": round(state.upcoming_sleep, 2),
            },
        )  # fmt: skip

    def _leave(self) -> None:
        """Give the lease up, so that another relay need not wait for its end."""
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None
        if self._token is None:
            return
        try:
            with writing(self._engine) as db:
                lease.release(db, LEASE, self._token)
                db.commit()
        except DBAPIError as error:
            log.warning("the lease runs out by itself", extra={"service": self.service, "reason": str(error.orig)})
        self._forget_lease()


def _outgoing(service: str, row: Pending) -> Outgoing:
    exchange, routing_key = topology.way_of(service, row.type, row.stream)
    return Outgoing(
        exchange=exchange,
        routing_key=routing_key,
        body=row.envelope,
        message_id=row.message_id,
        type=row.type,
        correlation_id=_correlation_of(row.envelope),
        content_type=CONTENT_TYPE,
        timestamp=row.created_at,
    )


def _correlation_of(envelope: bytes) -> str:
    """The attribute, without reading the whole envelope: a name with quotes around it stands in no text of it."""
    _, found, rest = envelope.partition(b'"correlationid":"')
    value = rest.partition(b'"')[0]
    if not found or b"\\" in value:
        return str(json.loads(envelope).get("correlationid", ""))
    return value.decode()


def _first_reason(answers: Answers) -> str:
    return next(iter(answers.returned.values()), "refused by a queue")
