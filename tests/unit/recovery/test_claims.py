"""Claims, matches, orders, splits and bulk acts of a lost time are done again, row by row as they were."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from services.notify.channels.file import FILE_NAME
from services.notify.notice_tables import notices
from shared import jurisdiction as packs
from shared.kernel.actor import Actor
from shared.ledger.engines import reading
from tests.unit.recovery.test_recovery import PACK, UNTOLD, Copies, recovered, rows

#: A Monday, 09:00 in Beijing.
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
GRID, COMMUNITY, STREET = "guanghua-dongli-1", "guanghua-dongli", "jianwai"
WORKER, HEAD, CLERK = f"grid-worker-{GRID}", f"grid-head-{GRID}", f"community-clerk-{COMMUNITY}"
STREET_CLERK, SUPERVISOR = "street-clerk-jianwai", "street-supervisor-jianwai"
MEMBER = Actor(id="member-1", roles=frozenset({"party-member"}), unit=COMMUNITY)
BANK = Actor(id="bank", roles=frozenset({"member-unit"}), unit=STREET)
DISTRICT_CLERK = "district-clerk-chaoyang"
PHOTO = {"kind": "photo", "description": "照片"}
#: Columns of a notice that say what became of it.
STANDING = ("event_id", "template", "unit", "person", "subject", "state", "channel")
WISH = {"kind": "micro-wish", "title": "老花镜", "text": "一副老花镜"}


class Days:
    """A few days in which everything of this kind happens."""

    def __init__(self) -> None:
        self.suite = Suite.in_memory(packs.load(PACK), START)

    def do(self, who, command, **content):
        self.suite.advance(by=timedelta(seconds=7))
        return self.suite.execute(command, content, who).body

    def demand(self, text):
        place = {"address": "光华东里1号楼"}
        return self.do(WORKER, "intake.register-demand", channel="web", text=text, location=place)["matter_id"]

    def live(self):
        do, wait = self.do, lambda **length: self.suite.advance(by=timedelta(**length))
        first, second = self.demand("楼道灯不亮"), self.demand("楼门口灯不亮")
        do(STREET_CLERK, "dispatch.assign-many", matters=[second, first], unit=COMMUNITY)
        do(CLERK, "dispatch.accept-many", matters=[first, second])
        claims = [do(CLERK, "dispatch.post-claim", **WISH, matter=first, hold_hours=5)["claim_id"] for _ in range(5)]
        do(MEMBER, "dispatch.take-claim", claim=claims[0])
        do(BANK, "dispatch.take-claim", claim=claims[1])
        do(MEMBER, "dispatch.release-claim", claim=claims[0], reason="出差")
        do(BANK, "dispatch.fulfil-claim", claim=claims[1], outcome="送到了", evidence=[PHOTO])
        do(CLERK, "dispatch.review-claim", claim=claims[1], decision="sent-back", reason="看不清")
        do(BANK, "dispatch.fulfil-claim", claim=claims[1], outcome="补拍", evidence=[PHOTO])
        do(STREET_CLERK, "dispatch.review-claim", claim=claims[1], decision="approved")
        do(MEMBER, "dispatch.take-claim", claim=claims[4])
        do(MEMBER, "dispatch.fulfil-claim", claim=claims[4], outcome="送到了", evidence=[PHOTO])
        do(CLERK, "dispatch.review-claim", claim=claims[4], decision="reopened", reason="没有送到")
        do(CLERK, "dispatch.withdraw-claim", claim=claims[2], reason="不需要了")
        do(MEMBER, "dispatch.take-claim", claim=claims[3])
        rush = do(STREET_CLERK, "dispatch.post-claim", **WISH, emergency=True, open_until="2026-11-18T00:00:00Z")
        do(BANK, "dispatch.take-claim", claim=rush["claim_id"])
        do(STREET_CLERK, "dispatch.appoint-lead", claim=rush["claim_id"], unit=COMMUNITY, reason="就近")
        offer = {"owner": "银行", "kind": "money", "title": "捐助", "text": "维修", "capacity": 3}
        money = do(BANK, "intake.list-resource", **offer)["resource_id"]
        gone = do(BANK, "intake.list-resource", **offer)["resource_id"]
        matches = [
            do(CLERK, "dispatch.match-resource", matter=first, resource=money, amount=1)["match_id"] for _ in range(3)
        ]
        do(CLERK, "dispatch.settle-match", match=matches[0], landed=True, outcome="修了", evidence=[PHOTO])
        do(CLERK, "dispatch.settle-match", match=matches[1], landed=False, outcome="没成")
        do(BANK, "intake.withdraw-resource", resource=gone, reason="停止")
        about = {"unit": GRID, "request": "清理堆物", "deadline": "2026-11-16T12:00:00Z"}
        orders = [do(SUPERVISOR, "oversight.order-rectification", **about, matter=first)["order_id"] for _ in range(3)]
        do(WORKER, "dispatch.report-rectification", order=orders[0], outcome="清了", evidence=[PHOTO])
        do(HEAD, "dispatch.verify-rectification", order=orders[0], passed=False, note="还有")
        do(WORKER, "dispatch.report-rectification", order=orders[0], outcome="清了", evidence=[PHOTO])
        do(HEAD, "dispatch.verify-rectification", order=orders[0], passed=True)
        do(SUPERVISOR, "oversight.withdraw-rectification", order=orders[1], reason="重复")
        parts = [{"text": "换灯管"}, {"text": "修线路", "unit": "guanghua-dongli-2"}]
        split = do(CLERK, "intake.split-matter", matter=second, parts=parts, reason="两家办")["parts"]
        wait(hours=20)  # claims run out, an order rises, matters climb
        above = Actor(id="above", roles=frozenset({"district-clerk"}), unit="chaoyang")
        for matter in (split[0]["matter_id"], first):
            do(above, "dispatch.accept", matter=matter)
            do(above, "dispatch.resolve", matter=matter, outcome="好了", evidence=[PHOTO])
            do(DISTRICT_CLERK, "dispatch.verify", matter=matter, passed=True)
            do(DISTRICT_CLERK, "dispatch.close", matter=matter)
        wait(days=4)


@pytest.fixture(scope="module")
def days():
    made = Days()
    before = Copies(made.suite)
    made.live()
    yield made.suite, before, Copies(made.suite)
    made.suite.close()


def test_no_notice_goes_twice(days):
    """Desks with an office address were written to; notify is set back and does not write to them again."""
    suite, before, end = days
    end.put_back(suite)
    notify = suite.applications["notify"]

    def sent():
        """How each notice stands, and how many letters of them lie on the disk."""
        with reading(notify.at_hand.engine) as db:
            found = db.execute(select(*(notices.c[name] for name in STANDING))).all()
        lines = (notify.at_hand.data_dir / FILE_NAME).read_text("utf-8").splitlines()
        return sorted(map(str, found)), sum("claim" in json.loads(line)["template"] for line in lines)

    then = sent()
    assert any("delivered" in row for row in then[0])
    before.put_back(suite, "notify")
    lost, done = recovered(suite, "notify")
    assert [(each.first.name, why) for each, why in done.left] == []
    assert {"notify.notice-delivered"} <= {each.name for one in lost for each in one.of()}
    suite.settle()
    assert sent() == then


@pytest.mark.parametrize("service", ["dispatch", "intake"])
def test_every_row_is_as_it_was(days, service):
    suite, before, end = days
    end.put_back(suite)
    untold = UNTOLD[service] | {"claim_steps.position", "order_steps.position"}
    application = suite.applications[service]
    then = rows(application, untold)
    before.put_back(suite, service)
    lost, done = recovered(suite, service)
    assert [(each.first.name, why) for each, why in done.left] == []
    assert done.transactions == len(lost) > 5
    now = rows(application, untold)
    for table in then:
        assert now[table] == then[table], table
    told = {envelope.name for each in lost for envelope in each.of()}
    if service == "dispatch":
        assert {name for name in told if "claim" in name or "rectif" in name or "match-" in name} == {
            "dispatch.claim-posted", "dispatch.claim-taken", "dispatch.claim-released", "dispatch.claim-fulfilled",
            "dispatch.claim-expired", "dispatch.claim-withdrawn", "dispatch.match-settled",
            "dispatch.rectification-assigned", "dispatch.rectification-overdue", "dispatch.rectification-reported",
            "dispatch.rectification-reworked", "dispatch.rectification-closed", "dispatch.claim-reviewed",
            "dispatch.claim-warned", "dispatch.rectification-warned",
        }  # fmt: skip
