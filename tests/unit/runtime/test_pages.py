"""What people with a browser get: pages in Chinese first with the right status, whatever goes wrong; forms."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy.exc import OperationalError
from werkzeug import Request
from werkzeug.test import EnvironBuilder

from deploy.launcher import services
from deploy.launcher.suite import Suite
from services.intake.web import views
from shared.jurisdiction import load
from shared.kernel.actor import ANONYMOUS
from shared.kernel.errors import Refusal
from shared.kernel.wording import has
from shared.runtime import http, pages, problems
from shared.runtime.auth import Gatekeeper
from shared.runtime.definition import Form, Page, Route

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def pack():
    return load(PACK)


@pytest.fixture
def suite(pack):
    suite = Suite.in_memory(pack, datetime(2026, 11, 16, 1, 0, tzinfo=UTC), only=["intake"])
    yield suite
    suite.close()


@pytest.fixture
def visit(suite):
    application = suite.applications["intake"]
    gatekeeper = Gatekeeper(secret="s" * 40, issuer="i", audience="a", clock=suite.clock)

    def send(route, *, headers=None, path=None, **request):
        builder = EnvironBuilder(route.path, method=route.method, headers=headers, **request)
        return http.answer(application, gatekeeper, route, Request(builder.get_environ()), path or {})

    return send


def looking(page, people="status"):
    return Route(method="GET", path="/x", page=page, people=people)


def refuse(code="some-code", status=422):
    def page(_work, _parameters):
        refusal = Refusal("internal <b>wording</b>", code=code)
        refusal.status = status
        raise refusal

    return page


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "填写的内容有误"), (401, "请先登录"), (403, "您没有权限"), (404, "没有找到"), (409, "按规定"),
        (410, "按规定"), (412, "按规定"), (413, "内容过长"), (415, "填写的内容有误"), (422, "按规定"),
    ],
)  # fmt: skip
def test_a_refusal_is_a_page_with_its_status(visit, status, said):
    response = visit(looking(refuse(status=status)))
    shown = response.get_data(as_text=True)
    assert (response.status_code, response.content_type) == (status, "text/html; charset=utf-8")
    assert said in shown
    assert "some-code" in shown
    assert "wording" not in shown
    assert "<script" not in shown
    assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_an_area_has_words_of_its_own(visit):
    assert "没有这份报告" in visit(looking(refuse("unknown-report", 404), "report")).get_data(as_text=True)
    assert "没有找到" in visit(looking(refuse("unknown-report", 404), "evaluate")).get_data(as_text=True)


def test_programs_still_get_problem_details(visit):
    assert visit(looking(refuse(), None)).content_type == problems.CONTENT_TYPE


def test_a_bad_token_is_told_as_a_page(visit):
    response = visit(looking(lambda _work, _parameters: Page(body=b"")), headers={"Authorization": "Bearer x"})
    assert (response.status_code, response.mimetype) == (401, "text/html")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_bug_is_a_page_with_a_reference_and_nothing_internal(visit):
    def page(_work, _parameters):
        raise ZeroDivisionError("hunter2")

    response = visit(looking(page))
    shown = response.get_data(as_text=True)
    assert (response.status_code, response.mimetype) == (500, "text/html")
    assert "系统出错" in shown
    assert response.headers["X-Correlation-ID"] in shown
    assert "hunter2" not in shown


def test_a_database_that_is_away_is_a_page_that_says_when_to_come_back(visit):
    def page(_work, _parameters):
        raise OperationalError("select", {}, Exception("connection refused"))

    response = visit(looking(page))
    assert (response.status_code, response.mimetype) == (503, "text/html")
    assert "请稍后再试" in response.get_data(as_text=True)
    assert response.headers["Retry-After"]


def test_what_no_database_can_hold_is_refused_before_a_page_asks_for_it(visit):
    response = visit(looking(lambda _work, _parameters: Page(body=b"")), query_string={"code": "a\0b"})
    assert (response.status_code, response.mimetype) == (400, "text/html")


def test_only_a_fitting_route_gets_a_page():
    away = problems.unavailable("x")
    assert http.fitting(looking(None, None), away) is away
    assert http.fitting(looking(None), away).mimetype == "text/html"


# -- forms

SUPPLEMENT = Route(
    method="POST", path="/more", command="intake.supplement-demand", people="status",
    form=Form(content=dict, done=lambda reply: Page(body="收到".encode(), status=201)),
)  # fmt: skip


@pytest.fixture
def code(suite):
    content = {"channel": "web", "text": "灯不亮", "location": {"grid": "guanghua-dongli-1"}}
    return suite.execute("intake.register-demand", content, "grid-head-guanghua-dongli-1").body["tracking_code"]


def test_a_form_becomes_a_command(visit, code, suite):
    response = visit(SUPPLEMENT, data={"tracking_code": code, "text": "四层也不亮 &<>"})
    assert (response.status_code, response.get_data(as_text=True)) == (201, "收到")
    shown = suite.applications["intake"].metrics.render().decode()
    assert 'requests_total{command="intake.supplement-demand",result="ok",service="intake"} 1.0' in shown


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"data": b'{"text": "x"}', "content_type": "application/json"}, 415),
        ({"data": b"x", "content_type": "multipart/form-data; boundary=y"}, 415),
        ({"data": b"text=%FF", "content_type": FORM}, 400),
        ({"data": "text=中".encode("gb18030"), "content_type": FORM}, 400),
        ({"data": "&".join(f"f{number}=1" for number in range(300)).encode(), "content_type": FORM}, 400),
        ({"data": b"text=" + b"x" * 1_100_000, "content_type": FORM}, 413),
        ({"data": b"text=a%00b&tracking_code=x", "content_type": FORM}, 400),
        ({"data": b"text=a", "content_type": FORM, "headers": {"If-Match": "rubbish"}}, 400),
        ({}, 400),
    ],
)
def test_bad_forms_are_told_as_pages(visit, given, status):
    response = visit(SUPPLEMENT, **given)
    assert (response.status_code, response.mimetype) == (status, "text/html")


def test_the_first_of_a_fields_values_counts_and_the_path_wins(visit, code):
    body = urlencode([("tracking_code", "x"), ("text", "一"), ("text", "")]).encode()
    assert visit(SUPPLEMENT, data=body, content_type=FORM, path={"tracking_code": code}).status_code == 201


@pytest.mark.parametrize("way", ["field", "header"])
def test_a_form_sent_twice_counts_once(visit, code, way, suite):
    fields, headers = {"tracking_code": code, "text": "四层也不亮"}, {}
    if way == "field":
        fields["idempotency-key"] = "k"
    else:
        headers["Idempotency-Key"] = "k"
    for _ in range(2):
        assert visit(SUPPLEMENT, data=fields, headers=headers).status_code == 201
    seen = suite.applications["intake"].look("seen", supplements, {"code": code}, ANONYMOUS, needs=None)
    assert seen == ["四层也不亮"]
    assert visit(SUPPLEMENT, data=fields | {"text": "另"}, headers=headers).status_code == 409


def supplements(work, parameters):
    return [each["text"] for each in views.status(work, parameters)["supplements"]]


# -- every service's routes for people


@pytest.mark.parametrize("service", services.definitions())
def test_every_html_route_is_for_people(service):
    for route in services.definition(service).routes:
        opened = route.page is not None and not route.path.endswith((".csv", ".json", ".txt"))
        assert (route.people is not None) == (opened or route.form is not None), route.path
        assert route.form is None or (route.command is not None and route.method == "POST"), route.path


def test_every_status_has_words():
    assert all(has(key) for key in (*pages._BY_STATUS.values(), "problem.refused", "problem.reference"))
