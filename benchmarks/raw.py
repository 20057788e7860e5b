"""What this machine's PostgreSQL and RabbitMQ do without us: the yardsticks that every figure of ours stands beside."""

from __future__ import annotations

import subprocess
import tempfile
import time
from typing import Any

from deploy.launcher.documents import samples
from shared.contracts import registry
from shared.wire import connection as connections
from shared.wire.arrangement import QUEUE_ARGUMENTS
from shared.wire.publisher import Outgoing, Publisher

#: The transaction that peers were measured with: two inserts of one row each.
TWO_INSERTS = "INSERT INTO one (x) VALUES (1);\nINSERT INTO two (x) VALUES (1);\n"
#: Messages in flight at once, as the relay has.
WINDOW = 200


def pgbench(server: Any, seconds: int = 8, clients: int = 8) -> float:
    """Transactions a second of two one-row inserts each, by pgbench on a private server."""
    dsn = server.dsn_for("bench")
    tables = "".join(f"CREATE TABLE IF NOT EXISTS {name} (id bigserial PRIMARY KEY, x int);" for name in ("one", "two"))
    subprocess.run([server.program("psql"), "-q", dsn, "-c", tables], check=True, stderr=subprocess.DEVNULL)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(TWO_INSERTS)
        script.flush()
        options = ["-n", "-f", script.name, "-c", str(clients), "-j", "2", "-T", str(seconds)]
        done = subprocess.run([server.program("pgbench"), *options, dsn], check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps ="))
    return float(line.split()[2])


def publishing(url: str, messages: int = 10_000) -> float:
    """Messages a second confirmed by one quorum queue, published by our own pipelined publisher, an event each."""
    queue = "gridwhistle.bench"
    connection = connections.connect(url, "bench")
    connection.channel().queue_declare(queue, durable=True, auto_delete=False, arguments=QUEUE_ARGUMENTS)
    connections.close(connection)
    body = samples.envelope_of(registry.by_name("intake.matter-opened")).to_bytes()
    confirmed = sent = 0
    with Publisher(url, "bench") as publisher:
        began = time.perf_counter()
        while confirmed < messages:
            while sent < messages and publisher.unanswered < WINDOW:
                publisher.send(Outgoing(exchange="", routing_key=queue, body=body, message_id=str(sent)))
                sent += 1
            publisher.wait(0.05)
            confirmed += len(publisher.take_answers().confirmed)
        seconds = time.perf_counter() - began
    return messages / seconds
