"""Departments reached by a connector: signed, tried again with back-off, given up after three days."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from services.dispatch import connecting, metrics
from services.dispatch.connectors import webhook
from services.dispatch.delivery_tables import department_deliveries
from shared.contracts import whistles
from shared.kernel.errors import Misconfigured
from shared.ledger.engines import reading
from shared.ledger.unit_of_work import look_only
from shared.plugins import Plugin, Plugins, PluginSettings, TemporaryFailure
from tests.unit.dispatch.conftest import RAMP, START, STREET_CLERK, Desk

WATER, HOUSING = "dept-water", "dept-housing"
SECRET = b"a-secret-of-32-characters-or-more"


class Office:
    """A department's web server: keeps what it gets, answers what it is told to."""

    def __init__(self):
        self.got = []
        self.status = 204
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                office.got.append((dict(self.headers), body))
                self.send_response(office.status)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                """Nothing on the screen."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/whistles"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def office():
    made = Office()
    yield made
    made.close()


def desk_with(pack, made):
    suite = Suite.in_memory(pack, START, only=["dispatch"])
    plugin = Plugin(group=connecting.GROUP, name="webhook", origin="test", state="loaded", made=made)
    application = suite.applications["dispatch"]
    at_hand = replace(application.at_hand, plugins=Plugins((plugin,)))
    suite.applications["dispatch"] = replace(application, at_hand=at_hand)
    suite.relay._applications = suite.applications
    return Desk(suite)


@pytest.fixture
def desk(pack, office):
    address = webhook.Address(url=office.url, secret=SECRET)
    made = desk_with(pack, webhook.WebhookConnector({WATER: address}))
    yield made
    made.suite.close()


def blow(desk):
    desk.open(text=RAMP)
    content = {"departments": [WATER, HOUSING], "request": "请到场"}
    return desk.do(STREET_CLERK, "blow-whistle", **content)["whistle_id"]


def rows(desk):
    with reading(desk.app.at_hand.engine) as db:
        return db.execute(select(department_deliveries).order_by("created_at")).all()


def test_a_call_is_posted_as_on_the_bus_and_signed(desk, office):
    whistle = blow(desk)
    ((headers, body),) = office.got
    telling = whistles.read_told(body)
    assert (telling.message.whistle, telling.message.department) == (whistle, WATER)
    assert (headers["Gridwhistle-Id"], headers["Content-Type"]) == (telling.id, "application/cloudevents+json")
    stamp = headers["Gridwhistle-Timestamp"]
    assert int(stamp) == int(START.timestamp())
    wanted = "v1=" + hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["Gridwhistle-Signature"] == wanted
    ((state, kept),) = [(row.state, row.body) for row in rows(desk)]
    assert (state, kept) == ("delivered", None)


def test_what_is_not_taken_is_tried_again_with_longer_pauses_and_then_given_up(desk, office):
    office.status = 503
    blow(desk)
    assert rows(desk)[0].next_attempt_at == START + connecting.FIRST_PAUSE
    desk.wait(minutes=8)
    assert len(office.got) == 5, "at once, after 30 s, 90 s, 3.5 min and 7.5 min"
    assert len({headers["Gridwhistle-Id"] for headers, _ in office.got}) == 1
    assert len({headers["Gridwhistle-Signature"] for headers, _ in office.got}) == 5
    desk.wait(days=4)
    row = next(one for one in rows(desk) if one.message_id == office.got[0][0]["Gridwhistle-Id"])
    assert (row.state, row.reason) == ("failed", "answered with 503")
    assert (
        connecting.GIVEN_UP_AFTER <= row.finished_at - row.created_at < connecting.GIVEN_UP_AFTER + timedelta(hours=2)
    )
    assert row.body is not None


def test_a_late_recovery_delivers(desk, office):
    office.status = 500
    blow(desk)
    office.status = 200
    desk.wait(minutes=1)
    assert [row.state for row in rows(desk)] == ["delivered"]


def test_gone_is_final_and_redirects_are_not_followed(desk, office):
    office.status = 302
    blow(desk)
    assert (len(office.got), rows(desk)[0].reason) == (1, "answered with 302")
    office.status = 410
    desk.wait(minutes=1)
    assert rows(desk)[0].state == "failed"


def test_what_was_given_up_is_shown_for_a_day(desk, office):
    def shown():
        with look_only(desk.app.at_hand) as work:
            metrics.refresh(work, desk.app.metrics)
        name = "gridwhistle_department_deliveries_given_up{"
        return next(line for line in desk.app.metrics.render().decode().splitlines() if line.startswith(name))[-3:]

    assert shown() == "0.0"
    office.status = 410
    blow(desk)
    desk.wait(minutes=1)
    assert shown() == "1.0"
    office.status = 200
    desk.wait(days=2)
    assert shown() == "0.0"


def test_nobody_there_holds_nothing_up(pack):
    nowhere = webhook.Address(url="http://127.0.0.1:9/", secret=SECRET)
    desk = desk_with(pack, webhook.WebhookConnector({WATER: nowhere}))
    whistle = blow(desk)
    assert desk.view()["whistles"][0]["whistle_id"] == whistle
    assert rows(desk)[0].reason.startswith("no answer: ")
    desk.suite.close()


def test_a_connector_that_breaks_its_contract_is_counted_and_tried_again(pack):
    class Broken:
        def reaches(self, department):
            return department == WATER

        def deliver(self, delivery):
            raise ZeroDivisionError

    desk = desk_with(pack, Broken())
    blow(desk)
    assert rows(desk)[0].state == "pending"
    assert desk.app.at_hand.plugins.raised == {(connecting.GROUP, "webhook"): 1}
    desk.suite.close()


def test_a_claim_that_outlived_itself_leaves_the_later_word(desk, office):
    office.status = 503
    blow(desk)
    row = rows(desk)[0]
    old = connecting.Claimed(
        message_id=row.message_id, department=WATER, created_at=row.created_at, tries=row.tries - 1, body=b""
    )
    with connecting_work(desk) as work:
        connecting.record(work, [(old, None), (old, TemporaryFailure("late"))])
        work.commit()
    assert (rows(desk)[0].state, rows(desk)[0].reason) == ("pending", "answered with 503")


def connecting_work(desk):
    from shared.ledger.unit_of_work import unit_of_work  # noqa: PLC0415

    return unit_of_work(desk.app.at_hand)


def test_the_file_says_who_is_reached_and_its_faults_are_named_without_secrets(tmp_path):
    path = tmp_path / "departments.toml"

    def made(text, mode=0o600):
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return webhook.make(PluginSettings(data_dir=tmp_path, departments=path))

    good = '[dept-water]\nconnector = "webhook"\nurl = "https://office.example/w"\nsecret = "' + "s" * 32 + '"\n'
    connector = made(good)
    assert (connector.reaches(WATER), connector.reaches(HOUSING)) == (True, False)
    assert made('[dept-water]\nconnector = "pigeon"\n') is None
    assert webhook.make(PluginSettings(data_dir=tmp_path)) is None
    for text, fault in (
        (good.replace("https", "http"), "https"), (good.replace("s" * 32, "hush"), "shorter than 32"),
        ("[dept-water]\nurl = 1\n", "no connector"), ("secret = {", "cannot be read as TOML"),
    ):  # fmt: skip
        with pytest.raises(Misconfigured, match=fault) as error:
            made(text)
        assert "hush" not in str(error.value)
    with pytest.raises(Misconfigured, match="chmod 600"):
        made(good, 0o640)


def test_the_messages_hold_what_the_bus_holds(desk, office):
    blow(desk)
    body = json.loads(office.got[0][1])
    assert body["stream"] == f"whistle.{WATER}:{body['data']['whistle']}"
