"""Registering demands: what comes in is kept, located, grouped, and never shown to those whom it does not concern."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.kernel.actor import ANONYMOUS, Actor
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Conflict, Forbidden, Invalid, Unauthenticated

COMMAND = "intake.register-demand"


def demand(**changes):
    return {
        "channel": "hotline",
        "text": "光华东里1号楼三层楼道灯不亮，老人上下楼不方便。",
        "location": {"address": "光华东里1号楼"},
        "asker": {"kind": "resident", "name": "测试人", "phone": "13800000001"},
    } | changes


def test_opens_a_matter_in_its_grid(suite, worker, emitted):
    reply = suite.execute(COMMAND, demand(), worker).body
    assert reply["unit"] == "guanghua-dongli-1"
    assert reply["located"]
    assert not reply["joined"]
    names = [name for name, _ in emitted()]
    assert names == ["intake.matter-opened", "intake.demand-registered"]


def test_numbers_carry_the_local_date_and_grow(suite, worker):
    one = suite.execute(COMMAND, demand(), worker).body
    suite.clock.advance(timedelta(hours=16))  # 01:00 of the next day in Beijing, the same day in UTC
    two = suite.execute(COMMAND, demand(text="另一件事"), worker).body
    assert (one["number"], two["number"]) == ("D20261116000001", "D20261117000002")
    assert (one["matter_number"], two["matter_number"]) == ("M20261116000001", "M20261117000002")


def test_no_contact_data_and_no_tracking_code_in_any_event(suite, worker, emitted):
    reply = suite.execute(COMMAND, demand(), worker).body
    told = str(emitted())
    assert "13800000001" not in told
    assert "测试人" not in told
    assert reply["tracking_code"] not in told
    sealed = emitted()[1][1]["sealed_asker"]
    opened = suite.applications["intake"].at_hand.sealer.open(sealed)
    assert (opened["phone"], opened["tracking_code"]) == ("13800000001", reply["tracking_code"])


@pytest.mark.parametrize(
    "text",
    [
        "光华东里1号楼三层楼道灯不亮，老人上下楼不方便。",
        " 光华东里1号楼三层 楼道灯不亮,老人上下楼不方便 ",
        "光華東里1號樓三層樓道燈不亮，老人上下樓不方便。",
    ],
)
def test_the_same_words_about_the_same_place_join(suite, worker, emitted, text):
    first = suite.execute(COMMAND, demand(), worker).body
    second = suite.execute(COMMAND, demand(text=text, asker={"name": "另一人"}), worker).body
    assert second["matter_id"] == first["matter_id"]
    assert second["joined"]
    assert second["demand_id"] != first["demand_id"]
    assert second["tracking_code"] != first["tracking_code"]
    assert [name for name, _ in emitted()[2:]] == ["intake.demand-joined-matter", "intake.demand-registered"]


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "光华东里1号楼四层楼道灯不亮，老人上下楼不方便。"},
        {"location": {"address": "建国门6号楼"}},
        # another building of the same grid
        {"location": {"address": "光华东里2号楼"}},
        {"location": {"address": "光华东里1号楼", "longitude": 116.4551, "latitude": 39.9121}},
        {"private": True},
    ],
)
def test_other_words_other_place_or_private_do_not_join(suite, worker, changes):
    first = suite.execute(COMMAND, demand(), worker).body
    second = suite.execute(COMMAND, demand() | changes, worker).body
    assert second["matter_id"] != first["matter_id"]


def test_texts_without_words_are_like_no_other(suite, worker):
    first = suite.execute(COMMAND, demand(text="？？？"), worker).body
    assert suite.execute(COMMAND, demand(text="！！"), worker).body["matter_id"] != first["matter_id"]


def test_two_spots_on_the_map_are_two_things(suite, worker):
    places = [{"longitude": 116.4551, "latitude": 39.9121}, {"longitude": 116.4651, "latitude": 39.9121}]
    one, two, again = (suite.execute(COMMAND, demand(location=place), worker).body for place in [*places, places[0]])
    assert one["matter_id"] == again["matter_id"] != two["matter_id"]


def test_nothing_joins_a_private_matter(suite, worker):
    first = suite.execute(COMMAND, demand(private=True), worker).body
    assert suite.execute(COMMAND, demand(), worker).body["matter_id"] != first["matter_id"]
    assert suite.execute(COMMAND, demand(private=True), worker).body["matter_id"] != first["matter_id"]


def test_after_the_window_a_new_matter_is_opened(suite, worker):
    first = suite.execute(COMMAND, demand(), worker).body
    suite.clock.advance(timedelta(days=91))
    assert suite.execute(COMMAND, demand(), worker).body["matter_id"] != first["matter_id"]


def test_a_place_outside_every_grid_is_accepted_and_listed(suite, worker, street):
    reply = suite.execute(COMMAND, demand(location={"address": "很远的地方99号"}), worker).body
    assert reply["unit"] is None
    listed = ask(suite, "intake.unlocated", {}, street)
    assert [item["matter_id"] for item in listed["items"]] == [reply["matter_id"]]
    suite.execute("intake.locate-matter", {"matter": reply["matter_id"], "unit": "guanghua-dongli-1"}, street)
    assert ask(suite, "intake.unlocated", {}, street)["items"] == []
    with pytest.raises(Conflict) as refused:
        suite.execute("intake.locate-matter", {"matter": reply["matter_id"], "unit": "guanghua-dongli-1"}, street)
    assert refused.value.code == "already-located"


def test_the_unlocated_list_is_not_for_grids(suite, worker):
    with pytest.raises(Forbidden):
        ask(suite, "intake.unlocated", {}, worker)


def test_the_unlocated_list_has_pages(suite, worker, street):
    for number in range(5):
        suite.execute(COMMAND, demand(text=f"第{number}件", location={}), worker)
    first = ask(suite, "intake.unlocated", {"limit": "2"}, street)
    second = ask(suite, "intake.unlocated", {"limit": "2", "cursor": first["next"]}, street)
    third = ask(suite, "intake.unlocated", {"limit": "2", "cursor": second["next"]}, street)
    assert [item["text"] for page in (first, second, third) for item in page["items"]] == [f"第{n}件" for n in range(5)]
    assert third["next"] is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "   "}, "text"),
        ({"text": None}, "text"),
        ({"text": 7}, "text"),
        ({"text": "x" * 20_001}, "text"),
        ({"text": "nul\x00"}, "text"),
        ({"text": "half \ud83d"}, "text"),
        ({"channel": "pigeon"}, "channel"),
        ({"colour": "red"}, "colour"),
        ({"location": "光华东里"}, "location"),
        ({"location": {"grid": "no-such-grid"}}, "location.grid"),
        ({"location": {"latitude": 91}}, "location.latitude"),
        ({"location": {"latitude": "NaN"}}, "location.latitude"),
        ({"asker": {"kind": "alien"}}, "asker.kind"),
        ({"asker": {"anonymous": True, "name": "张三"}}, "asker.name"),
        ({"asker": {"name": "王\r\nBcc: x@example.org"}}, "asker.name"),
        ({"asker": {"phone": "138\n000"}}, "asker.phone"),
        ({"asker": {"mail": "a@example.org\r\nBcc: b@example.org"}}, "asker.mail"),
        ({"asker": {"mail": "a@example.org, b@example.org"}}, "asker.mail"),
        ({"asker": {"mail": "nowhere"}}, "asker.mail"),
        ({"location": {"grid": "dept-fire"}}, "location.grid"),
        ({"source": "s" * 200, "source_ref": "1"}, "source"),
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": "2026-11-16T09:00:00"}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "2026-11-16T09:06:00+08:00"}, "occurred_at"),
        ({"private": "yes"}, "private"),
        ({"category": "no-such"}, "category"),
        ({"source": "old-system"}, "source_ref"),
    ],
)
def test_bad_input_names_the_field_and_stores_nothing(suite, worker, emitted, changes, field):
    with pytest.raises(Invalid) as refused:
        suite.execute(COMMAND, demand() | changes, worker)
    assert field in refused.value.fields
    assert refused.value.remedy
    assert emitted() == []


def test_missing_fields_are_named_all_at_once(suite, worker):
    with pytest.raises(Invalid) as refused:
        suite.execute(COMMAND, {}, worker)
    assert set(refused.value.fields) == {"channel", "text", "location"}


def test_a_clock_a_little_ahead_is_forgiven(suite, worker):
    at = suite.clock.now() + timedelta(minutes=4)
    assert suite.execute(COMMAND, demand(occurred_at=rfc3339(at)), worker).body["number"]


def test_default_deny(suite):
    with pytest.raises(Unauthenticated):
        suite.execute(COMMAND, demand(), ANONYMOUS)
    with pytest.raises(Forbidden):
        suite.execute(COMMAND, demand(), Actor(id="dept", roles=frozenset({"department-officer"}), unit="dept-water"))


def test_idempotency_key_gives_the_same_answer_and_no_second_demand(suite, worker, emitted):
    first = suite.execute(COMMAND, demand(), worker, idempotency_key="k1")
    again = suite.execute(COMMAND, demand(), worker, idempotency_key="k1")
    assert again.body == first.body
    assert len(emitted()) == 2
    with pytest.raises(Conflict) as refused:
        suite.execute(COMMAND, demand(text="别的"), worker, idempotency_key="k1")
    assert refused.value.code == "idempotency-key-reused"
    other = suite.actor("grid-head-guanghua-dongli-1")
    assert suite.execute(COMMAND, demand(text="别的"), other, idempotency_key="k1").body != first.body


def test_emoji_and_length_survive(suite, worker):
    words = "😀🏠" + "很长的诉求。" * 400
    code = suite.execute(COMMAND, demand(text=words), worker).body["tracking_code"]
    assert ask(suite, "intake.status", {"code": code}, ANONYMOUS)["text"] == words


def ask(suite, name, parameters, actor):
    application = suite.applications["intake"]
    (query,) = (
        route.query for route in application.definition.routes if route.query is not None and route.query.name == name
    )
    return application.ask(query, parameters, actor)
