"""What a department's user may do at the broker and what it may not, tried on a real one; and drift of these rights."""

from __future__ import annotations

import json
import stat
from urllib.parse import quote

import pika
import pytest
from click.testing import CliRunner
from pika.exceptions import ChannelClosedByBroker, ProbableAccessDeniedError, UnroutableError

from deploy.launcher.cli.declare import command
from shared.contracts import topology, whistles
from shared.wire import declare, department_users, inspection
from tests.integration.departments.conftest import BOTH, FIRE, WATER, url_of

OWN, OTHERS = whistles.exchange_of(WATER), whistles.exchange_of(FIRE)
OWN_QUEUE, OTHER_QUEUE = whistles.key_of(WATER), whistles.key_of(FIRE)
ACCEPTED = "answer.accepted"
REFUSED, FORGED = 403, 406


def publish(exchange, key, **properties):
    return lambda channel: channel.basic_publish(
        exchange, key, b"{}", pika.BasicProperties(**properties), mandatory=True
    )


def consumed(queue):
    def attempt(channel):
        channel.basic_consume(queue, lambda *_: None)
        channel.connection.process_data_events(0)

    return attempt


def refused(channel, attempt):
    """The broker's reply code, or None when it let us."""
    try:
        attempt(channel)
    except ChannelClosedByBroker as error:
        return error.reply_code
    return None


ALLOWED = {
    "take from one's own queue": lambda channel: channel.basic_get(OWN_QUEUE),
    "consume one's own queue": consumed(OWN_QUEUE),
    **{f"publish {key}": publish(OWN, key) for key in whistles.ANSWER_KEYS},
    "say who one is": publish(OWN, ACCEPTED, user_id=OWN),
}
FORBIDDEN = {
    "take from another's queue": lambda channel: channel.basic_get(OTHER_QUEUE),
    "consume another's queue": consumed(OTHER_QUEUE),
    "purge another's queue": lambda channel: channel.queue_purge(OTHER_QUEUE),
    "take from the suite's answers": lambda channel: channel.basic_get(topology.ANSWERS_QUEUE),
    "take events": lambda channel: channel.basic_get("gridwhistle.oversight.from.intake"),
    "take dead letters": lambda channel: channel.basic_get(topology.DEAD_QUEUE),
    "answer as another": publish(OTHERS, ACCEPTED),
    "whistle oneself": publish(whistles.EXCHANGE, OWN_QUEUE),
    "whistle for another": publish(whistles.EXCHANGE, OTHER_QUEUE),
    "publish an event": publish("gridwhistle.dispatch", "matter-closed"),
    "publish dead letters": publish(topology.DEAD_EXCHANGE, ""),
    "put into a queue directly": publish("", topology.ANSWERS_QUEUE),
    "put into one's own queue directly": publish("", OWN_QUEUE),
    "publish another key": publish(OWN, "matter-closed"),
    "publish a key that begins like an answer": publish(OWN, "answer.accepted.really"),
    "publish a key that ends like an answer": publish(OWN, "x.answer.accepted"),
    "publish through a built-in exchange": publish("amq.topic", ACCEPTED),
    "bind one's queue to all calls": lambda channel: channel.queue_bind(OWN_QUEUE, whistles.EXCHANGE, "#"),
    "bind one's queue to another's calls": lambda channel: channel.queue_bind(
        OWN_QUEUE, whistles.EXCHANGE, OTHER_QUEUE
    ),
    "bind one's queue to events": lambda channel: channel.queue_bind(OWN_QUEUE, "gridwhistle.intake", "#"),
    "bind one's queue to one's own exchange": lambda channel: channel.queue_bind(OWN_QUEUE, OWN, "#"),
    "unbind one's queue": lambda channel: channel.queue_unbind(OWN_QUEUE, whistles.EXCHANGE, OWN_QUEUE),
    "bind the answers to another's exchange": lambda channel: channel.queue_bind(topology.ANSWERS_QUEUE, OTHERS, "#"),
    "bind one's exchange to all calls": lambda channel: channel.exchange_bind(OWN, whistles.EXCHANGE, "#"),
    "bind one's exchange behind another's": lambda channel: channel.exchange_bind(OTHERS, OWN, "#"),
    "make a queue": lambda channel: channel.queue_declare("spy"),
    "make a queue of a name that the broker chooses": lambda channel: channel.queue_declare("", exclusive=True),
    "make a queue that looks like one's own": lambda channel: channel.queue_declare(f"{OWN_QUEUE}.more"),
    "make one's queue anew": lambda channel: channel.queue_declare(OWN_QUEUE, durable=True),
    "delete one's queue": lambda channel: channel.queue_delete(OWN_QUEUE),
    "delete another's queue": lambda channel: channel.queue_delete(OTHER_QUEUE),
    "delete the suite's queue": lambda channel: channel.queue_delete(topology.ANSWERS_QUEUE),
    "make an exchange": lambda channel: channel.exchange_declare("spy"),
    "make one's exchange anew": lambda channel: channel.exchange_declare(OWN, "topic", durable=True),
    "delete one's exchange": lambda channel: channel.exchange_delete(OWN),
    "delete the calls' exchange": lambda channel: channel.exchange_delete(whistles.EXCHANGE),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_a_department_may(channel_of, what):
    assert refused(channel_of(WATER), ALLOWED[what]) is None


def test_a_department_may_not(channel_of, suite_sends):
    """One after the other on one broker: what would be allowed wrongly is named."""
    suite_sends(whistles.EXCHANGE, OTHER_QUEUE)
    connection = channel_of(WATER).connection
    codes = {}
    for what, attempt in FORBIDDEN.items():
        channel = connection.channel()  # a refusal closes it
        channel.confirm_delivery()
        codes[what] = refused(channel, attempt)
    assert {what: code for what, code in codes.items() if code != REFUSED} == {}


def test_a_forged_sender_is_refused(channel_of):
    assert refused(channel_of(WATER), publish(OWN, ACCEPTED, user_id=OTHERS)) == FORGED


def test_asking_whether_something_is_there_tells_a_department_no_more_than_the_name(channel_of, suite_sends):
    """RabbitMQ before 4.2 answers a passive declaration to anybody: a queue's length leaks, its content does not."""
    suite_sends(whistles.EXCHANGE, OTHER_QUEUE)
    answer = channel_of(WATER).queue_declare(OTHER_QUEUE, passive=True)
    assert vars(answer.method).keys() == {"queue", "message_count", "consumer_count"}


def test_other_virtual_hosts_and_the_management_interface_are_closed(rabbitmq, declared, channel_of):
    other = rabbitmq.url_for("another-town")
    try:
        with pytest.raises(ProbableAccessDeniedError):
            pika.BlockingConnection(pika.URLParameters(url_of(other, WATER)))
        inside = inspection.inspect(declared, rabbitmq.management_url.replace("://", f"://{OWN}:a-password-for-tests@"))
        assert [one.code for one in inside] == ["not-looked-at"]
    finally:
        rabbitmq.drop("another-town")


def test_connections_of_one_department_are_limited(channel_of, declared):
    for _ in range(department_users.LIMITS["max-connections"]):
        channel_of(WATER)
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(pika.URLParameters(url_of(declared, WATER)))
    channel_of(FIRE)


def test_an_answer_reaches_the_suite_with_the_exchange_as_its_sender(channel_of, rabbitmq, declared):
    channel_of(WATER).basic_publish(OWN, ACCEPTED, b"mine", pika.BasicProperties(delivery_mode=2), mandatory=True)
    connection = pika.BlockingConnection(pika.URLParameters(declared))
    method, _, body = connection.channel().basic_get(topology.ANSWERS_QUEUE, auto_ack=True)
    connection.close()
    assert (method.exchange, method.routing_key, body) == (OWN, ACCEPTED, b"mine")


def test_blind_copies_do_not_widen_what_may_be_published(channel_of, declared):
    """CC and BCC are keys on the same exchange: what no queue is bound by goes nowhere."""
    headers = {"CC": ["matter-closed", "#"], "BCC": [OTHER_QUEUE]}
    channel_of(WATER).basic_publish(OWN, ACCEPTED, b"x", pika.BasicProperties(headers=headers), mandatory=True)
    assert channel_of(FIRE).basic_get(OTHER_QUEUE)[0] is None


def test_a_whistle_for_a_department_without_a_queue_comes_back(declared):
    connection = pika.BlockingConnection(pika.URLParameters(declared))
    channel = connection.channel()
    channel.confirm_delivery()
    with pytest.raises(UnroutableError):
        channel.basic_publish(whistles.EXCHANGE, "whistle.dept-nowhere", b"{}", mandatory=True)
    connection.close()


# -- drift -------------------------------------------------------------------------------------------------------------


def found(declared, management_url):
    return {(one.code, one.where, one.fault) for one in inspection.inspect(declared, management_url, BOTH)}


def test_as_declared_there_is_nothing_to_say(declared, management_url):
    assert found(declared, management_url) == set()
    assert declare.is_there(declared, BOTH)
    assert not declare.is_there(declared, (*BOTH, "dept-new"))


def test_every_right_that_differs_is_told_and_declaring_again_mends_it(rabbitmq, declared, management_url):
    path = quote(declared.rsplit("/", 1)[1], safe="")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    rabbitmq.manage("PUT", f"/api/permissions/{path}/{OWN}", everything)
    rabbitmq.manage("DELETE", f"/api/topic-permissions/{path}/{OTHERS}")
    assert found(declared, management_url) == {
        ("wrong-rights", f"user {OWN}", True),
        ("others-may-answer", f"user {OWN}", True),
        ("others-may-read", f"user {OWN}", False),
        ("wrong-rights", f"user {OTHERS}", True),
    }
    made = department_users.set_users(declared, management_url, BOTH)
    assert [one.password for one in made] == [None, None], "who is there keeps the password"
    assert found(declared, management_url) == set()


def test_a_missing_user_queue_or_binding_is_told(rabbitmq, declared, management_url):
    rabbitmq.manage("DELETE", f"/api/users/{OTHERS}")
    connection = pika.BlockingConnection(pika.URLParameters(declared))
    channel = connection.channel()
    channel.queue_delete(OTHER_QUEUE)
    channel.queue_unbind(topology.ANSWERS_QUEUE, OWN, ACCEPTED)
    connection.close()
    assert found(declared, management_url) == {
        ("missing-user", f"user {OTHERS}", True),
        ("missing-queue", f"queue {OTHER_QUEUE}", True),
        ("missing-binding", f"queue {OTHER_QUEUE}", True),
        ("missing-binding", f"queue {topology.ANSWERS_QUEUE}", True),
    }


def test_a_tag_makes_a_department_more_than_one(rabbitmq, declared, management_url):
    rabbitmq.manage("PUT", f"/api/users/{OWN}", {"password": "a-password-for-tests", "tags": "monitoring"})
    assert found(declared, management_url) == {("wrong-rights", f"user {OWN}", True)}


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def pack(tmp_path):
    """A pack with just our two departments beside its ladder."""
    from shutil import copytree  # noqa: PLC0415

    import yaml  # noqa: PLC0415

    from deploy.launcher.installation import pack_folder  # noqa: PLC0415

    folder = copytree(pack_folder("jianwai"), tmp_path / "town")
    units = yaml.safe_load((folder / "units.yaml").read_text(encoding="utf-8"))
    assert {unit["id"] for unit in units} >= set(BOTH)
    return folder


def test_the_command_makes_users_and_hands_out_files_and_shows_no_password(
    rabbitmq, vhost, management_url, pack, tmp_path
):
    secrets = tmp_path / "passwords.yaml"
    secrets.write_text(f"{WATER}: a-password-given-by-file\n", encoding="utf-8")
    folder = tmp_path / "handed-out"
    fixed = ["--broker-url", vhost, "--management-url", management_url, "--jurisdiction", str(pack)]

    def run(*more):
        return CliRunner().invoke(command, [*fixed, "--departments-folder", str(folder), *more], standalone_mode=False)

    assert "may be read by others" in str(run("--passwords", str(secrets)).exception)
    secrets.chmod(0o600)
    try:
        made = run("--passwords", str(secrets), "--json")
        assert made.return_value == 0, made.output
        files = {path.stem: path for path in folder.glob("*.env")}
        assert len(files) == len(json.loads(made.stdout)["department_files"]) == 23
        assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
        lines = dict(line.split("=", 1) for line in files[WATER].read_text(encoding="utf-8").splitlines()[1:])
        assert lines["DEPARTMENT"] == WATER
        pika.BlockingConnection(pika.URLParameters(lines["DEPARTMENT_BROKER_URL"])).close()
        handed = [line.split("=", 1)[1] for path in files.values() for line in path.read_text().splitlines()[2:]]
        shown = [url for url in handed if url.split(":")[2].split("@")[0] in made.output]
        assert shown == []
        assert run("--check").return_value == 0
        for path in files.values():
            path.unlink()
        assert run("--new-password", FIRE).return_value == 0
        assert [path.stem for path in folder.glob("*.env")] == [FIRE], "nobody else's password was touched"
        assert "no department of the pack: dept-nowhere" in str(run("--new-password", "dept-nowhere").exception)
    finally:
        for user in rabbitmq.manage("GET", "/api/users"):
            if user["name"].startswith("department."):
                rabbitmq.manage("DELETE", f"/api/users/{user['name']}")
