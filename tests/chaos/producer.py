"""The producer: N matters, each driven through its whole life over the public HTTP interfaces by the pack's own people.

A life looks at its matter before each step and does what the matter's state asks for, so that it copes with what
happens by itself meanwhile (breaches, climbs). It must never look into a database.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from deploy.launcher.demo.cast import Cast
from deploy.launcher.demo.words import NOT_DONE, VERIFIED, words_for
from deploy.launcher.scenario import doors
from services.oversight.handlers.evaluations import TOKEN_PURPOSE
from shared import jurisdiction as packs
from shared.kernel.actor import ANONYMOUS
from shared.kernel.hashing import link_token
from tests.chaos.book import ACCEPTED
from tests.chaos.door import Door, NoAnswer
from tests.chaos.wishes import IN_HAND, answer_calls, decider

#: Seconds within which what a command entails must be seen from outside, faults and all.
FOLLOWS_WITHIN_S = 300.0
#: Seconds between the first two looks, and at most: looking must not be what keeps a struck suite busy.
LOOK_EVERY_S, LOOK_AT_LEAST_EVERY_S = 0.5, 1.0
#: Steps after which a life is given up: it goes round in circles.
MOST_STEPS = 80
#: Seconds that one life may last at most, once no other begins.
LAST_LIFE_S = 120.0
#: Share of lives that wish for each of these beside the plain way.
WISHES = {
    "progress": 0.6, "supplement": 0.1, "escalate": 0.12, "whistle": 0.1, "return": 0.06, "suspend": 0.05,
    "reclassify": 0.04, "deliberate": 0.05, "withdraw": 0.05, "rework": 0.06, "reopen": 0.06, "inspect": 0.04,
}  # fmt: skip
JOINED, UNLOCATED, CONTACT, ANSWERS = 0.08, 0.04, 0.4, 0.7

PROBLEMS = (
    "楼道三层的灯不亮了，老人上下楼看不清台阶",
    "小区门口的井盖松动，车压过响声很大",
    "装修垃圾堆在消防通道上好几天没人清",
    "楼下餐馆的油烟直接排到居民窗口",
    "电动车在楼道里充电，有火灾隐患",
    "路边的树枝压住了电线，刮风时打火",
    "单元门禁坏了，陌生人随便进出",
    "下水道堵了，污水漫到路面上",
    "楼上夜里装修，吵得孩子没法睡觉",
    "健身器材的螺丝松了，老人差点摔倒",
    "共享单车占满了盲道，轮椅过不去",
    "暖气不热，家里只有十四度",
)


@dataclass(kw_only=True)
class Life:
    """One matter as its producer knows it."""

    number: int
    dice: random.Random
    wishes: list[str]
    grid: str
    matter: str = ""
    #: Demand id -> tracking code.
    demands: dict[str, str] = field(default_factory=dict)
    whistles: dict[str, str] = field(default_factory=dict)
    reopened: int = 0
    steps: int = 0


class Producer:
    """Drives lives with a number of client threads."""

    def __init__(self, world, book, *, matters, clients=8, seed=1, pace=lambda: 1.0):
        """`pace`: the share of all lives that may have begun by now, so that load lasts as long as the faults."""
        self.world, self.book, self.matters = world, book, matters
        self.door = Door(world, book)
        self.done = Counter()
        self.pack = packs.load(world.settings.jurisdiction)
        self.cast = Cast(self.pack)
        self.observer = doors.observer(self.pack)
        self._grids = [
            unit.id for unit in self.pack.units.values() if unit.level == "grid" and self.pack.responsible(unit.id)
        ]
        self._seed, self._pace = seed, pace
        self._next, self._lock = 0, threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, name=f"client-{n}", daemon=True) for n in range(clients)]
        self.errors: list[BaseException] = []

    def start(self):
        """Begin; the threads end by themselves when every life is over."""
        for thread in self._threads:
            thread.start()

    @property
    def running(self):
        """Whether any life is still going on or to come."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def begun(self):
        """How many lives have begun."""
        return self._next

    def stop(self):
        """Begin no more lives."""
        self._stop.set()

    def join(self, seconds):
        """Wait for all lives; what is not over then is a finding. Raises what a client died of: a bug of the rig.

        Nothing comes to rest while somebody drives: who is late ends the life at hand and begins no other.
        """
        if late := self._waited_for(seconds):
            self.book.stall(f"{', '.join(late)} not through after {seconds:.0f} s")
            self.stop()
            if stuck := self._waited_for(LAST_LIFE_S):
                self.book.stall(f"{', '.join(stuck)} stuck in one life")
        if self.errors:
            raise self.errors[0]

    def _waited_for(self, seconds):
        """Names of the clients that still drive after so long."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def probe(self):
        """A demand whose way through the suite shows that everything works. Its entry, or None when not answered."""
        life = Life(number=-1, dice=random.Random(), wishes=[], grid=self._grids[0])
        entry = self._register(life, f"巡检：{PROBLEMS[0]}（{time.monotonic_ns()}）", located=True)
        return entry if entry.result == ACCEPTED else None

    # -- lives ---------------------------------------------------------------------------------------------------

    def _client(self):
        while not self._stop.is_set():
            with self._lock:
                number = self._next
                if number >= self.matters:
                    return
                if number < self._pace() * self.matters:
                    self._next += 1
                else:
                    number = None
            if number is None:
                self._stop.wait(0.05)
                continue
            try:
                self._live(number)
            except NoAnswer as error:
                self.book.stall(f"life {number}: {error}")
            except BaseException as error:
                self.errors.append(error)
                raise

    def _live(self, number):
        dice = random.Random(self._seed * 1_000_003 + number)
        wishes = [wish for wish, share in WISHES.items() if dice.random() < share]
        life = Life(number=number, dice=dice, wishes=wishes, grid=dice.choice(self._grids))
        view = self._begin(life)
        if view is None:
            self.done["refused"] += 1
            return
        while life.steps < MOST_STEPS:
            if life.steps:
                view = self.door.ask("dispatch", doors.MATTER.replace("<matter>", life.matter), self.observer)
            life.steps += 1
            state = view["state"]
            if state == "withdrawn" or (state == "closed" and not self._after(life, view)):
                self.done[state] += 1
                return
            if state != "closed":
                STEPS[state](self, life, view)
        self.book.stall(f"life {number}: matter {life.matter} is not through after {MOST_STEPS} steps")

    def _begin(self, life):
        """Register; the matter as dispatch shows it then, None when it is refused or never seen."""
        text = f"{life.dice.choice(PROBLEMS)}（第{life.number}件）"
        located = life.dice.random() >= UNLOCATED
        entry = self._register(life, text, located=located)
        if entry.result != ACCEPTED:
            return None
        life.matter = entry.reply["matter_id"]
        if located and life.dice.random() < JOINED:
            self._register(life, text, located=True)
        return self.seen("dispatch", doors.MATTER.replace("<matter>", life.matter), life)

    def _register(self, life, text, *, located):
        asker_ = {"kind": "resident", "anonymous": True}
        if life.dice.random() < CONTACT:
            asker_ = {"kind": "resident", "name": "王女士", "phone": f"138{life.dice.randrange(10**8):08d}"}
        place = {"grid": life.grid} if located else {"address": "建外某处，说不清楚"}
        entry = self.door.send(
            "intake.register-demand",
            self.cast.desk("street"),
            {"channel": "hotline", "text": text, "location": place, "asker": asker_},
        )
        if entry.result == ACCEPTED:
            life.demands[entry.reply["demand_id"]] = entry.reply["tracking_code"]
        return entry

    def seen(self, service, path, life, *, condition=lambda _answer: True):
        """Wait until something that has to follow can be seen; None when it never is, which is a finding."""
        deadline, pause = time.monotonic() + FOLLOWS_WITHIN_S, LOOK_EVERY_S
        while time.monotonic() < deadline:
            answer = self.door.ask(service, path, self.observer)
            if answer is not None and condition(answer):
                return answer
            time.sleep(pause)  # noqa: TID251 -- a client waiting for a service
            pause = min(pause * 1.5, LOOK_AT_LEAST_EVERY_S)
        self.book.stall(f"life {life.number}: {service} {path} was not seen within {FOLLOWS_WITHIN_S:.0f} s")
        return None

    # -- steps, by the matter's state ----------------------------------------------------------------------------

    def do(self, life, action, actor, **content):
        return self.door.send(f"dispatch.{action}", actor, {"matter": life.matter, **content})

    def handler(self, view):
        return self.cast.handler(view["unit"]["id"])

    def _unlocated(self, life, view):
        del view
        desk = self.cast.desk("street")
        self.door.send("intake.locate-matter", desk, {"matter": life.matter, "unit": life.grid})
        # dispatch hears of it in its own time; a desk that cannot wait assigns.
        self.seen(
            "dispatch",
            doors.MATTER.replace("<matter>", life.matter),
            life,
            condition=lambda seen: seen["state"] != "unlocated",
        )

    def _assigned(self, life, view):
        if "return" in life.wishes and view["level"] == "grid":
            life.wishes.remove("return")
            self.do(life, "return", self.handler(view), reason="点位不在本网格责任范围，请核实。")
            return
        self.do(life, "accept", self.handler(view))

    def _in_progress(self, life, view):
        while life.wishes:
            wish = life.wishes.pop(0)
            step = IN_HAND.get(wish)
            if step is not None:
                step(self, life, view)
                return
            if wish in ("rework", "reopen"):
                life.wishes.append(wish)  # later, in another state
                if all(one in ("rework", "reopen") for one in life.wishes):
                    break
        if answer_calls(self, life):
            return
        words = words_for(str(view.get("category") or ""))
        entry = self.do(
            life, "resolve", self.handler(view), outcome=words.outcome,
            evidence=[{"kind": "photo", "description": piece} for piece in words.evidence],
        )  # fmt: skip
        if entry.code == "whistle-open":
            waiting = [call for call in view["whistles"] if call["ended_at"] is None]
            life.whistles |= {call["whistle_id"]: call["departments"][0]["department"]["id"] for call in waiting}

    def _suspended(self, life, view):
        above = self.pack.parent_of(view["unit"]["id"])
        desk = decider(self, view if above is None else {"unit": {"id": above.id}})
        self.do(life, "resume", desk, reason="条件具备，恢复办理。")

    def _resolved(self, life, view):
        verifier = self.cast.verifier(view["unit"]["id"], str(view["resolved_by"]))
        if "rework" in life.wishes:
            life.wishes.remove("rework")
            self.do(life, "verify", verifier, passed=False, note=NOT_DONE)
            return
        self.do(life, "verify", verifier, passed=True, note=VERIFIED)

    def _verified(self, life, view):
        closer = self.cast.verifier(view["unit"]["id"], str(view["resolved_by"]))
        self.do(life, "close", closer, note="已回访。")

    def _after(self, life, view):
        """Closed: those who asked are asked, and answer; whether it goes on."""
        attempt = view.get("attempt", life.reopened + 1)
        asked = self.seen(
            "oversight",
            doors.EVALUATIONS.replace("<matter>", life.matter),
            life,
            condition=lambda seen: any(row["attempt"] == attempt for row in seen["items"]),
        )
        if asked is None:
            return False
        again = "reopen" in life.wishes and life.reopened == 0
        for row in asked["items"]:
            if row["attempt"] != attempt or row["answered_at"] is not None:
                continue
            if again or life.dice.random() < ANSWERS:
                self._evaluate(life, row["evaluation_id"], satisfied=not again)
        if not again:
            return False
        life.wishes.remove("reopen")
        life.reopened += 1
        supervisor = self.cast.supervisor("street")
        entry = self.do(life, "reopen", supervisor, reason="诉求人不满意，问题复发，重新办理。")
        return entry.result == ACCEPTED

    def _evaluate(self, life, evaluation, *, satisfied):
        self.door.send(
            "oversight.evaluate",
            ANONYMOUS,
            {
                "evaluation": evaluation, "satisfied": satisfied, "resolved": satisfied,
                "wants_reopening": not satisfied,
                "comment": life.dice.choice(("处理得很及时，谢谢。", "满意。")) if satisfied else "第二天又是老样子。",
                "token": link_token(self.world.settings.link_secret, TOKEN_PURPOSE, evaluation),
            },
        )  # fmt: skip


STEPS = {
    "unlocated": Producer._unlocated,
    "assigned": Producer._assigned,
    "in-progress": Producer._in_progress,
    "suspended": Producer._suspended,
    "resolved": Producer._resolved,
    "verified": Producer._verified,
}
