"""The files in deploy/rabbitmq, on a real broker: it starts with the settings and imports the definitions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.servers import PrivateRabbitMQ
from shared.wire import connection as connections
from shared.wire import declare, inspection
from shared.wire.connection import BrokerAway

FILES = Path(__file__).parents[3] / "deploy" / "rabbitmq"
#: A private broker has ports of its own.
PORTS = re.compile(r"^(listeners\.|management\.tcp\.port|prometheus\.tcp\.port|log\.file)")


@pytest.fixture(scope="module")
def broker(server_folder):
    """A broker that reads the production settings after its own."""
    made = PrivateRabbitMQ(server_folder / "production")
    settings = made.folder / "conf.d"
    settings.mkdir(parents=True)
    lines = (FILES / "rabbitmq.conf").read_text(encoding="utf-8").splitlines(keepends=True)
    (settings / "production.conf").write_text("".join(line for line in lines if not PORTS.match(line)))
    made.start()
    yield made
    made.kill()


def test_the_settings_are_those_the_broker_runs_with(broker):
    asked = ", ".join(
        [
            *(f"element(2, application:get_env(rabbit, {name}))" for name in ("consumer_timeout", "heartbeat")),
            "element(2, application:get_env(rabbit, queue_leader_locator))",
            "element(2, application:get_env(ra, wal_max_size_bytes))",
            "rabbit_disk_monitor:get_disk_free_limit()",
        ]
    )
    assert broker.ctl("eval", f"[{asked}].").strip() == '[1800000,20,<<"balanced">>,134217728,4000000000]'


def test_what_is_imported_is_what_is_declared_and_importing_again_changes_nothing(broker):
    files = {name: str(FILES / f"{name}.json") for name in ("definitions", "policies", "users")}
    for name in ("definitions", "definitions", "policies"):
        broker.ctl("import_definitions", files[name])
    url = broker.url_for("gridwhistle")
    management_url = broker.management_url.replace("://", f"://{broker.user}:{broker.password}@")
    assert inspection.inspect(url, management_url) == ()
    declare.declare(url)
    assert inspection.inspect(url, management_url) == ()


def test_an_imported_user_has_no_password_until_it_is_given_one_and_then_just_the_rights_it_needs(broker):
    broker.ctl("import_definitions", str(FILES / "users.json"))
    own = f"{broker.user}:{broker.password}"
    with pytest.raises(BrokerAway, match="refuses us"):
        connections.connect(broker.url_for("gridwhistle").replace(own, "gridwhistle-suite:"), "test")
    for name in ("gridwhistle-declare", "gridwhistle-suite"):
        broker.ctl("change_password", name, "long-enough")
    declare.declare(broker.url_for("gridwhistle").replace(own, "gridwhistle-suite:long-enough"))
    management_url = broker.management_url.replace("://", "://gridwhistle-declare:long-enough@")
    url = broker.url_for("gridwhistle").replace(own, "gridwhistle-declare:long-enough")
    declare.declare(url)
    named = ("gridwhistle", "gridwhistle-departments", "gridwhistle-dead")
    assert inspection.set_policies(url, management_url, reset=True) == named
    found = inspection.inspect(url, management_url)
    unseen = [("not-looked-at", "permissions"), ("not-looked-at", "feature flags")]  # for administrators alone
    assert [(one.code, one.where) for one in found] == unseen


def test_no_file_holds_a_secret():
    users = json.loads((FILES / "users.json").read_text(encoding="utf-8"))["users"]
    assert [user["password_hash"] for user in users] == ["", ""]
    text = "".join(path.read_text(encoding="utf-8") for path in FILES.rglob("*") if path.is_file())
    assert not re.search(r"(?i)default_pass|password\s*=", text)
