"""The pages as people see them: readable in Chinese, usable without JavaScript and on a telephone, nothing foreign."""

from __future__ import annotations

import re

import pytest
from selenium.common.exceptions import NoSuchElementException

from tests.browser.conftest import NARROW, OUTCOME, WIDE, WORDS

WAYS = pytest.mark.parametrize(
    ("javascript", "size"),
    [(True, WIDE), (False, WIDE), (True, NARROW)],
    ids=["wide", "without-javascript", "telephone"],
)


def check(visitor, town):
    """What holds on every page."""
    html = visitor.one("html")
    assert html.get_dom_attribute("lang") == "zh-CN"
    assert re.search(r"[\u4e00-\u9fff]", visitor.one("h1").text)
    assert visitor.complaints() == []
    outside = [url for url in visitor.requested() if not url.startswith((town.url + "/", "data:"))]
    assert outside == []
    assert int(visitor.one("body").get_property("scrollWidth")) <= int(html.get_property("clientWidth"))
    with pytest.raises(NoSuchElementException):
        visitor.one("script, link[rel=stylesheet], img, iframe")


@WAYS
def test_somebody_follows_a_demand(town, browse, javascript, size):
    visitor = browse(javascript=javascript, size=size)
    visitor.visit(f"{town.url}/status")
    check(visitor, town)
    assert "查询码" in visitor.read()
    visitor.picture("status-empty")
    visitor.one("input[name=code]").send_keys("AAAA-BBBB-CCCC-DDDD")
    visitor.send()
    assert "没有这个查询码" in visitor.read()
    visitor.picture("status-wrong")
    visitor.one("input[name=code]").clear()
    visitor.one("input[name=code]").send_keys(town.tracking_code.lower())
    visitor.send()
    check(visitor, town)
    shown = visitor.read()
    for words in (town.number, "已结案", "光华东里社区第一居民网格", WORDS):
        assert words in shown
    visitor.picture("status")


@WAYS
def test_an_asker_evaluates(town, browse, javascript, size):
    visitor = browse(javascript=javascript, size=size)
    link = town.link()
    visitor.visit(link)
    check(visitor, town)
    assert OUTCOME in visitor.read()
    visitor.picture("evaluate")
    visitor.one("main button").click()  # nothing chosen: the browser itself asks for it
    assert visitor.one("form")
    visitor.one("input[name=satisfied][value=no]").click()
    visitor.one("input[name=resolved][value=no]").click()
    visitor.one("textarea").send_keys("四层还是不亮 <script>")
    visitor.one("input[name=wants_reopening]").click()
    visitor.send()
    check(visitor, town)
    assert "感谢您的评价" in visitor.read()
    assert "重新办理" in visitor.read()
    visitor.picture("thanks")
    [event] = town.events("oversight.evaluation-received")
    assert (event.satisfied, event.resolved, event.wants_reopening) == (False, False, True)
    assert event.comment == "四层还是不亮 <script>"
    visitor.visit(link)
    check(visitor, town)
    assert "已经提交过" in visitor.read()
    visitor.picture("evaluate-again")


def test_a_contradiction_is_explained_and_nothing_stored(town, browse):
    visitor = browse(javascript=False)
    visitor.visit(town.link())
    visitor.one("input[name=satisfied][value=yes]").click()
    visitor.one("input[name=wants_reopening]").click()
    visitor.send()
    check(visitor, town)
    assert "不能同时要求重新办理" in visitor.read()
    visitor.picture("contradiction")
    assert town.events("oversight.evaluation-received") == []


@WAYS
def test_everybody_reads_the_published_report(town, browse, javascript, size):
    visitor = browse(javascript=javascript, size=size)
    visitor.visit(town.url + "/")
    check(visitor, town)
    visitor.picture("home")
    visitor.one("main table a").click()
    assert visitor.driver.current_url == f"{town.url}/reports/{town.report}.html"
    check(visitor, town)
    shown = visitor.read()
    for words in ("办理情况公开报告", "按时办结率", "群众满意率", "本期首次结案", "÷"):
        assert words in shown
    assert "楼道灯不亮" not in shown
    visitor.picture("report")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/evaluate/none?t=x", "没有这项评价"),
        ("/reports/none.html", "没有这份报告"),
        ("/status/none", "没有这个查询码"),
    ],
    ids=["evaluation", "report", "status"],
)
def test_a_wrong_address_is_told_kindly(town, browse, path, said):
    visitor = browse(javascript=False, size=NARROW)
    visitor.visit(town.url + path)
    check(visitor, town)
    assert said in visitor.read()
    visitor.picture("wrong")
