"""A clock that was a day ahead and is set right: letters written meanwhile go at once, not a day later."""

from __future__ import annotations

from datetime import timedelta

from services.notify import domain, sending, tables
from shared.kernel.actor import SYSTEM
from shared.ledger.unit_of_work import unit_of_work
from shared.plugins import TemporaryFailure

DAY = timedelta(days=1)


def state_of(desk):
    (message,) = desk.rows(tables.messages)
    return message.state, message.attempts


def test_a_first_attempt_needs_no_clock(desk):
    desk.hear(desk.registered(), desk.opened())
    desk.clock.advance(-timedelta(hours=1))
    desk.send()
    assert state_of(desk) == ("delivered", 1)


def test_a_second_attempt_waits_for_its_pause_and_not_for_a_day(desk):
    desk.recorder.plan = [TemporaryFailure("busy")]
    desk.hear(desk.registered(), desk.opened())
    desk.send()
    assert desk.send() == 0
    desk.clock.advance(-timedelta(hours=1))
    assert desk.send() == 0  # no longer than the longest pause that there is: it may be meant
    desk.clock.advance(-DAY)
    desk.send()
    assert state_of(desk) == ("delivered", 2)


def test_what_another_process_is_sending_is_left_to_it(desk):
    desk.hear(desk.registered(), desk.opened())
    with unit_of_work(desk.application.at_hand, actor=SYSTEM) as work:
        assert len(sending.claim(work, 10).items) == 1
        work.commit()
    desk.clock.advance(-DAY)
    assert desk.send() == 0
    desk.clock.advance(DAY + domain.CLAIM)
    desk.send()
    assert state_of(desk) == ("delivered", 2)
