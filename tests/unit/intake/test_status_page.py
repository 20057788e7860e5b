"""The status page: readable without JavaScript, and nothing a resident writes becomes markup."""

from __future__ import annotations

from services.intake.web import views
from shared.ledger.unit_of_work import look_only
from tests.unit.intake.test_register import demand


def shown_to(suite, **parameters):
    with look_only(suite.applications["intake"].at_hand) as work:
        shown = views.status_page(work, parameters)
    assert shown.content_type == "text/html; charset=utf-8"
    return shown


def page(suite, **parameters):
    return shown_to(suite, **parameters).body.decode()


def test_a_form_without_code(suite):
    assert 'name="code"' in page(suite)


def test_a_wrong_code_is_said_kindly(suite):
    assert shown_to(suite, code="none").status == 404
    assert 'name="code"' in page(suite, code="none")
    assert "没有这个查询码" in page(suite, code="<b>x</b>")
    assert "<b>x</b>" not in page(suite, code="<b>x</b>")


def test_the_askers_words_are_escaped(suite, worker):
    hostile = "<script>alert(1)</script>" + chr(34) + "><img src=x onerror=y> & 灯不亮"
    code = suite.execute("intake.register-demand", demand(text=hostile), worker).body["tracking_code"]
    shown = page(suite, code=code)
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "<img" not in shown
    assert "光华东里社区第一居民网格" in shown
    assert "13800000001" not in shown
