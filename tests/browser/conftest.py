"""A town in memory behind a small web server, and a headless Chromium that looks at it.

Chromium and its driver come from Debian; installed when absent and we are root, else the tests are skipped, saying how.
"""

from __future__ import annotations

import json
import shutil
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from deploy.launcher.suite import Suite
from deploy.servers import debian
from deploy.servers.errors import ServerMissing
from shared import jurisdiction
from shared.contracts.envelope import from_bytes
from shared.kernel.clock import rfc3339
from shared.kernel.hashing import link_token
from shared.ledger.engines import reading
from shared.runtime import http
from shared.runtime.auth import Gatekeeper

PACK = Path(__file__).parents[2] / "deploy" / "jurisdictions" / "jianwai"
#: A Tuesday, 09:30 in Beijing.
START = datetime(2026, 11, 17, 1, 30, tzinfo=UTC)
WORDS = "光华东里1号楼3单元楼道灯不亮，晚上老人上下楼看不见 💡 <b>急</b>"
OUTCOME = "已更换三层、四层楼道灯，并检查了全楼线路。"
WIDE, NARROW = (1280, 1000), (375, 800)


def chromium_folder() -> Path | None:
    """Where Chromium and its driver are."""
    found = shutil.which("chromedriver")
    return Path(found).parent if found and shutil.which("chromium") else None


CHROMIUM = debian.ServerPackage("Chromium with its driver", "chromium-driver", chromium_folder)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The folder of Chromium and its driver."""
    try:
        return debian.ensure(CHROMIUM)
    except ServerMissing as missing:
        pytest.skip(f"{missing.what} Install it: sudo apt-get install --no-install-recommends {CHROMIUM.package}")


# -- the town


@dataclass(frozen=True, kw_only=True)
class Town:
    """What the pages are about, and where they are."""

    suite: Suite
    url: str
    tracking_code: str
    number: str
    report: str

    def link(self) -> str:
        """The link that the asker was sent, to an evaluation that nobody has answered."""
        asked = self.events("oversight.evaluation-requested")
        answered = {event.evaluation_id for event in self.events("oversight.evaluation-received")}
        open_ones = [event.evaluation_id for event in asked if event.evaluation_id not in answered]
        secret = self.suite.applications["oversight"].at_hand.link_secret
        return f"{self.url}/evaluate/{open_ones[0]}?t={link_token(secret, 'evaluate', open_ones[0])}"

    def events(self, name: str) -> list[Any]:
        """The events of a name, as the trace has them."""
        self.suite.settle()
        with reading(self.suite.applications["oversight"].at_hand.engine) as db:
            raws = db.exec_driver_sql("SELECT envelope FROM trace ORDER BY position").scalars().all()
        return [one.payload() for one in (from_bytes(bytes(raw)) for raw in raws) if one.name == name]


class Quiet(WSGIRequestHandler):
    """Writes no line for each request."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 -- werkzeug's name
        """Nothing."""


@pytest.fixture
def town() -> Iterator[Town]:
    """Three demands about one matter, handled to its closure; a report of the first two days."""
    suite = Suite.in_memory(jurisdiction.load(PACK), START)
    worker, head = "grid-worker-guanghua-dongli-1", "grid-head-guanghua-dongli-1"
    demand = {"channel": "patrol", "text": WORDS, "location": {"grid": "guanghua-dongli-1"}}
    first, *_others = [suite.execute("intake.register-demand", demand, worker).body for _ in range(3)]
    matter = {"matter": first["matter_id"]}
    suite.advance(by=timedelta(hours=1))
    suite.execute("dispatch.accept", matter, worker)
    suite.advance(by=timedelta(hours=2))
    photo = {"kind": "photo", "description": "换好的灯"}
    suite.execute("dispatch.resolve", matter | {"outcome": OUTCOME, "evidence": [photo]}, worker)
    suite.execute("dispatch.verify", matter | {"passed": True}, head)
    suite.execute("dispatch.close", matter, head)
    suite.execute("intake.register-demand", demand | {"text": "小区北门门禁坏了"}, worker)
    suite.advance(by=timedelta(days=2))
    period = {"period_from": rfc3339(START - timedelta(days=1)), "period_to": rfc3339(suite.clock.now())}
    report = suite.execute("oversight.publish-report", period, "street-clerk-jianwai").body["report"]
    with serving(suite) as server:
        yield Town(
            suite=suite, url=f"http://127.0.0.1:{server.port}", tracking_code=first["tracking_code"],
            number=first["number"], report=report,
        )  # fmt: skip
    suite.close()


class serving:  # noqa: N801 -- reads as a word: `with serving(suite) as server`
    """A web server for the services that people visit, in a thread, one request at a time."""

    def __init__(self, suite: Suite) -> None:
        gatekeeper = Gatekeeper(secret="s" * 40, issuer="i", audience="a", clock=suite.clock)
        doors = [(suite.applications[name], route) for name in ("intake", "oversight")
                 for route in suite.applications[name].definition.routes]  # fmt: skip
        rules = enumerate(route for _application, route in doors)
        table = Map([Rule(route.path, methods=[route.method], endpoint=place) for place, route in rules])

        @Request.application
        def answer(request: Request) -> Response:
            try:
                place, path = table.bind_to_environ(request.environ).match()
            except HTTPException as error:
                return Response(str(error), status=error.code)
            application, route = doors[place]
            return http.answer(application, gatekeeper, route, request, path)

        self.server: BaseWSGIServer = make_server("127.0.0.1", 0, answer, request_handler=Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> BaseWSGIServer:
        self.thread.start()
        return self.server

    def __exit__(self, *_how: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


# -- the browser


class Visitor:
    """Somebody with a browser; keeps a picture of every page it is told to look at."""

    def __init__(self, driver: webdriver.Chrome, pictures: Path) -> None:
        self.driver, self.pictures = driver, pictures
        self._requested: list[str] = []

    def visit(self, address: str) -> None:
        """Open an address."""
        self.driver.get(address)

    def one(self, selector: str) -> Any:
        """The element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def send(self) -> None:
        """Press the form's button and wait for what comes."""
        before = self.one("html")
        self.one("main button").click()
        # While one page takes the other's place, the driver may answer with an error of its inspector.
        WebDriverWait(self.driver, 30, ignored_exceptions=[WebDriverException]).until(staleness_of(before))

    def read(self) -> str:
        """The words on the page."""
        return str(self.one("main").text)

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page."""
        whole = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        (self.pictures / f"{name}.png").write_bytes(b64decode(whole["data"]))

    def requested(self) -> list[str]:
        """Every address that pages asked for so far."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._requested.append(message["params"]["request"]["url"])
        return self._requested

    def complaints(self) -> list[str]:
        """What the browser's console complains about, apart from the status of a page that was refused."""
        told = [entry["message"] for entry in self.driver.get_log("browser")]
        return [line for line in told if "the server responded with a status of" not in line]


@pytest.fixture
def browse(chromium: Path, tmp_path: Path) -> Iterator[Callable[..., Visitor]]:
    """Open a browser: with or without JavaScript, wide or narrow."""
    opened: list[webdriver.Chrome] = []

    def start(*, javascript: bool = True, size: tuple[int, int] = WIDE) -> Visitor:
        options = webdriver.ChromeOptions()
        options.binary_location = str(chromium / "chromium")
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--hide-scrollbars", f"--window-size={size[0]},{size[1]}",
            f"--user-data-dir={tmp_path / f'profile-{len(opened)}'}",
        ):  # fmt: skip
            options.add_argument(argument)
        if not javascript:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        if size == NARROW:
            screen = {"width": size[0], "height": size[1], "pixelRatio": 1.0, "mobile": True}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": screen})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options, Service(str(chromium / "chromedriver")))
        opened.append(driver)
        driver.get("about:blank")
        driver.get_log("performance")  # what the browser loads for its own first page is not asked about
        return Visitor(driver, tmp_path)

    yield start
    for driver in opened:
        driver.quit()
