"""Drift on a real broker: every kind is made, told by its code with what to do, and gone once mended."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from deploy.launcher.cli.declare import command
from shared.contracts import topology
from shared.wire import cluster, comparison, declare, inspection, rights
from shared.wire import connection as connections
from shared.wire.arrangement import ARGUMENTS_0_1
from shared.wire.drift import TITLES

FIRST = topology.subscriptions()[0]


@pytest.fixture
def path(vhost):
    return quote(vhost.rsplit("/", 1)[1], safe="")


@pytest.fixture
def declared(vhost, management_url):
    declare.declare(vhost)
    inspection.set_policies(vhost, management_url)
    return vhost


@pytest.fixture
def channel(vhost):
    connection = connections.connect(vhost, "test")
    yield connection.channel()
    connections.close(connection)


def _found(url, management_url):
    return {(one.code, one.where, one.fault) for one in inspection.inspect(url, management_url)}


def test_as_declared_there_is_nothing_to_say(declared, management_url):
    assert inspection.inspect(declared, management_url) == ()


def test_an_empty_virtual_host_lacks_everything(vhost, management_url):
    codes = {one.code for one in inspection.inspect(vhost, management_url)}
    wanted = {"missing-exchange", "missing-queue", "missing-binding", "missing-policy", "no-dead-letter-target"}
    assert codes == wanted


def test_a_missing_binding_is_told_and_declare_makes_it_again(rabbitmq, declared, management_url, channel):
    key = FIRST.binding_keys()[0]
    channel.queue_unbind(FIRST.queue, FIRST.exchange, routing_key=key)
    found = inspection.inspect(declared, management_url)
    assert [(one.code, one.where) for one in found] == [("missing-binding", f"queue {FIRST.queue}")]
    assert key in found[0].what
    declare.declare(declared)
    assert inspection.inspect(declared, management_url) == ()


def test_extra_bindings_and_foreign_queues_are_told_apart(declared, management_url, channel):
    channel.queue_bind(FIRST.queue, FIRST.exchange, routing_key="something.else")
    channel.queue_declare("department", durable=True, auto_delete=False)
    channel.queue_bind("department", FIRST.exchange, routing_key="#")
    limited = {"x-max-length": 10, "x-overflow": "reject-publish"}
    channel.queue_declare("narrow", durable=True, auto_delete=False, arguments=limited)
    channel.queue_bind("narrow", FIRST.exchange, routing_key="#")
    channel.queue_declare("gridwhistle.gone.from.intake", durable=True, auto_delete=False)
    assert _found(declared, management_url) == {
        ("extra-binding", f"queue {FIRST.queue}", True),
        ("foreign-queue", "queue narrow", True),
        ("foreign-queue", "queue department", False),
        ("unknown-queue", "queue gridwhistle.gone.from.intake", False),
    }


def test_wrong_arguments_are_told_and_those_of_release_0_1_are_a_note(declared, management_url, channel):
    other = topology.subscriptions()[1].queue
    for queue, arguments in ((FIRST.queue, {"x-queue-type": "quorum"}), (other, ARGUMENTS_0_1)):
        channel.queue_delete(queue)
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
    found = {one.where: one for one in inspection.inspect(declared, management_url) if "arguments" in one.code}
    assert (found[f"queue {FIRST.queue}"].code, found[f"queue {FIRST.queue}"].fault) == ("wrong-arguments", True)
    assert "x-dead-letter-exchange is absent, not gridwhistle.dead" in found[f"queue {FIRST.queue}"].what
    assert (found[f"queue {other}"].code, found[f"queue {other}"].fault) == ("arguments-of-0.1", False)


def test_an_exchange_of_another_kind_is_told(vhost, management_url, channel):
    channel.exchange_declare(FIRST.exchange, "fanout", durable=False, auto_delete=False)
    with pytest.raises(declare.DeclarationRefused):
        declare.declare(vhost)
    assert ("wrong-exchange", f"exchange {FIRST.exchange}", True) in _found(vhost, management_url)


def test_a_missing_dead_queue_is_told(declared, management_url, channel):
    channel.queue_delete(topology.DEAD_QUEUE)
    found = _found(declared, management_url)
    assert ("missing-queue", f"queue {topology.DEAD_QUEUE}", True) in found
    assert ("no-dead-letter-target", f"exchange {topology.DEAD_EXCHANGE}", True) in found


def test_policies_that_miss_differ_or_are_displaced(rabbitmq, declared, management_url, path):
    ours = rabbitmq.manage("GET", f"/api/policies/{path}/gridwhistle")
    tuned = ours | {"definition": {"delivery-limit": 5}}
    rabbitmq.manage("PUT", f"/api/policies/{path}/gridwhistle", tuned)
    assert _found(declared, management_url) == {("wrong-policy", "policy gridwhistle", False)}
    rabbitmq.manage("PUT", f"/api/policies/{path}/gridwhistle", tuned | {"pattern": "^elsewhere"})
    assert _found(declared, management_url) == {("wrong-policy", "policy gridwhistle", True)}
    everything = {"pattern": ".*", "apply-to": "all", "definition": {"message-ttl": 60_000}, "priority": 5_000}
    rabbitmq.manage("PUT", f"/api/policies/{path}/everything", everything)
    rabbitmq.manage("DELETE", f"/api/policies/{path}/gridwhistle-dead")
    operator = {"pattern": ".*", "apply-to": "queues", "definition": {"max-length": 9}, "priority": 0}
    rabbitmq.manage("PUT", f"/api/operator-policies/{path}/narrow", operator)
    inspection.set_policies(declared, management_url, reset=True)
    assert _found(declared, management_url) == {
        ("displaced-policy", "policy everything", True),
        ("operator-policy", "operator policy narrow", False),
    }


def test_rights_that_lack_and_others_that_have_them(rabbitmq, declared, management_url, path):
    for user in ("suite", "curious"):
        rabbitmq.manage("PUT", f"/api/users/{user}", {"password": user, "tags": ""})
    everything = r"^gridwhistle\."
    rights = {"configure": "^$", "write": r"^gridwhistle\.(intake|dispatch)$", "read": everything}
    rabbitmq.manage("PUT", f"/api/permissions/{path}/suite", rights)
    rabbitmq.manage("PUT", f"/api/permissions/{path}/curious", {"configure": "^$", "write": "^$", "read": everything})
    try:
        url = declared.replace(f"{rabbitmq.user}:{rabbitmq.password}", "suite:suite")
        found = inspection.inspect(url, management_url)
    finally:
        for user in ("suite", "curious"):
            rabbitmq.manage("DELETE", f"/api/users/{user}")
    assert {(one.code, one.where, one.fault) for one in found} == {
        ("permission-missing", "user suite", False),
        ("permission-missing", "user suite", True),
        ("others-may-read", "user curious", False),
        ("others-may-read", f"user {rabbitmq.user}", False),
    }


def test_a_user_who_may_not_look_is_told_what_was_not_looked_at(rabbitmq, declared, management_url, path):
    rabbitmq.manage("PUT", "/api/users/nobody", {"password": "nobody", "tags": ""})
    try:
        found = inspection.inspect(declared, rabbitmq.management_url.replace("://", "://nobody:nobody@"))
    finally:
        rabbitmq.manage("DELETE", "/api/users/nobody")
    assert [(one.code, one.fault) for one in found] == [("not-looked-at", False)]


def test_the_command_says_it_and_ends_with_1(rabbitmq, vhost, management_url, channel):
    addresses = ["--broker-url", vhost, "--management-url", management_url]

    def run(*arguments):
        return CliRunner().invoke(command, [*addresses, *arguments], standalone_mode=False)

    checked = run("--check")
    assert checked.return_value == 1
    assert "缺少队列 queue missing: queue gridwhistle.dead is not there" in checked.stdout
    assert "run `gridwhistle declare`" in checked.stdout
    made = run()
    assert (made.return_value, made.stdout.strip()) == (0, "拓扑已声明 topology declared")
    assert (run("--check").return_value, run().return_value) == (0, 0)
    channel.queue_unbind(FIRST.queue, FIRST.exchange, routing_key=FIRST.binding_keys()[0])
    told = run("--check", "--json")
    assert told.return_value == 1
    answer = json.loads(told.stdout)
    assert [fault["code"] for fault in answer["faults"]] == ["missing-binding"]
    assert answer["faults"][0].keys() == {"code", "where", "what", "remedy"}
    assert answer["notes"] == []
    assert rabbitmq.password not in told.stdout


def test_without_the_management_address_the_command_says_what_it_does_not_know(vhost):
    def run(*arguments):
        return CliRunner().invoke(command, ["--broker-url", vhost, *arguments], standalone_mode=False)

    made = run()
    assert made.return_value == 0
    assert "policies are not set over AMQP" in made.stdout
    checked = run("--check")
    assert checked.return_value == 0
    assert "未检查 not looked at" in checked.stdout


def test_every_code_has_a_title():
    paths = (Path(module.__file__) for module in (cluster, comparison, declare, inspection, rights))
    made = {code for path in paths for code in re.findall(r'code="([a-z0-9.-]+)"', path.read_text(encoding="utf-8"))}
    assert {"missing-policy", "few-members"} <= made <= TITLES.keys()
