"""Opening a topic, giving opinions, and what deliberation keeps of matters."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from services.deliberation import tables
from shared.contracts import deliberation, dispatch, intake
from shared.kernel.actor import ANONYMOUS, Actor
from shared.kernel.errors import Invalid, NotFound, Unauthenticated
from shared.ledger.engines import reading
from shared.ledger.reception import Outcome

HOST = "deliberation-host-guanghua-dongli"
PARTIES = ["guanghua-dongli-1", "dept-property-office"]
OPINION = {"stance": "support", "text": "先把灯修好"}


def rows(platform, table):
    with reading(platform.application.at_hand.engine) as db:
        return db.execute(select(table)).all()


def test_a_topic_is_hosted_by_the_unit_of_whoever_opens_it(platform):
    platform.matter()
    reply = platform.do("open-topic", HOST, matter="m-1", title="楼道灯怎么修", parties=PARTIES)
    (event,) = platform.events()
    assert event == deliberation.TopicSubmitted(
        topic_id=reply.body["topic_id"], matter_id="m-1", title="楼道灯怎么修", host_unit="guanghua-dongli",
        parties=tuple(PARTIES), submitted_by=HOST,
    )  # fmt: skip
    assert reply.version == 1


def test_a_matter_has_one_open_topic(platform):
    platform.matter()
    first = platform.do("open-topic", HOST, matter="m-1", title="一").body["topic_id"]
    assert platform.refused("open-topic", "grid-head-guanghua-dongli-1", matter="m-1", title="二") == "topic-exists"
    platform.do("reject-resolution", HOST, topic=first, reason="各方意见不一")
    platform.do("open-topic", HOST, matter="m-1", title="二")


@pytest.mark.parametrize(
    ("who", "content", "code"),
    [
        (HOST, {"matter": "nowhere"}, "unknown-matter"),
        ("community-clerk-jianguo-li", {}, "out-of-scope"),
        ("department-officer-dept-housing", {}, "not-permitted"),
        (HOST, {"parties": ["a", "a"]}, "party-twice"),
        (HOST, {"title": "  "}, "invalid-input"),
        (HOST, {"color": "red"}, "invalid-input"),
    ],
)
def test_refused_topics_store_nothing(platform, who, content, code):
    platform.matter()
    assert platform.refused("open-topic", who, **({"matter": "m-1", "title": "题"} | content)) == code
    assert rows(platform, tables.topics) == []
    assert platform.events() == []


def test_a_private_matter_never_comes_to_the_platform_and_its_words_are_not_kept(platform):
    platform.matter("m-2", private=True, text="不愿公开的事")
    assert platform.refused("open-topic", HOST, matter="m-2", title="题") == "matter-is-private"
    assert [row.title for row in rows(platform, tables.matters)] == [""]


def test_unlocated_matters_belong_to_the_street_until_they_are_located(platform):
    platform.matter(unit=None)
    assert platform.refused("open-topic", HOST, matter="m-1", title="题") == "out-of-scope"
    platform.hear(intake.MatterLocated(matter_id="m-1", unit="guanghua-dongli-1", located_by="x"))
    platform.do("open-topic", HOST, matter="m-1", title="题")


def test_events_of_dispatch_may_come_before_intake_tells_of_the_matter(platform):
    closed = dispatch.MatterClosed(
        matter_id="m-1", unit="g", level="grid", response_class="c", outcome="o", on_time=True, closed_by="x", attempt=1
    )
    assert platform.hear(closed) is Outcome.HANDLED
    assert platform.refused("open-topic", HOST, matter="m-1", title="题") == "unknown-matter"
    platform.matter()
    assert platform.refused("open-topic", HOST, matter="m-1", title="题") == "matter-ended"
    platform.hear(dispatch.MatterReopened(matter_id="m-1", unit="g", reason="没好", reopened_by="x", attempt=2))
    platform.do("open-topic", HOST, matter="m-1", title="题")


@pytest.fixture
def topic(platform):
    platform.matter()
    made = platform.do("open-topic", HOST, matter="m-1", title="题", parties=[*PARTIES, "outsider", "expert-1"])
    platform.events()
    return made.body["topic_id"]


@pytest.mark.parametrize(
    ("who", "kind"),
    [
        (Actor(id="asker:d-1", roles=frozenset({"citizen"})), "resident"),
        ("resident-representative-guanghua-dongli-1", "resident"),
        ("department-officer-dept-property-office", "department"),
        ("grid-worker-guanghua-dongli-1", "unit"),
        ("street-clerk-jianwai", "unit"),
        (Actor(id="expert-1", roles=frozenset({"expert"})), "expert"),
    ],
)
def test_residents_parties_and_those_who_work_there_may_speak(platform, topic, who, kind):
    reply = platform.do("give-opinion", who, topic=topic, **OPINION)
    (event,) = platform.events()
    assert (event.opinion_id, event.party_kind, event.stance) == (reply.body["opinion_id"], kind, "support")


@pytest.mark.parametrize(
    "who",
    [
        "department-officer-dept-housing",
        "community-clerk-jianguo-li",
        Actor(id="expert-2", roles=frozenset({"expert"})),
        Actor(id="expert-3", roles=frozenset({"expert"}), unit="no-such-unit"),
    ],
)
def test_others_may_not(platform, topic, who):
    assert platform.refused("give-opinion", who, topic=topic, **OPINION) == "not-a-party"


def test_an_opinion_can_be_changed_and_stays_one(platform, topic):
    who = "grid-worker-guanghua-dongli-1"
    first = platform.do("give-opinion", who, topic=topic, **OPINION).body["opinion_id"]
    second = platform.do("give-opinion", who, topic=topic, stance="oppose", text="坡道太陡").body["opinion_id"]
    assert first == second
    (kept,) = rows(platform, tables.opinions)
    assert (kept.stance, kept.text, kept.author) == ("oppose", "坡道太陡", who)


def test_no_opinion_once_the_ballot_is_open(platform, topic):
    platform.do("open-ballot", HOST, topic=topic, question="?", voters=["a"])
    assert platform.refused("give-opinion", HOST, topic=topic, **OPINION) == "opinions-closed"


def test_who_said_it_is_in_no_event_and_no_view(platform, topic):
    who = "department-officer-dept-property-office"
    platform.do("give-opinion", who, topic=topic, **OPINION)
    told = repr(platform.events()) + repr(platform.ask("topic", HOST, topic=topic))
    assert "先把灯修好" in told
    assert who not in told


def test_a_topic_can_be_read_by_its_territory_its_parties_and_residents(platform, topic):
    officer = "department-officer-dept-property-office"
    citizen = Actor(id="c", roles=frozenset({"citizen"}))
    for who in (HOST, "street-clerk-jianwai", "grid-head-guanghua-dongli-1", officer, citizen):
        seen = platform.ask("topic", who, topic=topic)
        assert seen["title"] == "题"
        assert [item["topic_id"] for item in platform.ask("topics", who)["items"]] == [topic]
    for who in ("community-clerk-jianguo-li", "department-officer-dept-housing"):
        with pytest.raises(NotFound):
            platform.ask("topic", who, topic=topic)
        assert platform.ask("topics", who)["items"] == []
    with pytest.raises(Unauthenticated):
        platform.ask("topics", ANONYMOUS)


def test_a_view_says_what_can_be_done_and_names_the_parties(platform, topic):
    seen = platform.ask("topic", HOST, topic=topic)
    assert seen["allowed"] == ["give-opinion", "open-ballot", "reject-resolution"]
    assert {"party": "outsider", "kind": "outside", "name": "outsider"} in seen["parties"]
    assert {"party": "dept-property-office", "kind": "unit", "name": "物业管理办公室"} in seen["parties"]


def test_lists_come_in_pages_and_by_state(platform):
    made = []
    for number in range(5):
        platform.matter(f"m-{number}")
        made.append(platform.do("open-topic", HOST, matter=f"m-{number}", title="题").body["topic_id"])
    first = platform.ask("topics", HOST, limit="2")
    second = platform.ask("topics", HOST, limit="2", cursor=first["next"])
    third = platform.ask("topics", HOST, limit="2", cursor=second["next"])
    pages = [item["topic_id"] for page in (first, second, third) for item in page["items"]]
    assert pages == made[::-1]
    assert third["next"] is None
    assert platform.ask("topics", HOST, state="voting")["items"] == []
    assert len(platform.ask("topics", HOST, matter="m-3")["items"]) == 1
    for wrong in ({"state": "asleep"}, {"limit": "0"}, {"limit": "x"}):
        with pytest.raises(Invalid):
            platform.ask("topics", HOST, **wrong)


def test_a_withdrawn_matter_takes_its_topic_and_ballot_along(platform, voting):
    topic, ballot = voting("y")
    platform.events()
    platform.hear(dispatch.MatterWithdrawn(matter_id="m-1", reason="已自行解决"))
    (event,) = platform.events()
    assert isinstance(event, deliberation.ResolutionRejected)
    assert "已自行解决" not in event.reason  # the asker's words; every resident reads topics
    assert platform.ask("ballot", HOST, ballot=ballot)["outcome"] is None
    voter = "grid-head-guanghua-dongli-1"
    assert platform.refused("cast-vote", voter, ballot=ballot, choice="no") == "ballot-closed"
    assert platform.refused("open-topic", HOST, matter="m-1", title="题") == "matter-ended"
    assert platform.ask("topic", HOST, topic=topic)["allowed"] == []
