"""A complete small department service on the kit: copy this file, change what `on_called` does, run it.

    python department.py serve                       receive calls, report in at once, keep the case book
    python department.py calls                       what is open, as JSON lines
    python department.py answer CALL completed "…"   what an officer at the counter does

Every call is reported in (accepted) the moment it arrives; people do the rest with `answer`, on the same machine. The
case book is a file of JSON lines for the department's own system to read. It must never keep calls anywhere only in
memory: the spool has them on disk before this file hears of them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from shared.contracts import shapes
from shared.kit import (
    AnswerRefused,
    Called,
    CannotAnswer,
    Changed,
    Desk,
    Ended,
    Handlers,
    Scored,
    SettingsMissing,
    Spool,
    serve,
)  # fmt: skip
from shared.kit.settings import read

log = logging.getLogger("department")


def on_called(call: Called, desk: Desk) -> None:
    """A whistle: report in, and open a case in our own book. Runs again after a crash; both steps bear that."""
    on_called_by_hand(call, desk)
    desk.answer(call.whistle, "accepted", note="已收到,正在安排人员 Received; people are on their way")


def on_called_by_hand(call: Called, desk: Desk) -> None:
    """Only open the case: an officer reads the call before the department reports in (DEPARTMENT_REPORT_IN=no)."""
    book(desk, "called", call.whistle, shapes.dump(call))


def on_changed(change: Changed, desk: Desk) -> None:
    """A deadline, the lead, a decision about our refusal: the officer has to know."""
    book(desk, change.cause, change.whistle, shapes.dump(change))


def on_scored(score: Scored, desk: Desk) -> None:
    """What the whistler thought of our work."""
    book(desk, "scored", score.whistle, shapes.dump(score))


def on_ended(ending: Ended, desk: Desk) -> None:
    """Over: close our case."""
    book(desk, "ended", ending.whistle, shapes.dump(ending))


def on_refused(refusal: AnswerRefused, desk: Desk) -> None:
    """The suite did not take an answer of ours: somebody has to look."""
    log.error("answer not taken: %s %s", refusal.code, refusal.detail)
    book(desk, "refused", refusal.whistle or "", shapes.dump(refusal))


HANDLERS = Handlers(called=on_called, changed=on_changed, scored=on_scored, ended=on_ended, refused=on_refused)
BY_HAND = replace(HANDLERS, called=on_called_by_hand)


def book(desk: Desk, what: str, whistle: str, content: dict[str, object]) -> None:
    """One line more in the case book. The same line may come twice; `whistle` and `what` tell."""
    line = json.dumps({"what": what, "whistle": whistle, **content}, ensure_ascii=False)
    with (desk.spool.folder / "case-book.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 1: refused or failed, and why is on stderr."""
    parser = argparse.ArgumentParser(description="部门哨单程序 A department's whistle service")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="接收哨单 receive calls until stopped")
    commands.add_parser("calls", help="未办结的哨单 open calls, as JSON lines")
    answer = commands.add_parser("answer", help="答复 answer a call")
    answer.add_argument("call", help="id of the call")
    answer.add_argument("answer", help="accepted, declined, progressed, completed or extension-requested")
    answer.add_argument("note", help="说明 what was found, done or asked")
    answer.add_argument("--ground", help="declined: 依据 the ground")
    answer.add_argument("--until", type=datetime.fromisoformat, help="extension-requested: 2026-11-24T17:00:00+08:00")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        settings = read()
    except SettingsMissing as missing:
        print(missing, file=sys.stderr)  # noqa: T201 -- a command line's answer
        return 1
    if given.command == "serve":
        return serve(BY_HAND if os.environ.get("DEPARTMENT_REPORT_IN") == "no" else HANDLERS, settings)
    desk = Desk(settings.department, Spool(Path(settings.spool)))
    if given.command == "calls":
        for call in desk.calls():
            print(json.dumps(shapes.dump(call), ensure_ascii=False))  # noqa: T201 -- a command line's answer
        return 0
    try:
        answer_id = desk.answer(given.call, given.answer, given.note, ground=given.ground, until=given.until)
    except CannotAnswer as refused:
        print(f"不能答复 cannot answer: {refused}", file=sys.stderr)  # noqa: T201 -- a command line's answer
        return 1
    print(answer_id)  # noqa: T201 -- a command line's answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
