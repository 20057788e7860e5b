"""The words of messages: Chinese first, on the pack's clock, nothing that does not belong in them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.notify import handlers, notice_rendering, rendering
from services.notify.recipients import Audience
from services.notify.rendering import EN, ZH, CannotRender, Facts
from services.notify.subscriptions import SUBSCRIPTIONS
from shared.contracts import registry
from shared.contracts.topology import subscriptions_of
from shared.jurisdiction import Label, Template

DUE = datetime(2025, 9, 12, 9, 30, tzinfo=UTC)


def template(zh, en="en"):
    return Template("t", "intake.demand-registered", "asker", ("file",), None, Label(zh, en))


def facts(**more):
    return Facts(**({"number": "D2025-1", "matter_number": "M2025-1", "tracking_code": "AAAA"} | more))


def test_every_template_of_the_pack_can_be_rendered_and_is_sent_by_something(pack):
    assert len(pack.templates) >= 8
    for one in pack.templates:
        (notice_rendering if one.audience in set(Audience) else rendering).check(one, pack, DUE)
        assert one.audience in {handlers.ASKER, *Audience}
        assert one.event in SUBSCRIPTIONS


def test_everything_subscribed_to_is_heard():
    heard = {
        row.name
        for subscription in subscriptions_of("notify")
        for row in registry.all_types()
        if row.owner == subscription.source and subscription.hears(row.stream)
    }
    assert set(SUBSCRIPTIONS) <= heard


def test_an_assignment_in_both_languages(pack):
    (assigned,) = (one for one in pack.templates if one.id == "assigned")
    words = rendering.render(assigned, facts(unit="guanghua-dongli-1", response_class="within-week", due_at=DUE), pack)
    assert words.subject == "【北京市朝阳区建外街道网格哨】诉求 D2025-1 已派单"
    assert words.zh.startswith(
        "您好！您的诉求 D2025-1 已交由光华东里社区第一居民网格办理，按“周内办”类事项响应，"
        "预计于 2025年9月12日（星期五）17:30 前办结。"
    )
    assert words.en == (
        'D2025-1 is now with Guanghua Dongli Resident Grid 1 as "Within the week", due by 12 September 2025, 17:30.'
    )


def test_a_due_time_that_is_a_guess_is_told_as_one(pack):
    (assigned,) = (one for one in pack.templates if one.id == "assigned")
    words = rendering.render(assigned, facts(unit="guanghua-dongli-1", due_at=DUE, due_provisional=True), pack)
    assert "预计于 2025年9月12日（星期五）17:30（暂定，当年节假日安排公布后可能调整） 前办结" in words.zh
    assert "due by 12 September 2025, 17:30 (provisional until that year’s holidays are published)." in words.en


def test_what_is_not_known_leaves_no_gap(pack):
    (assigned,) = (one for one in pack.templates if one.id == "assigned")
    words = rendering.render(assigned, facts(), pack)
    assert words.zh.startswith("您好！您的诉求 D2025-1 已交由相关单位办理。")


@pytest.mark.parametrize(
    ("code", "zh", "en"),
    [
        ("beyond-authority", "超出本级权限", "beyond the powers of this level"),
        ("breach", "未在规定时限内办理", "not handled within its time limit"),
        ("some-rule-of-the-pack", "", ""),
        (None, "", ""),
    ],
)
def test_reasons_are_words_or_nothing(code, zh, en):
    assert rendering.reason_words(code, ZH) == zh
    assert rendering.reason_words(code, EN) == en


@pytest.mark.parametrize(
    "broken",
    [
        "{{ demand_text }}",
        "{{ 1 / 0 }}",
        "{{ number.__class__.__mro__ }}",
        "{{ number | nosuchfilter }}",
        "{{ number + 1 }}",
    ],
)
def test_a_template_that_asks_for_more_is_refused(pack, broken):
    with pytest.raises(CannotRender, match=r"templates\.yaml, t: "):
        rendering.check(template(broken), pack, DUE)


def test_text_is_not_escaped_and_one_language_stands_alone(pack):
    words = rendering.render(template("甲 & 乙 {{ number }}", "甲 & 乙 {{ number }}"), facts(), pack)
    assert (words.zh, words.en) == ("甲 & 乙 D2025-1", "")


def test_the_evaluation_link_carries_its_token():
    link = rendering.evaluation_link("http://here", "secret", "e-1")
    assert link.startswith("http://here/evaluate/e-1?t=")
    assert link != rendering.evaluation_link("http://here", "other", "e-1")
    assert len(link.rpartition("=")[2]) == 40
