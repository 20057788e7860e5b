"""One run of the rig: start the suite, let producer and monkey go, wait until all is at rest, and judge."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict

from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ
from deploy.servers.rabbitmq_cluster import PrivateRabbitMQCluster
from services.notify.domain import CLAIM
from tests.chaos import faults
from tests.chaos.book import Book
from tests.chaos.judge import judge
from tests.chaos.monkey import STROKES, Monkey
from tests.chaos.producer import Producer
from tests.chaos.small_disk import may_mount, small_disk
from tests.chaos.world import World

#: Seconds until everything must be at rest once nothing is broken any more.
REST_WITHIN_S = 180.0
#: Size of the disk that is filled, in MiB.
DISK_MIB = 1_536
#: Seconds until every life must be over once nothing is broken any more: at least, and for each life.
LIVES_WITHIN_S, FOR_A_LIFE_S = 600.0, 0.6


def play(
    world, *, matters, strokes, seed, kinds=None, clients=8, together=0.15, hold=1.0, spread=True, say=print
):  # fmt: skip
    """Run a started world. Returns (verdict, monkey). Raises AssertionError when it does not recover or rest."""
    book = world.book = Book(world.folder / "book.jsonl")  # faults that register a demand write it in, too
    chosen = faults.every()
    if kinds is not None:
        chosen = {kind: chosen[kind] for kind in kinds}
    monkey = None
    producer = Producer(
        world, book, matters=matters, clients=clients, seed=seed,
        pace=lambda: 1.0 if monkey is None else monkey.progress,
    )  # fmt: skip
    monkey = Monkey(
        world, producer, chosen, strokes=strokes, seed=seed, together=together, hold=hold, spread=spread, say=say
    )
    if monkey.left_out:
        say(f"left out here: {', '.join(monkey.left_out)}")
    try:
        producer.start()
        monkey.run()
        producer.join(max(LIVES_WITHIN_S, FOR_A_LIFE_S * matters))
        ended = producer.done["closed"] + producer.done["withdrawn"]
        if ended < matters:
            book.stall(f"only {ended} of {matters} lives came to their end: {dict(producer.done)}")
        come_to_rest(world)
        planted = [each for stroke in monkey.strokes for each in stroke.struck.detail.get("planted", ())]
        complaints = [c for stroke in monkey.strokes if (c := stroke.struck.detail.get("complaint"))]
        return judge(world, book, planted, complaints), monkey
    finally:
        producer.stop()
        book.close()


def come_to_rest(world):
    """Wait until nothing moves; the suite's clock goes on by the time that a killed sender's claims last."""
    world.until_at_rest(REST_WITHIN_S)
    world.step_clock(CLAIM.total_seconds() + 1)
    world.until_at_rest(REST_WITHIN_S)


def full_world(stack, folder, say=print, *, cluster=False, **more):
    """A started world in full mode on servers of its own, ended with the stack.

    `cluster`: three nodes of RabbitMQ, and PostgreSQL on a disk small enough to be filled, where we may mount one.
    """
    if cluster:
        broker = stack.enter_context(PrivateRabbitMQCluster(folder / "rabbitmq", say=say))
        if may_mount():
            stack.enter_context(small_disk(folder / "postgresql", DISK_MIB))
    else:
        broker = stack.enter_context(PrivateRabbitMQ(folder / "rabbitmq", say=say))
    postgresql = stack.enter_context(PrivatePostgreSQL(folder / "postgresql", say=say))
    world = World(folder / "suite", broker, postgresql, **more)
    stack.callback(world.end)
    world.up()
    return world


def recovery_table(*folders):
    """Lines of a table over the strokes of runs whose folders (of the suite) were kept.

    Kind, how often, median and worst seconds until everything worked again.
    """
    strokes = [json.loads(line) for folder in folders for line in (folder / STROKES).open(encoding="utf-8")]
    by_kind = defaultdict(list)
    for stroke in strokes:
        by_kind[stroke["kind"]].append(stroke)
    lines = ["| fault | times | median s | worst s | how it is produced |", "|---|---:|---:|---:|---|"]
    for kind, found in sorted(by_kind.items()):
        alone = [stroke["recovered_s"] for stroke in found if stroke["together"] == 1]
        seconds = alone or [stroke["recovered_s"] for stroke in found]
        median, worst = statistics.median(seconds), max(seconds)
        lines.append(f"| {kind} | {len(found)} | {median:.1f} | {worst:.1f} | {found[-1]['how']} |")
    for what, seconds in _measured(strokes).items():
        times, median, worst = len(seconds), statistics.median(seconds), max(seconds)
        lines.append(f"| *{what}* | {times} | {median:.1f} | {worst:.1f} | from the stroke |")
    return lines


def _measured(strokes):
    """Further times that faults measured themselves: "relay-intake-overtaken: another process leads" -> seconds."""
    found = defaultdict(list)
    for stroke in strokes:
        for what, seconds in stroke["measured"].items():
            found[f"{stroke['kind']}: {what}"].append(seconds)
    return dict(sorted(found.items()))
