"""The departments' kit: receive whistle calls and answer them from a program of your own (docs/department-guide.md).

    from shared.kit import Handlers, serve

    def on_called(call, desk):
        desk.answer(call.whistle, "accepted", note="on our way 已出发")

    serve(Handlers(called=on_called))

Needs pika and the contracts, nothing else of the suite. Nothing is lost when the program, the machine or the link dies:
calls and answers lie in a spool that is on disk before anything is acknowledged or sent.
"""

from __future__ import annotations

from shared.contracts.whistles import AnswerRefused, AnswerTaken, Called, Changed, Ended, Scored
from shared.kit.desk import CannotAnswer, Desk, Handlers
from shared.kit.service import serve
from shared.kit.settings import KitSettings, SettingsMissing
from shared.kit.spool import Spool

__all__ = [
    "AnswerRefused",
    "AnswerTaken",
    "Called",
    "CannotAnswer",
    "Changed",
    "Desk",
    "Ended",
    "Handlers",
    "KitSettings",
    "Scored",
    "SettingsMissing",
    "Spool",
    "serve",
]
