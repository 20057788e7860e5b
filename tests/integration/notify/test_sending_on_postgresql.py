"""Notify and deliberation on PostgreSQL: several senders send once, and the SQL means there what it means in SQLite."""

from __future__ import annotations

import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from services.deliberation.definition import DEFINITION as DELIBERATION
from services.notify import tables
from services.notify.definition import DEFINITION
from services.notify.sending import GROUP
from shared import jurisdiction
from shared.contracts import intake, shapes
from shared.contracts.envelope import Envelope
from shared.contracts.values import Place
from shared.kernel.actor import Actor
from shared.kernel.clock import SystemClock
from shared.kernel.sealing import new_key_text
from shared.ledger import migrate
from shared.ledger.engines import reading
from shared.ledger.reception import Outcome
from shared.plugins import Plugin, Plugins, Receipt
from shared.runtime.application import Application
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of

MESSAGES = 60
SENDERS = 4


class Pillar:
    """A notifier that counts what is posted."""

    kind = "file"

    def __init__(self):
        self.posted = Counter()

    def address(self, contact):
        return contact.phone

    def send(self, message):
        self.posted[message.id] += 1
        return Receipt()


@pytest.fixture(scope="module")
def pack():
    return jurisdiction.load(Path("deploy/jurisdictions/jianwai"))


def application(definition, database, pack, tmp_path, keys) -> Application:
    settings = Settings(
        database_url=database, jurisdiction=Path(), contact_keys=keys, token_secret="t" * 32, link_secret="l" * 32,
        data_dir=tmp_path,
    )  # fmt: skip
    return application_of(definition, settings, clock=SystemClock(), jurisdiction=pack)


def registered(number, sealer):
    demand = f"d-{number:03}"
    event = intake.DemandRegistered(
        demand_id=demand, matter_id=f"m-{number}", number="N", matter_number="M", channel="web", asker_kind="resident",
        anonymous=False, private=False, joined=False, text="t", place=Place(),
        sealed_asker=sealer.seal({"name": None, "phone": "13812345678", "mail": None, "tracking_code": "A"}),
    )  # fmt: skip
    return enveloped(event, f"intake.demand:{demand}", "gridwhistle.intake.demand-registered.v1")


def enveloped(event, stream, type_):
    return Envelope(
        id=f"{stream}/1", source="urn:gridwhistle:intake", type=type_, subject="s", time=datetime.now(UTC),
        stream=stream, streamversion=1, correlationid="c", causationid=None, traceparent=None,
        classification="personal", data=shapes.dump(event),
    ).to_bytes()  # fmt: skip


def test_several_senders_send_every_message_once(database, pack, tmp_path):
    keys, pillar = new_key_text(), Pillar()
    plugins = Plugins((Plugin(group=GROUP, name="pillar", origin="test", state="loaded", made=pillar),))
    senders = []
    for _ in range(SENDERS):
        made = application(DEFINITION, database, pack, tmp_path, keys)
        senders.append(dataclasses.replace(made, at_hand=dataclasses.replace(made.at_hand, plugins=plugins)))
    migrate.migrate(senders[0].at_hand.engine, DEFINITION)
    for number in range(MESSAGES):
        assert senders[0].receive(registered(number, senders[0].at_hand.sealer)) is Outcome.HANDLED
    with ThreadPoolExecutor(SENDERS) as pool:
        done = list(pool.map(lambda sender: sender.run_due(), senders))
    assert sum(done) == MESSAGES
    assert len(pillar.posted) == MESSAGES
    assert set(pillar.posted.values()) == {1}
    with reading(senders[0].at_hand.engine) as db:
        states = Counter(db.execute(select(tables.messages.c.state)).scalars())
    assert states == {"delivered": MESSAGES}
    clerk = Actor(id="s", roles=frozenset({"street-clerk"}), unit="jianwai")
    query = DEFINITION.routes[0].query
    assert len(senders[0].ask(query, {"limit": "200"}, clerk)["items"]) == MESSAGES
    for sender in senders:
        sender.at_hand.engine.dispose()


def test_a_topic_goes_its_way(database, pack, tmp_path):
    platform = application(DELIBERATION, database, pack, tmp_path, new_key_text())
    migrate.migrate(platform.at_hand.engine, DELIBERATION)
    opened = intake.MatterOpened(
        matter_id="m-1", number="M", demand_id="d", text="灯", channel="web", asker_kind="resident", private=False,
        unit="guanghua-dongli-1", place=Place(),
    )  # fmt: skip
    platform.receive(enveloped(opened, "intake.matter:m-1", "gridwhistle.intake.matter-opened.v1"))
    host = Actor(id="h", roles=frozenset({"deliberation-host", "community-clerk"}), unit="guanghua-dongli")

    def do(name, **content):
        return platform.execute(f"deliberation.{name}", content, host).body

    topic = do("open-topic", matter="m-1", title="修灯", parties=["dept-property-office"])["topic_id"]
    first = do("give-opinion", topic=topic, stance="support", text="好")["opinion_id"]
    assert do("give-opinion", topic=topic, stance="oppose", text="不好")["opinion_id"] == first
    ballot = do("open-ballot", topic=topic, question="?", voters=["h"])["ballot_id"]
    do("cast-vote", ballot=ballot, choice="yes")
    assert do("close-ballot", ballot=ballot)["outcome"] == "carried"
    measures = [{"unit": "dept-property-office", "action": "换灯"}]
    assert len(do("adopt-resolution", topic=topic, text="换灯", measures=measures)["measures"]) == 1
    again = do("open-topic", matter="m-1", title="再议")["topic_id"]
    listing = next(route.query for route in DELIBERATION.routes if route.query and route.query.name.endswith(".topics"))
    assert [one["topic_id"] for one in platform.ask(listing, {}, host)["items"]] == [again, topic]
    platform.at_hand.engine.dispose()
