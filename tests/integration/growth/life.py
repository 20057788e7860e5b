"""Lives lived in a suite that is a million matters old: the pack's scenarios, and then a look through every door."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import timedelta
from threading import Event

from sqlalchemy import select

from deploy.launcher.scenario import doors, form, player
from deploy.launcher.scenario.embedded import EmbeddedStage
from deploy.launcher.suite import Suite
from services.deliberation import tables as deliberation
from services.dispatch import claim_tables, whistle_tables
from services.dispatch import tables as dispatch
from services.intake import tables as intake
from services.notify import tables as notify
from services.notify.notice_tables import notices
from services.oversight import tables as oversight
from services.oversight.repository import trace
from shared.contracts import envelope as envelopes
from shared.kernel.actor import ROLE_PERMISSIONS, Actor
from shared.kernel.errors import Refusal
from shared.ledger import lease, outbox, parking, quarantine, retention
from shared.ledger.engines import reading
from shared.ledger.lease import Candidate
from shared.ledger.unit_of_work import unit_of_work
from shared.runtime.health import Health
from shared.runtime.operations import COMMON_ROUTES
from shared.runtime.purging import Purging
from shared.wire.metrics import RelayMetrics
from shared.wire.publisher import Answers
from shared.wire.relay import Relay

#: Path parameter -> where a real one is found.
_FOUND = {
    "matter": dispatch.matters.c.id, "whistle": whistle_tables.whistles.c.id, "topic": deliberation.topics.c.id,
    "ballot": deliberation.ballots.c.id, "demand": intake.demands.c.demand_id, "message": notify.messages.c.id,
    "evaluation": oversight.evaluations.c.evaluation_id, "report": oversight.reports.c.report_id,
    "claim": claim_tables.claims.c.id, "order": claim_tables.orders.c.id, "match": claim_tables.matches.c.id,
    "resource": intake.resources.c.resource_id, "notice": notices.c.id,
}  # fmt: skip
_OWNERS = {
    "matter": "dispatch", "whistle": "dispatch", "topic": "deliberation", "ballot": "deliberation", "demand": "intake",
    "message": "notify", "evaluation": "oversight", "report": "oversight",
    "claim": "dispatch", "order": "dispatch", "match": "dispatch", "resource": "intake",
    "notice": "notify",
}  # fmt: skip
#: Lists -> the ways in which they are asked for.
_FILTERS = {
    "/api/v1/matters": (
        {}, {"state": "assigned"}, {"state": "closed"}, {"state": "suspended"}, {"band": "overdue"}, {"band": "ok"},
        {"unit": "guanghua-dongli-1"}, {"unit": "guanghua-dongli-1", "state": "assigned"},
        {"unit": "guanghua-dongli"}, {"class": "same-day", "state": "assigned"}, {"open": "true"}, {"open": "false"},
        {"responsible": "guanghua-dongli-1"}, {"responsible": "chaoyang"}, {"person": "grid-worker-guanghua-dongli-1"},
        {"level": "district", "open": "true"}, {"band": "due-soon"}, {"band": "paused"}, {"category": "lighting"},
        {"due_before": "2025-09-09T00:00:00Z"}, {"open": "true", "unit": "guanghua-dongli-1"},
    ),
    "/api/v1/claims": ({}, {"state": "fulfilled"}, {"state": "approved"}, {"kind": "task"}, {"mine": "true"}),
    "/api/v1/orders": ({}, {"state": "settled"}, {"overdue": "true"}),
    "/api/v1/resources": ({}, {"kind": "venue"}),
    "/api/v1/whistles": ({}, {"open": "true"}, {"department": "dept-urban"}),
    "/api/v1/messages": ({}, {"state": "failed"}, {"state": "pending"}, {"demand": "00d0000001"}),
    "/api/v1/topics": ({}, {"state": "balloting"}, {"matter": "00m0000001"}),
    "/api/v1/notices": ({}, {"unread": "true"}, {"cursor": "00n0000100"}),
    "/api/v1/reports/preview": ({},),
    "/api/v1/departments/figures": ({}, {"unit": "guanghua-dongli"}),
}  # fmt: skip


class GrownStage(EmbeddedStage):
    """A stage whose suite was there before, on the databases of these settings."""

    def __init__(self, jurisdiction, settings):
        super().__init__(jurisdiction)
        self._settings = settings
        self._after = 0

    def begin(self, start):
        self.close()
        self._suite = Suite.open(self._settings, self._jurisdiction, start)
        self._began = start
        self._events = []
        with reading(self._suite.applications["oversight"].at_hand.engine) as db:
            self._after = trace.head(db).position

    def events(self):
        with reading(self.suite.applications["oversight"].at_hand.engine) as db:
            for raw in trace.envelopes(db, self._after + len(self._events)):
                self._events.append(doors.happening(len(self._events) + 1, envelopes.from_bytes(raw)))
        return self._events

    def engines(self):
        return {name: application.at_hand.engine for name, application in self.suite.applications.items()}


def live(stage, paths, recorder):
    """Play these scenarios one after the other, listening; returns what was not as it should be."""
    unmet = []
    for path in paths:
        scenario = form.read(path)
        stage.begin(scenario.start)
        begin = stage.begin
        stage.begin = lambda _start: None  # the player begins, but its suite is the one that is being listened to
        try:
            with recorder.on(stage.engines()):
                unmet += player.play(scenario, stage).unmet
        finally:
            stage.begin = begin
    return unmet


def look_around(stage):
    """Ask every question that there is a route for, as somebody with every right in the street."""
    actor = Actor(id="everybody", roles=frozenset(ROLE_PERMISSIONS), unit="jianwai")
    known = _known(stage)
    for application in stage.suite.applications.values():
        for route in (*application.definition.routes, *COMMON_ROUTES):
            parameters = {each: known.get(each, "none") for each in re.findall(r"<(\w+)>", route.path)}
            for more in _FILTERS.get(route.path, ({},)):
                try:
                    if route.query is not None:
                        application.ask(route.query, parameters | more | _period(stage, route.path), actor)
                    elif route.page is not None:
                        application.look(route.path, route.page, parameters, actor, needs=route.needs)
                except Refusal:
                    continue
        Health(application=application, database_fault=None).metrics()
    row = {
        "text": "楼道灯不亮",
        "location": {"address": "光华东里1号楼"},
        "source_ref": "r1",
        "asker": {"kind": "resident"},
    }
    stage.execute("intake.import-demands", {"source": "hotline", "rows": [row]}, actor)


def _period(stage, path):
    if "preview" not in path and "figures" not in path:
        return {}
    return {"period_from": (stage.now() - timedelta(days=7)).isoformat(), "period_to": stage.now().isoformat()}


def _known(stage):
    known = {}
    for name, column in _FOUND.items():
        with reading(stage.engines()[_OWNERS[name]]) as db:
            # What was made here has a uuid7, which sorts after all that was here before.
            known[name] = db.execute(select(column).order_by(column.desc()).limit(1)).scalar_one_or_none() or "none"
    return known | {"code": "ABCD-EFGH-JKLM-NPQR"}


#: So short that there is something to purge; nothing of it is committed.
_SHORT = retention.Retention(**{field.name: timedelta(days=10) for field in fields(retention.Retention)})


class _Broker:
    """Takes everything at once."""

    blocked = None
    unanswered = 0

    def __init__(self):
        self._taken = []

    def send(self, message):
        self._taken.append(message.message_id)

    def wait(self, seconds):
        del seconds

    def take_answers(self):
        answers, self._taken = Answers(confirmed=self._taken), []
        return answers

    def close(self):
        pass


def keep_house(stage):
    """What goes on beside the lives: relay, leases, sweep, purge, quarantine, repeats."""
    for name, application in stage.suite.applications.items():
        engine, clock = application.at_hand.engine, application.at_hand.clock
        with unit_of_work(application.at_hand) as work:
            quarantine.hold(
                work.db, entry_id=work.new_id(), handler=name, message_id="x", reason="r", detail="d", body=b"{}",
                at=work.now,
            )  # fmt: skip
            quarantine.count_failure(work.db, name, "x", "e", work.now)
            quarantine.listed(work.db)
            quarantine.held_count(work.db)
            parking.ready(work.db, name, 200)
            lease.take(work.db, "job", Candidate(holder="a"), work.now)
            lease.take(work.db, "job", Candidate(holder="b"), work.now + timedelta(days=1))
            lease.fence(work.db, "job", 2)
            lease.release(work.db, "job", 2)
            for table, before in retention.cutoffs(_SHORT, work.now).items():
                retention.PURGES[table](work.db, before, 0)
        relay = Relay(name, engine=engine, clock=clock, holder="relay", connect=_Broker, metrics=RelayMetrics(name))
        relay.run_once(Event())
        with reading(engine) as db:
            rows = (
                db.execute(select(outbox.outbox.c.envelope).order_by(outbox.outbox.c.position.desc()).limit(30))
                .scalars()
                .all()
            )
        for hearer in stage.suite.applications.values():
            hearer.receive_many([bytes(raw) for raw in rows if bytes(raw) != b"{}"])
            for raw in rows[:3]:
                if bytes(raw) != b"{}":
                    hearer.receive(bytes(raw))
        Purging().run(application.at_hand, Candidate(holder="purge"), application.metrics)
