"""What the clients are given to do, as it goes to their process; made here so that they need nothing of the suite."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from deploy.launcher.client import addresses_of
from deploy.launcher.demo.cast import Cast
from shared import jurisdiction
from shared.kernel.actor import Actor
from shared.kernel.clock import SystemClock
from shared.runtime.auth import Gatekeeper
from shared.runtime.settings import Settings

#: What demands are made of; classes and grids differ with them.
WORDS = (
    "楼道的灯不亮，老人晚上上下楼不方便",
    "下水道堵了，污水往外冒",
    "快递车占了消防通道，请协调挪走",
    "电梯经常停，物业没人管",
    "小区停车难，晚上回来没有车位",
    "树枝挡住了窗户，请安排修剪",
    "楼下餐馆油烟直接排到院里",
    "大件垃圾堆在单元门口没人清运",
)


def work_plan(settings: Settings, matters: int, clients: int, in_hand: int, run: str) -> dict[str, Any]:
    """JSON-ready: addresses, tokens, and for every life its words, place and people. `run` makes the words differ."""
    pack = jurisdiction.load(settings.jurisdiction)
    cast = Cast(pack)
    tokens: dict[str, str] = {}
    gatekeeper = Gatekeeper(
        secret=settings.token_secret, issuer=settings.token_issuer, audience=settings.token_audience,
        clock=SystemClock(),
    )  # fmt: skip

    def token_of(actor: Actor) -> str:
        if actor.id not in tokens:
            tokens[actor.id] = gatekeeper.issue(
                subject=actor.id, roles=actor.roles, unit=actor.unit, lasting=timedelta(hours=6)
            )
        return actor.id

    grids = [unit.id for unit in pack.units.values() if unit.level == "grid" and pack.responsible(unit.id)]
    choice = random.Random(run)
    lives = []
    for number in range(matters):
        grid = choice.choice(grids)
        handler = cast.handler(grid)
        place = f"{choice.randrange(1, 40)}号楼{choice.randrange(1, 7)}单元"
        lives.append(
            {
                "text": f"{place}{choice.choice(WORDS)}。{run}第{number}次反映。",
                "grid": grid,
                "registrar": token_of(cast.desk("street")),
                "handler": token_of(handler),
                "verifier": token_of(cast.verifier(grid, handler.id)),
            }
        )
    return {
        "addresses": addresses_of(settings),
        "letters": str(settings.data_dir / "letters.jsonl"),
        "clients": clients,
        "in_hand": in_hand,
        "tokens": tokens,
        "lives": lives,
    }
