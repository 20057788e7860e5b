"""The monkey: strikes, holds, heals, and measures how long the suite takes until everything works again.

Every kind occurs once before any occurs twice; after that at random. The same seed gives the same order, victims and
holding times. It must never be lenient: what does not recover in time ends the run.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from services.oversight.tables import trace
from shared.contracts.topology import hearers
from shared.kernel import strict_json
from shared.ledger import tables
from shared.ledger.engines import reading
from tests.chaos.faults.fault import Fault, Struck

#: Seconds after which a suite that has not recovered is given up.
RECOVERS_WITHIN_S = 150.0
#: Seconds that the monkey waits at most for lives to begin, where strokes are spread over them.
LIVES_BEGIN_WITHIN_S = 600.0
#: Where a world's folder keeps what was done to it.
STROKES = "strokes.jsonl"
#: Seconds between two looks at a probe.
LOOK_EVERY_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """One fault as it happened."""

    fault: Fault
    struck: Struck
    held_s: float
    #: Seconds from the healing (from the stroke, where nothing is healed) until everything works again.
    recovered_s: float
    #: Struck together with others, so that the time is theirs too.
    together: int

    def as_line(self) -> str:
        """The stroke as a line of JSON, for who looks at the run later."""
        about = {
            "kind": self.fault.kind, "what": self.struck.what, "how": self.fault.how, "held_s": round(self.held_s, 2),
            "recovered_s": round(self.recovered_s, 2), "together": self.together,
            "measured": self.struck.detail.get("measured", {}), "planted": self.struck.detail.get("planted", []),
            "complaint": self.struck.detail.get("complaint"),
        }  # fmt: skip
        return json.dumps(about, ensure_ascii=False, default=str)


class Monkey:
    """Strikes a world."""

    def __init__(self, world, producer, faults, *, strokes, seed=1, together=0.15, hold=1.0, spread=True, say=print):
        """`strokes`: how many. `together`: share of pairs, or a number above 1: as many at once. `hold`: scales.

        `spread`: over all lives; otherwise one round follows another as soon as everything works again.
        """
        self._world, self._producer, self._say = world, producer, say
        self._dice = random.Random(seed)
        self._hold, self._spread = hold, spread
        usable = [
            fault for fault in faults.values() if world.mode in fault.modes and fault.needs <= world.offers
        ]  # fmt: skip
        self.left_out = sorted(set(faults) - {fault.kind for fault in usable})
        self._plan = self._rounds(usable, strokes, together)
        self.planned = sum(len(round_) for round_ in self._plan)
        self.strokes: list[Stroke] = []
        self._rounds_done = 0
        self._ends: dict[str, int] = {}
        #: Seconds that breaking and healing took, by what was broken together.
        self.spent: list[tuple[float, list[str]]] = []

    def _rounds(self, usable, strokes, together):
        """Kinds in rounds: those of one round are struck together, but for those that have to be apart."""
        order = list(usable)
        self._dice.shuffle(order)
        if strokes <= len(order):
            # Once each and no more: as few rounds as there are kinds that must not share one.
            families = Counter(_family(one) for one in order if not one.apart)
            order.sort(key=lambda one: 0 if one.apart else -families[_family(one)])
        while len(order) < strokes:
            order.append(self._dice.choice(usable))
        rounds = []
        while order:
            many = int(together) if together > 1 else (2 if self._dice.random() < together else 1)
            taken = [order.pop(0)]
            while len(taken) < many:
                mate = _mate(taken, order)
                if mate is None:
                    break
                order.remove(mate)
                taken.append(mate)
            rounds.append(taken)
        return rounds

    @property
    def progress(self):
        """The share of the plan that is done or under way."""
        return (self._rounds_done + 1) / max(1, len(self._plan))

    def run(self):
        """Do everything planned. Raises AssertionError when the suite does not recover."""
        for round_ in self._plan:
            if self._spread:
                self._wait_for_lives(self._rounds_done / len(self._plan))
            self._strike(round_)
            self._rounds_done += 1

    def _wait_for_lives(self, share):
        """Until that share of all lives has begun, so that the last ones meet faults, too."""
        wanted = share * self._producer.matters
        self._world.until(
            lambda: self._producer.begun >= wanted or not self._producer.running, LIVES_BEGIN_WITHIN_S, LOOK_EVERY_S
        )

    def _strike(self, faults):
        """One round: those that have to be apart group by group, then the others at once; then the probe."""
        groups = defaultdict(list)
        for fault in sorted(faults, key=lambda fault: not fault.apart):
            groups[fault.apart].append(fault)
        done = []
        for group in groups.values():
            done += self._break_and_heal(group)
        since = done[-1][2]
        recovered = self._until_recovered(since)
        for fault, struck, healed_at, held in done:
            self.strokes.append(
                Stroke(
                    fault=fault, struck=struck, held_s=held, recovered_s=recovered + since - healed_at,
                    together=len(done),
                )
            )  # fmt: skip
        with (self._world.folder / STROKES).open("a", encoding="utf-8") as file:
            file.writelines(stroke.as_line() + "\n" for stroke in self.strokes[-len(done) :])
        names = " + ".join(f"{fault.kind} ({struck.what})" for fault, struck, _, _ in done)
        self._say(
            f"[{len(self.strokes):>3}/{self.planned}] {names}: held {done[-1][3]:.1f} s, recovered in {recovered:.1f} s"
            f"; {self._producer.begun} lives"
        )

    def _break_and_heal(self, faults):
        """[(fault, struck, when it was healed, seconds it was held)]."""
        hits: list[tuple[Fault, Struck]] = []
        began = time.monotonic()
        # Last struck, first healed; each of them, should striking or healing another fail.
        with ExitStack() as heals:
            for fault in faults:
                struck = fault.strike(self._world, self._dice)
                heals.callback(fault.heal, self._world, struck)
                hits.append((fault, struck))
            longest = max(self._dice.uniform(*fault.hold_s) * self._hold for fault in faults)
            remaining = longest - (time.monotonic() - began)
            if longest > 0 and remaining > 0:
                time.sleep(remaining)  # noqa: TID251 -- the fault is held
            # Where nothing is healed, the suite's own recovery begins with the stroke.
            healed_at = time.monotonic() if any(fault.hold_s[1] > 0 for fault in faults) else began
        self.spent += [(time.monotonic() - began, [fault.kind for fault in faults])]
        return [(fault, struck, healed_at, healed_at - began) for fault, struck in hits]

    # -- recovery ------------------------------------------------------------------------------------------------

    def _until_recovered(self, since):
        """Every process ready, and a demand has been all the way through."""
        self._world.until_ready(RECOVERS_WITHIN_S)
        self._world.until(self._note_ends, RECOVERS_WITHIN_S)
        entry = self._producer.probe()
        assert entry is not None, "a probe was refused"
        self._world.until(lambda: self._arrived(entry.key), RECOVERS_WITHIN_S, every=LOOK_EVERY_S)
        return time.monotonic() - since

    def _note_ends(self):
        """Remember how far the outboxes go: what a probe causes lies behind. False while a database is away."""
        try:
            for service in ("intake", "dispatch"):
                with reading(self._world.engines[service]) as db:
                    self._ends[service] = db.execute(select(func.max(tables.outbox.c.position))).scalar_one() or 0
        except DBAPIError:
            return False
        return True

    def _arrived(self, correlation):
        """Whether everything that the probe caused so far has been handled by everyone who hears it."""
        try:
            return self._heard_everywhere(correlation)
        except DBAPIError:
            return False

    def _heard_everywhere(self, correlation):
        found = {}
        for service in ("intake", "dispatch"):
            with reading(self._world.engines[service]) as db:
                fresh = select(tables.outbox.c.envelope).where(tables.outbox.c.position > self._ends[service])
                for raw in db.execute(fresh).scalars():
                    envelope = strict_json.parse(bytes(raw))
                    if envelope["correlationid"] == correlation:
                        found[envelope["id"]] = envelope
        if "gridwhistle.dispatch.matter-classified.v1" not in {each["type"] for each in found.values()}:
            return False
        wanted = {}
        for message_id, envelope in found.items():
            for subscription in hearers(envelope["stream"]):
                wanted.setdefault(subscription.consumer, set()).add(message_id)
        for service, ids in wanted.items():
            with reading(self._world.engines[service]) as db:
                here = select(tables.inbox.c.message_id).where(tables.inbox.c.message_id.in_(ids))
                if set(db.execute(here).scalars()) != ids:
                    return False
        with reading(self._world.engines["oversight"]) as db:
            traced = set(db.execute(select(trace.c.message_id).where(trace.c.message_id.in_(found))).scalars())
        return traced == set(found)


def _mate(taken, order):
    """What is struck with those taken already: first what can be struck at once with one of them; None when nothing."""
    company = {one.apart for one in taken if one.apart}
    families = {_family(one) for one in taken if not one.apart}
    kinds = {one.kind for one in taken}
    may = [one for one in order if one.kind not in kinds and (one.apart or _family(one) not in families)]
    return next((one for one in may if one.apart in company), may[0] if may else None)


def _family(fault):
    """What two faults struck together must not share: one thing is not broken twice at once."""
    module = fault.strike.__module__.rsplit(".", 1)[-1]
    if module == "processes":
        return fault.kind
    if module == "network":
        return "network to the database" if fault.kind.startswith(("database", "commit")) else "network to the broker"
    return "database" if module == "disk" else module
