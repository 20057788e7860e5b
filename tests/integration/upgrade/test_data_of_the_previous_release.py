"""What the previous release left in its databases goes on under this one; and the previous one can still work on it.

Expand and contract (docs/upgrading.md): a release only adds to the databases, so that both can run on them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from deploy.launcher.installation import trial_settings
from deploy.launcher.suite import Suite
from services.dispatch.tables import matters
from services.oversight.repository import trace
from services.oversight.tables import trace as trace_rows
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.kernel.actor import Actor
from shared.ledger.engines import reading
from shared.ledger.migrate import migrate, pending
from shared.ledger.tables import outbox, parked, quarantine

FIRST_DAY = date(2026, 3, 9)
#: Plays half of the demo's week with every sixth demand, and leaves one command's events behind in the outbox.
PLAY = """
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from deploy.launcher.demo import demands
from deploy.launcher.demo.week import OPENS, Player
from deploy.launcher.suite import Suite
from shared import jurisdiction as packs
from shared.ledger.migrate import migrate
from shared.runtime.settings import read

settings = read()
pack = packs.load(settings.jurisdiction)
first = date.fromisoformat(sys.argv[1])
suite = Suite.open(settings, pack, demands.instant(pack, demands.working_days(pack, first)[0], OPENS))
for application in suite.applications.values():
    migrate(application.at_hand.engine, application.definition)

class Enough(Exception):
    pass

def look(progress):
    if progress.share > 0.55:
        raise Enough

try:
    Player(suite, demands.read(settings.jurisdiction)[::6], first_day=first, seed=3).play(look)
except Enough:
    pass
clerk = suite.actor("street-clerk-jianwai")
suite.applications["intake"].execute(
    "intake.register-demand", {"channel": "web", "text": "升级之前最后一件：楼道灯不亮", "location": {}}, clerk
)
print(suite.clock.now().isoformat())
"""
#: One more demand, by the previous release's code on the databases as they are, not migrated by it.
GO_ON = """
import sys
from datetime import datetime
from deploy.launcher.suite import Suite
from shared import jurisdiction as packs
from shared.runtime.settings import read

settings = read()
pack = packs.load(settings.jurisdiction)
suite = Suite.open(settings, pack, datetime.fromisoformat(sys.argv[1]))
clerk = suite.actor("street-clerk-jianwai")
done = suite.execute(
    "intake.register-demand",
    {"channel": "web", "text": "两个版本并存时的诉求：水管漏水", "location": {"grid": "guanghua-dongli-1"}},
    clerk,
).body
suite.execute("dispatch.accept", {"matter": done["matter_id"]}, clerk)
print(done["matter_id"])
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path, postgresql):
    made = trial_settings(tmp_path, "jianwai", port_base=20_000)
    if request.param == "sqlite":
        yield made
        return
    base = postgresql.url_for("postgres").rsplit("/", 1)[0]
    yield replace(made, database_url=f"{base}/upgraded_{{service}}")
    for name in SERVICES:
        postgresql.drop(f"upgraded_{name}")


def count(application, query):
    with reading(application.at_hand.engine) as db:
        return db.execute(query).scalar_one()


def at_rest(suite):
    for application in suite.applications.values():
        assert count(application, select(func.count()).where(outbox.c.published_at.is_(None))) == 0
        for table in (parked, quarantine):
            assert count(application, select(func.count()).select_from(table)) == 0
    with reading(suite.applications["oversight"].at_hand.engine) as db:
        assert trace.verify(db).ok


def to_the_end(suite, matter):
    """Work one matter through, whatever its state is."""
    handler = Actor(id="handler", roles=frozenset({"district-clerk"}), unit="chaoyang")
    other = Actor(id="other", roles=frozenset({"district-clerk"}), unit="chaoyang")
    photo = [{"kind": "photo", "description": "办结照片"}]
    steps = {
        "unlocated": ("dispatch.assign", {"unit": "jianwai"}, handler),
        "assigned": ("dispatch.accept", {}, handler),
        "suspended": ("dispatch.resume", {"reason": "恢复"}, handler),
        "in-progress": ("dispatch.resolve", {"outcome": "已办结", "evidence": photo}, handler),
        "resolved": ("dispatch.verify", {"passed": True}, other),
        "verified": ("dispatch.close", {}, other),
    }
    for _ in range(8):
        state = count(suite.applications["dispatch"], select(matters.c.state).where(matters.c.id == matter))
        if state not in steps:
            return state
        command, content, actor = steps[state]
        suite.execute(command, {"matter": matter} | content, actor)
    return state


def test_goes_on_under_this_release_and_the_previous_one_can_still_work_on_it(previous, settings):
    ended = datetime.fromisoformat(previous.run(PLAY, FIRST_DAY.isoformat(), settings=settings).split()[-1])
    pack = packs.load(settings.jurisdiction)
    suite = Suite.open(settings, pack, ended + timedelta(minutes=1))
    oversight = suite.applications["oversight"]
    with reading(oversight.at_hand.engine) as db:
        old_head = trace.head(db)
    for application in suite.applications.values():
        assert migrate(application.at_hand.engine, application.definition)
        assert pending(application.at_hand.engine, application.definition) == ()
    # What the previous release left in its outbox is heard.
    suite.settle()
    last = count(
        suite.applications["dispatch"],
        select(matters.c.id).where(matters.c.text == "升级之前最后一件：楼道灯不亮"),
    )
    assert last

    beside = previous.run(GO_ON, (ended + timedelta(minutes=2)).isoformat(), settings=settings).split()[-1]
    suite.clock.advance(timedelta(minutes=3))
    suite.settle()

    with reading(suite.applications["dispatch"].at_hand.engine) as db:
        every = list(db.execute(select(matters.c.id)).scalars())
    assert {last, beside} <= set(every)
    assert {to_the_end(suite, matter) for matter in every} <= {"closed", "withdrawn"}
    at_rest(suite)
    # The chain goes on from where it was.
    assert (
        count(oversight, select(trace_rows.c.hash).where(trace_rows.c.position == old_head.position)) == old_head.hash
    )
