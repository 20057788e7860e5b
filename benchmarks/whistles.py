"""`python -m benchmarks whistles`: from the command that whistles to the department's queue, at a steady rate.

Private PostgreSQL and RabbitMQ, dispatch's application and its relay in threads of this process, a department that
consumes with its own user. Latency is counted from the instant at which the command was *due* to be sent, so that a
slow stretch is not hidden by sending less.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pika

from deploy.launcher import services
from deploy.launcher.installation import PACKS
from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ
from shared.contracts import registry, shapes, whistles
from shared.contracts.envelope import Envelope
from shared.contracts.intake import MatterOpened
from shared.contracts.values import Place
from shared.jurisdiction import load
from shared.kernel.actor import Actor
from shared.kernel.clock import SystemClock
from shared.kernel.sealing import new_key_text
from shared.ledger import outbox
from shared.ledger.engines import open_engine, reading
from shared.ledger.migrate import migrate
from shared.runtime.application import Application
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of
from shared.wire import declare, department_users
from shared.wire.metrics import RelayMetrics
from shared.wire.publisher import Publisher
from shared.wire.relay import Relay

_DEPARTMENT, _PASSWORD = "dept-water", "a-password-for-a-benchmark"
_GRID = "guanghua-dongli-1"
_CLERK = Actor(id="street-clerk-jianwai", roles=frozenset({"street-clerk"}), unit="jianwai")


def main(arguments: list[str]) -> None:
    """Measure and print median and p99."""
    parser = argparse.ArgumentParser(prog="benchmarks whistles")
    parser.add_argument("--rate", type=float, default=50.0, help="whistles a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="gridwhistle-bench-"))
    folder.chmod(0o755)
    with PrivatePostgreSQL(folder / "postgresql") as database, PrivateRabbitMQ(folder / "rabbitmq") as broker:
        url = broker.url_for("bench")
        management_url = broker.management_url.replace("://", f"://{broker.user}:{broker.password}@")
        declare.declare(url, [_DEPARTMENT])
        department_users.set_users(url, management_url, [_DEPARTMENT], passwords={_DEPARTMENT: _PASSWORD})
        settings = Settings(
            database_url=database.url_for("bench"), jurisdiction=PACKS / "jianwai", contact_keys=new_key_text(),
            token_secret="t" * 40, link_secret="l" * 40, data_dir=folder, broker_url=url,
        )  # fmt: skip
        migrate(open_engine(settings.database_url, pool_size=1), services.definition("dispatch"))
        application = application_of(services.definition("dispatch"), settings, jurisdiction=load(PACKS / "jianwai"))
        latencies = _measured(application, url, given.rate, int(given.rate * given.seconds))
    cuts = statistics.quantiles(latencies, n=100)
    print(
        f"{len(latencies)} whistles at {given.rate:.0f}/s: median {cuts[49] * 1e3:.0f} ms, p99 {cuts[98] * 1e3:.0f} ms"
    )


def _measured(application: Application, url: str, rate: float, number: int) -> list[float]:
    for place in range(number):
        application.receive(_opened(place))
    arrived: dict[str, float] = {}
    stop = threading.Event()
    relay = Relay(
        "dispatch", engine=application.at_hand.engine, clock=SystemClock(), holder="bench",
        connect=lambda: Publisher(url, "bench relay"), metrics=RelayMetrics("dispatch"),
    )  # fmt: skip
    threads = [
        threading.Thread(target=relay.run, args=(stop,)),
        threading.Thread(target=_department, args=(url, arrived, stop)),
    ]
    for thread in threads:
        thread.start()
    while _waiting(application):
        time.sleep(0.2)  # noqa: TID251 -- what the matters told leaves first
    due: dict[str, float] = {}
    began = time.perf_counter()
    for place in range(number):
        at = began + place / rate
        time.sleep(max(0.0, at - time.perf_counter()))  # noqa: TID251 -- a steady rate
        content = {"matter": f"m-{place}", "departments": [_DEPARTMENT], "request": "请到场查看"}
        due[application.execute("dispatch.blow-whistle", content, _CLERK).body["whistle_id"]] = at
    deadline = time.monotonic() + 60
    while len(arrived) < number and time.monotonic() < deadline:
        time.sleep(0.1)  # noqa: TID251 -- the last ones are under way
    stop.set()
    for thread in threads:
        thread.join()
    return [arrived[whistle] - at for whistle, at in due.items()]


def _waiting(application: Application) -> int:
    with reading(application.at_hand.engine) as db:
        return outbox.backlog(db)[0]


def _department(url: str, arrived: dict[str, float], stop: threading.Event) -> None:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    own = urlunsplit(parts._replace(netloc=f"{whistles.exchange_of(_DEPARTMENT)}:{_PASSWORD}@{host}"))
    connection = pika.BlockingConnection(pika.URLParameters(own))

    def take(channel: pika.channel.Channel, method: pika.spec.Basic.Deliver, _properties: object, body: bytes) -> None:
        message = whistles.read_told(body).message
        if isinstance(message, whistles.Called):
            arrived[message.whistle] = time.perf_counter()
        channel.basic_ack(method.delivery_tag)

    connection.channel().basic_consume(whistles.key_of(_DEPARTMENT), take)
    while not stop.is_set():
        connection.process_data_events(time_limit=0.05)
    connection.close()


def _opened(place: int) -> bytes:
    matter = f"m-{place}"
    event = MatterOpened(
        matter_id=matter, number=f"M{place}", demand_id=f"d-{place}", text="门前积水", unit=_GRID,
        place=Place(address="光华东里1号楼"), channel="web", asker_kind="resident", private=False, category=None,
    )  # fmt: skip
    row = registry.by_shape(MatterOpened)
    return Envelope(
        id=f"e-{place}", source="urn:gridwhistle:intake", type=row.type, subject=matter, time=datetime.now(UTC),
        stream=f"intake.matter:{matter}", streamversion=1, correlationid="bench", causationid=None, traceparent=None,
        classification=row.classification, data=shapes.dump(event),
    ).to_bytes()  # fmt: skip
