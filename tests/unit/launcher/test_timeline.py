"""The timeline says every event in both languages, and never who asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from deploy.launcher.installation import pack_folder
from deploy.launcher.scenario import timeline
from deploy.launcher.scenario.stage import Happening
from shared import jurisdiction as packs
from shared.contracts import registry, shapes
from shared.kernel import wording


@pytest.fixture(scope="module")
def pack():
    return packs.load(pack_folder("jianwai"))


def happening(name, **data):
    return Happening(position=1, name=name, subject="m", time=datetime(2025, 9, 8, 1, tzinfo=UTC), data=data)


@pytest.mark.parametrize("row", registry.all_types(), ids=lambda row: row.name)
def test_every_event_has_a_sentence_whose_places_are_its_fields(row):
    fields = dict.fromkeys(shapes.schema_of(row.shape).fields, "x")
    for locale in wording.LOCALES:
        assert wording.say(f"timeline.{row.name}", locale, **fields)


def test_units_people_classes_and_codes_are_said_in_words(pack):
    accepted = happening(
        "dispatch.matter-accepted", unit="yongan-nanli-6", accepted_by="grid-head-yongan-nanli-6", matter_id="m"
    )
    assert timeline.say(accepted, pack, "zh_CN") == "永安南里社区第六居民网格签收（网格长）"
    assert timeline.say(accepted, pack, "en") == "Accepted by Yong’an Nanli Resident Grid 6 (grid-head)"
    breached = happening("dispatch.clock-breached", kind="accept", due_at="2025-09-08T02:10:00Z", unit="u")
    assert timeline.say(breached, pack, "zh_CN") == "签收超时（应于 09-08 10:10）"


def test_long_words_are_cut_and_not_repeated_in_english(pack):
    opened = happening("intake.matter-opened", number="M1", text="灯不亮" * 40)
    chinese = timeline.say(opened, pack, "zh_CN")
    assert chinese.endswith("…")
    assert len(chinese) < 70
    assert timeline.say(opened, pack, "en") == "Matter M1 opened: …"


def test_what_the_pack_and_the_wording_do_not_know_is_shown_as_it_is(pack):
    assert timeline.say(happening("dispatch.matter-accepted", unit="gone", accepted_by="x"), pack, "zh_CN") == (
        "gone签收（x）"
    )
    assert timeline.say(happening("newer.event"), pack, "zh_CN") == "newer.event"


def test_what_is_withheld_is_left_blank(pack):
    assert timeline.say(happening("dispatch.matter-progressed"), pack, "zh_CN") == "办理进展："


def test_no_sentence_shows_who_asked():
    personal = {"sealed_asker", "asker_kind", "anonymous", "demand_id", "place"}
    for row in registry.all_types():
        text = wording.say(f"timeline.{row.name}")
        assert not [field for field in personal if "{" + field + "}" in text]


def test_background_events_are_left_out_unless_asked_for(pack):
    events = [happening("dispatch.clock-started", kind="accept", due_at="2025-09-08T02:10:00Z", target="t")]
    assert timeline.lines(events, pack) == []
    assert len(timeline.lines(events, pack, everything=True)) == 1


def test_what_several_askers_are_told_at_once_stands_there_once_and_is_counted(pack):
    asked = happening("oversight.evaluation-requested", evaluation_id="e-1", demand_id="d-1")
    again = replace(asked, data={"evaluation_id": "e-2", "demand_id": "d-2"})
    a_day_later = replace(asked, time=asked.time + timedelta(days=1))
    console = Console(width=100, record=True, file=StringIO())
    console.print(timeline.table([asked, again, a_day_later], pack))
    told = [line.split() for line in console.export_text().splitlines()]
    assert [line[3:5] for line in told] == [["请诉求人评价", "×2"], ["请诉求人评价", "The"]]
