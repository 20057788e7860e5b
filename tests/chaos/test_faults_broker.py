"""The broker's disk alarm: publishing is held back, the relay shows it, nothing is lost, and afterwards it drains.

The memory alarm, from the limit to the operators' alert, is in tests/integration/deploy/test_alarm.py.
"""

from __future__ import annotations

import pytest

from shared.wire.connection import HEARTBEAT_S
from tests.chaos.chain import Chain

#: Seconds that the relay waits for a confirm here.
DEADLINE_S = 5.0


@pytest.fixture(scope="module")
def chain(rabbitmq, postgresql, tmp_path_factory):
    database_url = postgresql.url_for("postgres").rsplit("/", 1)[0] + "/alarm_{service}"
    for service in ("intake", "dispatch"):
        postgresql.url_for(f"alarm_{service}")
    # Not as short as elsewhere: a slow machine would make the relay hang up for another reason than the alarm.
    with Chain(
        tmp_path_factory.mktemp("alarm"), rabbitmq.url_for("alarm"), database_url, database_url,
        broker_heartbeat=HEARTBEAT_S, confirm_deadline=DEADLINE_S,
    ) as made:  # fmt: skip
        yield made
    rabbitmq.clear_alarms()
    rabbitmq.drop("alarm")
    for service in ("intake", "dispatch"):
        postgresql.drop(f"alarm_{service}")


def connections_of(chain):
    """How often its relay has connected."""
    return chain.log("relay").count("connected to the broker")


def test_while_the_disk_alarm_holds_publishers_back_the_outbox_grows_and_then_drains(chain, rabbitmq):
    chain.emit(20)
    chain.until_done()
    rabbitmq.raise_disk_alarm()
    assert rabbitmq.alarms() == ("disk",)
    chain.emit(300)
    chain.until(lambda: chain.gauge("relay_blocked") == 1)
    connections = connections_of(chain)
    chain.emit(100)
    # Blocked for longer than the relay waits for confirms: it is told to wait, so it neither hangs up nor sends again.
    longer = 2 * DEADLINE_S
    chain.until(lambda: chain.gauge("outbox_pending") >= 400 and chain.gauge("outbox_oldest_age_seconds") > longer, 60)
    assert (chain.gauge("relay_connected"), connections_of(chain)) == (1, connections)
    assert chain.unpublished() == 400
    rabbitmq.clear_alarms()
    chain.until_done()
    chain.until(lambda: chain.gauge("relay_blocked") == 0 and chain.gauge("outbox_pending") == 0)
    assert chain.left_over() == {}
