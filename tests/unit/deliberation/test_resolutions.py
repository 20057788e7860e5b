"""The one resolution, its filing and its measures."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.deliberation.handlers.resolutions import file_with
from shared.kernel.actor import Actor
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Stale

HOST = "deliberation-host-guanghua-dongli"


@pytest.fixture
def carried(platform, voting):
    topic, ballot = voting("yyya")
    platform.do("close-ballot", HOST, ballot=ballot)
    platform.events()
    return topic


def measures(platform):
    due = platform.clock.now() + timedelta(days=3)
    return [
        {"unit": "dept-property-office", "action": "更换楼道灯", "due": rfc3339(due)},
        {"unit": "dept-disabled-federation", "action": "重建坡道"},
    ]


def test_a_resolution_is_adopted_filed_and_handed_to_its_units(platform, carried):
    reply = platform.do("adopt-resolution", HOST, topic=carried, text="经协商一致", measures=measures(platform))
    adopted, filed, *assigned = platform.events()
    assert (adopted.resolution_id, adopted.measures, adopted.adopted_by) == (reply.body["resolution_id"], 2, HOST)
    assert filed.filed_with == ("guanghua-dongli", "jianwai")
    assert [(one.unit, one.action) for one in assigned] == [
        ("dept-property-office", "更换楼道灯"), ("dept-disabled-federation", "重建坡道"),
    ]  # fmt: skip
    assert [one.measure_id for one in assigned] == reply.body["measures"]
    assert assigned[0].due_at == platform.clock.now() + timedelta(days=3)
    seen = platform.ask("topic", HOST, topic=carried)
    assert (seen["state"], seen["resolution"]["text"]) == ("adopted", "经协商一致")
    assert [one["action"] for one in seen["resolution"]["measures"]] == ["更换楼道灯", "重建坡道"]


def test_there_is_one_resolution(platform, carried):
    platform.do("adopt-resolution", HOST, topic=carried, text="一")
    assert platform.refused("adopt-resolution", HOST, topic=carried, text="二") == "resolution-exists"
    assert platform.refused("reject-resolution", HOST, topic=carried, reason="不") == "resolution-exists"


@pytest.mark.parametrize("votes", ["yynn", "y"])
def test_a_lost_ballot_can_only_be_rejected(platform, voting, votes):
    topic, ballot = voting(votes)
    assert platform.refused("adopt-resolution", HOST, topic=topic, text="一") == "not-carried"
    assert platform.refused("reject-resolution", HOST, topic=topic, reason="不") == "ballot-open"
    platform.do("close-ballot", HOST, ballot=ballot)
    platform.events()
    assert platform.refused("adopt-resolution", HOST, topic=topic, text="一") == "not-carried"
    platform.do("reject-resolution", HOST, topic=topic, reason="未过半数")
    (event,) = platform.events()
    assert (event.reason, event.rejected_by) == ("未过半数", HOST)


def test_the_parties_will_cannot_be_rejected(platform, carried):
    assert platform.refused("reject-resolution", HOST, topic=carried, reason="不") == "ballot-carried"


@pytest.mark.parametrize(
    ("measure", "code"),
    [
        ({"unit": "no-such-unit"}, "unknown-unit"),
        ({"due": "2020-01-01T00:00:00Z"}, "due-in-the-past"),
        ({"due": "tomorrow"}, "invalid-input"),
    ],
)
def test_a_faulty_measure_adopts_nothing(platform, carried, measure, code):
    good = {"unit": "dept-property-office", "action": "修"}
    content = {"topic": carried, "text": "一", "measures": [good, good | measure]}
    assert platform.refused("adopt-resolution", HOST, **content) == code
    assert platform.events() == []
    platform.do("adopt-resolution", HOST, topic=carried, text="一", measures=[good])


def test_a_resolved_matter_completes_its_measures_once(platform, carried):
    ids = platform.do("adopt-resolution", HOST, topic=carried, text="一", measures=measures(platform)).body["measures"]
    platform.do("complete-measure", HOST, topic=carried, measure=ids[0])
    assert platform.refused("complete-measure", HOST, topic=carried, measure=ids[0]) == "measure-completed"
    platform.events()
    platform.resolved("m-1")
    platform.resolved("m-1")
    (event,) = platform.events()
    assert event.measure_id == ids[1]


def test_only_its_hosts_close_a_measure(platform, carried):
    ids = platform.do("adopt-resolution", HOST, topic=carried, text="一", measures=measures(platform)).body["measures"]
    other = "deliberation-host-jianguo-li"
    assert platform.refused("complete-measure", other, topic=carried, measure=ids[0]) == "out-of-scope"
    assert platform.refused("complete-measure", HOST, topic=carried, measure="none") == "unknown-measure"


def test_a_stale_reader_changes_nothing(platform, carried):
    actor = platform.actor(HOST)
    with pytest.raises(Stale):
        platform.application.execute(
            "deliberation.adopt-resolution", {"topic": carried, "text": "一"}, actor, if_match=1
        )
    version = platform.ask("topic", HOST, topic=carried)["version"]
    platform.application.execute(
        "deliberation.adopt-resolution", {"topic": carried, "text": "一"}, actor, if_match=version
    )


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("guanghua-dongli-1", ("guanghua-dongli", "jianwai")),
        ("zone-guomao", ("zone-guomao", "jianwai")),
        ("jianwai", ("jianwai",)),
        ("chaoyang", ("chaoyang",)),
    ],
)
def test_filed_with_community_and_street(pack, unit, expected):
    assert file_with(pack, unit) == expected


def test_someone_without_a_unit_opens_the_topic_nowhere(platform):
    platform.matter()
    nobody = Actor(id="x", roles=frozenset({"deliberation-host"}))
    assert platform.refused("open-topic", nobody, matter="m-1", title="题") == "out-of-scope"
