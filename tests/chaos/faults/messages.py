"""Messages that come again, in another order, or that nobody should ever have sent; and a handler with a bug.

Planted on the real broker over a connection of the rig's own. What must end in quarantine is named in
`Struck.detail["planted"]`: (service, message id, reason).
"""

from __future__ import annotations

import json
import pickle

from click.testing import CliRunner
from sqlalchemy import select

from deploy.launcher.cli.quarantine import command as quarantine_command
from deploy.launcher.installation import note_settings
from services.dispatch.tables import matters
from shared.contracts import envelope as envelopes
from shared.contracts import registry, topology
from shared.contracts.topology import SERVICES
from shared.kernel.actor import Actor
from shared.kernel.clock import SystemClock, rfc3339
from shared.kernel.hashing import sha256_hex
from shared.kernel.ids import RandomIds
from shared.ledger import tables
from shared.ledger.engines import reading
from tests.chaos import wire
from tests.chaos.book import ACCEPTED
from tests.chaos.builds.bug_for_one_matter import CURSED
from tests.chaos.builds.release import roll_out, take_back
from tests.chaos.door import Door
from tests.chaos.faults.fault import FULL, Fault, Struck, nothing_to_heal

#: Seconds within which planted poison must be in quarantine.
HELD_WITHIN_S = 60.0
#: Rows at the end of an outbox that one is chosen from; messages taken from a queue at once.
_RECENT, _TAKEN = 200, 400
_COPIES = 3
#: A grid of the pack that somebody is responsible for.
_GRID = "guanghua-dongli-1"
#: Share of queues that are turned round; the others are shuffled.
_BACKWARDS = 0.5

# -- again -------------------------------------------------------------------------------------------------------------


def _thrice(world, dice):
    """The bytes of an event that has left already, three times more, to everyone who hears it."""
    world.until(lambda: _published(world, "intake"), HELD_WITHIN_S)
    published = [row for service in SERVICES for row in _published(world, service)]
    type_, raw = dice.choice(published)
    wire.publish(world.direct_broker(), [wire.as_emitted(raw, type_)] * _COPIES)
    return Struck(what=f"{registry.by_type(type_).name}")


def _published(world, service):
    query = (
        select(tables.outbox.c.type, tables.outbox.c.envelope)
        .where(tables.outbox.c.published_at.is_not(None))
        .order_by(tables.outbox.c.position.desc())
        .limit(_RECENT)
    )
    return [(row.type, bytes(row.envelope)) for row in _rows(world, service, query)]


# -- in another order --------------------------------------------------------------------------------------------------


def _gather(world, dice):
    """Keep a consumer down, so that messages gather in its queues."""
    service = dice.choice(("deliberation", "dispatch", "notify", "oversight"))
    names = [each["name"] for each in world.running() if (each["kind"], each["service"]) == ("serve", service)]
    for name in names:
        world.hold_down(name)
    return Struck(what=f"queues of {service}", detail={"service": service, "names": names, "dice": dice})


def _shuffle(world, struck):
    """Put what has gathered back in another order, then let the consumer up."""
    try:
        for row in topology.subscriptions_of(struck.detail["service"]):
            _put_back(world, row.queue, struck.detail["dice"])
    finally:
        for name in struck.detail["names"]:
            world.let_up(name)


def _put_back(world, queue, dice):
    with wire.taken(world.direct_broker(), queue, _TAKEN) as (messages, acknowledge):
        bodies = [bytes(message.body) for message in messages]
        if dice.random() < _BACKWARDS:
            bodies.reverse()
        else:
            dice.shuffle(bodies)
        again = [wire.straight_to(queue, raw, f"shuffled-{number}") for number, raw in enumerate(bodies)]
        wire.publish(world.direct_broker(), again)
        acknowledge()


# -- poison ------------------------------------------------------------------------------------------------------------


def _envelope(stream, version=1, *, type_="gridwhistle.intake.matter-opened.v1", data=None, **more):
    """An envelope that reads well, about nothing that exists."""
    return {
        "specversion": "1.0", "id": RandomIds().new(), "source": "urn:gridwhistle:intake", "type": type_,
        "subject": stream.partition(":")[2], "time": rfc3339(SystemClock().now()),
        "datacontenttype": "application/json", "stream": stream, "streamversion": version,
        "correlationid": RandomIds().new(), "classification": "internal", "data": data or {},
    } | more  # fmt: skip


def _of_a_rumour(**more):
    return _envelope(f"intake.rumour:{RandomIds().new()}", **more)


def _dumped(content):
    return json.dumps(content, ensure_ascii=True).encode()


def _nonce():
    return RandomIds().new().encode()


#: Failure class -> (makes the bytes, their content type, reason of the quarantine).
POISON = {
    "undecodable": (lambda: b"\x00\xff not even text " + _nonce(), wire.CONTENT_TYPE, "undecodable"),
    "wrong-content-type": (
        lambda: pickle.dumps({"id": _nonce()}), "application/x-python-serialize", "undecodable",
    ),
    "schema-violation": (
        lambda: _dumped(_of_a_rumour(data={"matter_id": 7, "text": None})), wire.CONTENT_TYPE, "schema-violation",
    ),
    "half-surrogates": (
        lambda: _dumped(_of_a_rumour(subject="\ud83d")), wire.CONTENT_TYPE, "schema-violation",
    ),
    "not-a-number": (
        lambda: _dumped(_of_a_rumour(data={"text": "x", "weight": float("nan")})), wire.CONTENT_TYPE, "undecodable",
    ),
    "deep-nesting": (
        lambda: b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b',"id":"' + _nonce() + b'"}',
        wire.CONTENT_TYPE, "undecodable",
    ),
    "oversized": (
        lambda: _dumped(_of_a_rumour(data={"text": "楼" * 400_000})), wire.CONTENT_TYPE, "undecodable",
    ),
    "broken-envelope": (
        lambda: _dumped(_of_a_rumour(streamversion="first")), wire.CONTENT_TYPE, "schema-violation",
    ),
}  # fmt: skip


def _poison(name):
    make, content_type, reason = POISON[name]

    def strike(world, dice):
        # Only dispatch reads the data of these events; the others must see at the envelope that it is none.
        readers = ("dispatch",) if name == "schema-violation" else ("deliberation", "dispatch", "notify", "oversight")
        service = dice.choice(readers)
        queue = next(row.queue for row in topology.subscriptions_of(service) if row.source == "intake")
        raw = make()
        message_id = _id_in_quarantine(raw)
        wire.publish(world.direct_broker(), [wire.straight_to(queue, raw, message_id[:40], content_type=content_type)])
        return Struck(what=f"{queue}", detail={"planted": [(service, message_id, reason)]})

    return strike


def _found_out(world, struck):
    """Wait until it is where it belongs, for the reason it was made for."""
    ((service, message_id, reason),) = struck.detail["planted"]
    world.until(lambda: _held(world, service).get(message_id) == reason, HELD_WITHIN_S)


def _id_in_quarantine(raw):
    """The envelope's own id when it can be read, else one made of the bytes."""
    try:
        return envelopes.from_bytes(raw).id
    except (envelopes.Undecodable, envelopes.SchemaViolation):
        return f"sha256:{sha256_hex(raw)}"


def _unknown_type(world, dice):
    """An event of a release to come, on a stream of its own: everyone lets it pass."""
    service = dice.choice(("deliberation", "dispatch", "notify"))
    queue = next(row.queue for row in topology.subscriptions_of(service) if row.source == "intake")
    content = _of_a_rumour(type_="gridwhistle.intake.rumour-heard.v9")
    wire.publish(world.direct_broker(), [wire.straight_to(queue, _dumped(content), content["id"])])
    return Struck(what=f"{queue}", detail={"planted": [(service, content["id"], "unknown-type")]})


def _passed_over(world, struck):
    """Wait until it has been taken for done."""
    ((service, message_id, _),) = struck.detail["planted"]
    world.until(lambda: _is_in(world, service, tables.inbox, message_id), HELD_WITHIN_S)


# -- a hole ------------------------------------------------------------------------------------------------------------


def _forge_hole(world, dice):
    """The fourth event of a stream whose first three nobody has sent: it waits."""
    service = dice.choice(("deliberation", "dispatch", "notify"))
    queue = next(row.queue for row in topology.subscriptions_of(service) if row.source == "intake")
    stream = f"intake.rumour:{RandomIds().new()}"
    forged = [_envelope(stream, version, type_="gridwhistle.intake.rumour-heard.v9") for version in range(1, 5)]
    _send(world, queue, forged[3:])
    world.until(lambda: _is_in(world, service, tables.parked, forged[3]["id"]), HELD_WITHIN_S)
    planted = [(service, each["id"], "parked") for each in forged]
    return Struck(
        what=f"{queue}", detail={"service": service, "queue": queue, "missing": forged[:3], "planted": planted}
    )


def _fill_hole(world, struck):
    """The missing ones come after all, the last first."""
    _send(world, struck.detail["queue"], struck.detail["missing"][::-1])
    last = struck.detail["planted"][-1][1]
    world.until(lambda: _is_in(world, struck.detail["service"], tables.inbox, last), HELD_WITHIN_S)


def _send(world, queue, contents):
    outgoings = [wire.straight_to(queue, _dumped(content), content["id"]) for content in contents]
    wire.publish(world.direct_broker(), outgoings)


# -- a bug -------------------------------------------------------------------------------------------------------------


def _bug(world, dice):
    """A release of dispatch that chokes on one matter's words; five attempts later the message is set aside."""
    del dice
    names = [each["name"] for each in world.running() if (each["kind"], each["service"]) == ("serve", "dispatch")]
    roll_out(world, names, "bug-for-one-matter")
    matter = _register(world, f"楼道里堆着旧家具{CURSED}{RandomIds().new()}")
    world.until(lambda: _opened_by(world, matter) in _held(world, "dispatch"), HELD_WITHIN_S)
    message_id = _opened_by(world, matter)
    return Struck(
        what="dispatch: on_matter_opened raises for one matter",
        detail={
            "planted": [("dispatch", message_id, "handler-failed")], "matter": matter, "released": [],
            "names": names,
        },
    )  # fmt: skip


def _mend(world, struck):
    """The mended release, and the message handled after all."""
    take_back(world, struck.detail["names"])
    _, message_id, _ = struck.detail["planted"][0]
    if struck.detail["released"]:
        return
    release(world, "dispatch", message_id, why="the bug is mended")
    struck.detail["released"].append(message_id)
    known = select(matters.c.id).where(matters.c.id == struck.detail["matter"])
    world.until(lambda: _rows(world, "dispatch", known), HELD_WITHIN_S)


def release(world, service, message_id, *, why):
    """As an operator: find the entry and have it handled. Raises AssertionError with what the command said."""
    with reading(world.engines[service]) as db:
        held = tables.quarantine.c
        entry = db.execute(select(held.id).where(held.message_id == message_id)).scalar_one()
    note_settings(world.settings)
    arguments = ["release", entry, "--service", service, "--reason", why, "--data-dir", str(world.settings.data_dir)]
    done = CliRunner().invoke(quarantine_command, arguments)
    assert done.exit_code == 0, f"{done.output} {done.exception!r}"


def _register(world, words):
    """A demand of a plain resident, through intake's door; the matter it opened."""
    clerk = Actor(id="street-clerk-jianwai", roles=frozenset({"street-clerk"}), unit="jianwai")
    content = {"channel": "hotline", "text": words, "location": {"grid": _GRID}}
    entry = Door(world, world.book).send("intake.register-demand", clerk, content)
    assert entry.result == ACCEPTED, entry
    return entry.reply["matter_id"]


# -- looking -----------------------------------------------------------------------------------------------------------


def _rows(world, service, query):
    with reading(world.engines[service]) as db:
        return db.execute(query).all()


def _held(world, service):
    """Message id -> reason of what is set aside and waits."""
    held = tables.quarantine.c
    return dict(_rows(world, service, select(held.message_id, held.reason).where(held.state == "held")))


def _is_in(world, service, table, message_id):
    return bool(_rows(world, service, select(table.c.message_id).where(table.c.message_id == message_id)))


def _opened_by(world, matter_id):
    stream = f"intake.matter:{matter_id}"
    query = select(tables.outbox.c.message_id).where(
        tables.outbox.c.stream == stream, tables.outbox.c.type == "gridwhistle.intake.matter-opened.v1"
    )
    return next((row.message_id for row in _rows(world, "intake", query)), None)


def _apart(kind, strike, heal=nothing_to_heal, *, hold_s=(0.0, 0.0), of=None, how):
    return Fault(kind=kind, modes=frozenset({FULL}), hold_s=hold_s, strike=strike, heal=heal, apart=of or kind, how=how)


#: Of all that is put into queues where the suite goes on as it does.
_PLANTED = "planted messages"


FAULTS = (
    _apart("message-thrice", _thrice, of=_PLANTED, how="bytes of a published event, published three times more"),
    _apart(
        "messages-shuffled", _gather, _shuffle, hold_s=(2.0, 5.0),
        how="a consumer kept down; its queues emptied and filled again backwards or shuffled",
    ),
    *(
        _apart(
            f"poison-{name}", _poison(name), _found_out, of=_PLANTED,
            how=f"put straight into one consumer's queue; quarantined: {reason}",
        )
        for name, (_, _, reason) in POISON.items()
    ),
    _apart(
        "poison-unknown-type", _unknown_type, _passed_over, of=_PLANTED,
        how="an event type of a later release; passed over",
    ),
    _apart(
        "forged-hole", _forge_hole, _fill_hole, hold_s=(1.0, 2.0), of=_PLANTED,
        how="version 4 of a stream; parked until versions 3, 2, 1 come",
    ),
    _apart(
        "handler-raises", _bug, _mend,
        how="a release of dispatch that raises for one matter; quarantined at the fifth attempt, released when mended",
    ),
)  # fmt: skip
