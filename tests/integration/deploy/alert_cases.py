"""What each alert must fire on, and what it must not: series in promtool's notation, one value a minute."""

from __future__ import annotations

from dataclasses import dataclass

UP = 'up{job="gridwhistle-services",instance="a"}'
SERVICE = '{service="intake",job="gridwhistle-services",instance="a"}'
RELAY = '{service="intake",job="gridwhistle-relays",instance="r"}'
UP_RELAY = 'up{job="gridwhistle-relays",instance="r"}'
GIB = 2**30
DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Case:
    """Series, the minute to look at, and what fires then."""

    about: str
    series: dict[str, str]
    at: int
    fires: tuple[str, ...] = ()


def case(about, series, at, *fires):
    return Case(about=about, series=series, at=at, fires=fires)


def lag(slow):
    """Twenty events a minute, handled within a second or within five minutes."""
    labels = '{service="notify",event="x",job="gridwhistle-services",instance="a",le="%s"}'
    every, none = "0+20x60", "0x60"
    bounds = {"1": none if slow else every, "60": none if slow else every, "300": every, "+Inf": every}
    return {"gridwhistle_event_lag_seconds_bucket" + labels % le: values for le, values in bounds.items()}


def old(series, ago):
    """A timestamp that stays `ago` seconds old; promtool's clock starts at 0."""
    return {series: f"{-ago}+60x400"}


def trace(emitted, position):
    return {"gridwhistle_events_emitted_total" + SERVICE: emitted, "gridwhistle_trace_position" + SERVICE: position}


def letters(**ends):
    labels = 'service="notify",channel="mail",job="gridwhistle-services",instance="n"'
    return {f'gridwhistle_deliveries_total{{{labels},result="{result}"}}': values for result, values in ends.items()}


def nodes(*states):
    return {f'up{{job="rabbitmq",instance="mq{number}"}}': f"{up}x60" for number, up in enumerate(states, 1)}


def queue(metric, values, name="gridwhistle.notify.from.intake", node="mq1"):
    labels = f'{{vhost="v",queue="{name}",job="rabbitmq-queues",instance="{node}"}}'
    return {f"rabbitmq_detailed_{metric}{labels}": values}


def members(*instances, leader=True):
    """Each member reports its log; the leader also what the queue holds."""
    found = {}
    for node in instances:
        found |= queue("raft_log_commit_index", "5x60", node=node)
    return found | (queue("queue_messages_ready", "0x60", node=instances[0]) if leader else {})


def disk(values):
    limit = {'rabbitmq_disk_space_available_limit_bytes{instance="mq1"}': f"{4 * GIB}x120"}
    return limit | {'rabbitmq_disk_space_available_bytes{instance="mq1"}': values}


PARKED = "gridwhistle_parked_oldest_age_seconds" + SERVICE
SCAN = 'gridwhistle_scan_last_success_timestamp_seconds{service="dispatch",scan="clocks",instance="%s"}'
PURGE = "gridwhistle_purge_last_success_timestamp_seconds" + SERVICE
SUCCESS = "gridwhistle_relay_last_success_timestamp_seconds" + RELAY
CALENDAR = "gridwhistle_calendar_covered_until_timestamp_seconds" + SERVICE
LEADER = 'gridwhistle_relay_leader{service="intake",instance="%s"}'
OUTBOX = "gridwhistle_outbox_oldest_age_seconds"
REDELIVERED = 'rabbitmq_global_messages_redelivered_total{protocol="amqp091",instance="mq1"}'

OF_SERVICES = (
    case("all is well", {UP: "1x15", "gridwhistle_database_up" + SERVICE: "1x15"}, 12),
    case("a process that does not answer", {UP: "1x5 0x10"}, 10, "GridwhistleServiceDown"),
    case("a restart", {UP: "1 1 0 1 1 1", "gridwhistle_database_up" + SERVICE: "1 1 _ 1 1 1"}, 4),
    case("a database that went away", {UP: "1x15", "gridwhistle_database_up" + SERVICE: "1x5 0x10"}, 12,
         "GridwhistleDatabaseAway"),
    case("a database that was never there", {UP: "1x15"}, 12, "GridwhistleDatabaseAway"),
    case("nothing quarantined", {"gridwhistle_quarantined" + SERVICE: "0x15"}, 12),
    case("something quarantined", {"gridwhistle_quarantined" + SERVICE: "0x5 2x10"}, 12, "GridwhistleQuarantine"),
    case("parked now and then", {PARKED: "3 0 5 0 2 60 0 3 0 1 0 30 0 5 0 2 0 3 0 1 0"}, 18),
    case("parked for long", {PARKED: "0x5 0+60x30"}, 25, "GridwhistleParked"),
    case("events handled at once", lag(slow=False), 30),
    case("events handled late", lag(slow=True), 30, "GridwhistleConsumerLag"),
    case("scans that succeed", old(SCAN % "a", 5) | old(SCAN % "b", 9_000), 20),
    case("a scan that does not succeed", old(SCAN % "a", 400), 20, "GridwhistleScanNotSucceeding"),
    case("clock steps in time", {"gridwhistle_sla_scan_behind_seconds" + SERVICE: "0x10 20 0x20"}, 20),
    case("clock steps behind", {"gridwhistle_sla_scan_behind_seconds" + SERVICE: "0x5 400x30"}, 20,
         "GridwhistleClocksBehind"),
    case("escalations made up for", {"gridwhistle_escalations_unaccounted" + SERVICE: "0x5 3 3 0x30"}, 20),
    case("an escalation that failed silently", {"gridwhistle_escalations_unaccounted" + SERVICE: "0x5 1x30"}, 20,
         "GridwhistleEscalationUnaccounted"),
    case("departments reached", {"gridwhistle_department_deliveries_given_up" + SERVICE: "0x30"}, 20),
    case("a department not reached", {"gridwhistle_department_deliveries_given_up" + SERVICE: "0x5 2x30"}, 20,
         "GridwhistleDepartmentNotReached"),
    case("letters delivered", letters(delivered="0+4x90", failed="0x90"), 80),
    case("a letter to a mistyped address now and then", letters(delivered="0+4x90", failed="0x60 1x30"), 80),
    case("many letters, few of them failed", letters(delivered="0+4x90", failed="0+0.2x90"), 80),
    case("a channel that delivers nothing", letters(delivered="40x90", failed="0+0.2x90"), 80,
         "GridwhistleLettersFailing"),
    case("notices that leave", {"gridwhistle_notices_given_up_last_day" + SERVICE: "0x30"}, 20),
    case("a notice given up", {"gridwhistle_notices_given_up_last_day" + SERVICE: "0x5 1x30"}, 20,
         "GridwhistleNoticesGivenUp"),
    case("a trace that grows", trace("0+5x60", "0+5x60"), 40),
    case("a trace that rests with everything", trace("7x60", "7x60"), 40),
    case("a trace that rests after a burst", trace("0x10 50x50", "0x10 50x50"), 18),
    case("a trace that rests after a burst, later", trace("0x10 50x50", "0x10 50x50"), 23),
    case("a trace that stopped", trace("0+5x60", "0+5x20 100x40"), 45, "GridwhistleTraceStopped"),
    case("a ledger purged this morning", old(PURGE, 20_000), 90),
    case("a ledger not purged", old(PURGE, 3 * DAY), 90, "GridwhistlePurgeNotSucceeding"),
    case("a calendar for long", {CALENDAR: f"{100 * DAY}x120"}, 90),
    case("a calendar that ends", {CALENDAR: f"{30 * DAY}x120"}, 90, "GridwhistleCalendarEnding"),
)  # fmt: skip

OF_RELAYS = (
    case("relays answer", {UP_RELAY: "1x15"}, 12),
    case("a relay does not answer", {UP_RELAY: "1x5 0x10"}, 12, "GridwhistleRelayDown"),
    case("one of two leads", {LEADER % "a": "0x15", LEADER % "b": "1x15"}, 12),
    case("the lease changes hands", {LEADER % "a": "1x5 0x10", LEADER % "b": "0x5 1x10"}, 8),
    case("nobody leads", {LEADER % "a": "1x5 0x10"}, 12, "GridwhistleRelayWithoutLeader"),
    case("rounds go well", old(SUCCESS, 2), 20),
    case("no round goes well", old(SUCCESS, 200), 20, "GridwhistleRelayNotSucceeding"),
    case("not held back", {"gridwhistle_relay_blocked" + RELAY: "0x15"}, 12),
    case("held back", {"gridwhistle_relay_blocked" + RELAY: "0x5 1x10"}, 8, "GridwhistleRelayBlocked"),
    case("not connected, nothing to send",
         {"gridwhistle_relay_connected" + RELAY: "0x15", "gridwhistle_outbox_pending" + RELAY: "0x15"}, 12),
    case("not connected, something to send",
         {"gridwhistle_relay_connected" + RELAY: "0x15", "gridwhistle_outbox_pending" + RELAY: "5x15"}, 12,
         "GridwhistleRelayDisconnected"),
    case("events leave at once", {OUTBOX + RELAY: "0 1 0 3 0 1 0 0 0 0 1 0 0"}, 10),
    case("events have waited minutes", {OUTBOX + RELAY: "0x5 30+60x10"}, 10, "GridwhistleOutboxOld"),
    case("seen by the service alone, its relay being down", {OUTBOX + SERVICE: "0x5 1000x10"}, 10,
         "GridwhistleOutboxOld", "GridwhistleOutboxStuck"),
    case("every event had its queue", {"gridwhistle_relay_returned_total" + RELAY: "3x15"}, 12),
    case("an event had no queue", {"gridwhistle_relay_returned_total" + RELAY: "0x5 1x10"}, 8,
         "GridwhistleEventsReturned"),
    case("no stream rests", {"gridwhistle_relay_stopped_streams" + RELAY: "0x5 1 0x15"}, 12),
    case("streams rest", {"gridwhistle_relay_stopped_streams" + RELAY: "0x5 1x15"}, 15, "GridwhistleStreamsStopped"),
)  # fmt: skip

OF_THE_BROKER = (
    case("no alarm", {'rabbitmq_alarms_memory_used_watermark{instance="mq1"}': "0x10",
                      'rabbitmq_alarms_free_disk_space_watermark{instance="mq1"}': "0x10"}, 8),
    case("memory", {'rabbitmq_alarms_memory_used_watermark{instance="mq1"}': "0x5 1x5"}, 8,
         "GridwhistleBrokerMemoryAlarm"),
    case("disk", {'rabbitmq_alarms_free_disk_space_watermark{instance="mq1"}': "0x5 1x5"}, 8,
         "GridwhistleBrokerDiskAlarm"),
    case("a disk with room", disk(f"{100 * GIB}-{GIB // 100}x120"), 100),
    case("a disk with less room that does not shrink", disk(f"{35 * GIB}x120"), 100),
    case("a disk near its limit", disk(f"{8 * GIB}x120"), 20, "GridwhistleBrokerDiskLow"),
    case("a disk that shrinks fast", disk(f"{38 * GIB}-{GIB // 8}x120"), 70, "GridwhistleBrokerDiskLow"),
    case("three nodes", nodes(1, 1, 1) | members("mq1", "mq2", "mq3"), 20),
    case("one of three nodes lost", nodes(1, 1, 0) | members("mq1", "mq2"), 20, "GridwhistleBrokerNodeDown"),
    case("two of three nodes lost", nodes(1, 0, 0) | members("mq1", leader=False), 20,
         "GridwhistleBrokerNodeDown", "GridwhistleQuorumLost", "GridwhistleQueueWithoutLeader"),
    case("the only node", nodes(1) | members("mq1"), 20),
    case("the only node lost", nodes(0), 20, "GridwhistleBrokerNodeDown", "GridwhistleQuorumLost"),
    case("a queue with one member on three nodes", nodes(1, 1, 1) | members("mq2"), 20, "GridwhistleQueueFewMembers"),
    case("a queue that came back without a leader", nodes(1) | members("mq1", leader=False), 20,
         "GridwhistleQueueWithoutLeader"),
    case("no dead letter", queue("queue_messages_ready", "0x15", "gridwhistle.dead"), 12),
    case("a dead letter", queue("queue_messages_ready", "0x5 1x10", "gridwhistle.dead"), 12, "GridwhistleDeadLetters"),
    case("a queue that is read", queue("queue_consumers", "2x5 0 0 2x20"), 20),
    case("a queue that nobody reads", queue("queue_consumers", "1x5 0x20"), 20, "GridwhistleQueueWithoutConsumer"),
    case("the dead queue is read by nobody", queue("queue_consumers", "0x20", "gridwhistle.dead"), 20),
    case("a long queue that shrinks", queue("queue_messages_ready", "9000-100x60"), 40),
    case("a long queue that grows", queue("queue_messages_ready", "0+100x60"), 40, "GridwhistleQueueGrowing"),
    case("a process died once", {REDELIVERED: "0x5 100x30"}, 12),
    case("a process dies and dies", {REDELIVERED: "0+1x60"}, 20, "GridwhistleRedelivering"),
)  # fmt: skip

CASES = (*OF_SERVICES, *OF_RELAYS, *OF_THE_BROKER)
