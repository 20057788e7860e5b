"""Judging a run once more whose folder was kept: servers on its data, and nothing of the suite.

For a run whose judge fell ill, and for who mends the judge. It must never start a process of the suite.
"""

from __future__ import annotations

import json
from contextlib import ExitStack

from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ
from tests.chaos.book import Book
from tests.chaos.judge import judge
from tests.chaos.monkey import STROKES
from tests.chaos.world import World


def judged(folder, say):
    """Judge the run of full mode in `folder`; returns the exit code. What a life waited for in vain is forgotten."""
    with ExitStack() as stack:
        broker = stack.enter_context(PrivateRabbitMQ(folder / "rabbitmq", say=say))
        postgresql = stack.enter_context(PrivatePostgreSQL(folder / "postgresql", say=say))
        world = World(folder / "suite", broker, postgresql)
        stack.callback(world.end)
        book = Book.read(world.folder / "book.jsonl")
        stack.callback(book.close)
        strokes = [json.loads(line) for line in (world.folder / STROKES).open(encoding="utf-8")]
        planted = [tuple(each) for stroke in strokes for each in stroke["planted"]]
        verdict = judge(world, book, planted, [each for stroke in strokes if (each := stroke["complaint"])])
        say(str(verdict))
        return 0 if verdict.ok else 1
