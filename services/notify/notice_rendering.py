"""The words of letters to people at work: a pack's template and the few facts that a letter may carry.

Never a note, a reason or an outcome: those are words of people, and a letter passes through strangers. Who wants them
opens the claim or the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.notify import rendering
from services.notify.rendering import EN, ZH, CannotRender, Words
from shared.jurisdiction import Jurisdiction, Label, Template
from shared.kernel import wording
from shared.kernel.clock import parse_instant, rfc3339


def render(template: Template, facts: Mapping[str, Any], pack: Jurisdiction) -> Words:
    """The words of one letter. Raises CannotRender."""
    fallback = Label(wording.say("notify.notice", ZH), wording.say("notify.notice", EN))
    return rendering.write(template, variables(facts, pack, ZH), variables(facts, pack, EN), fallback)


def check(template: Template, pack: Jurisdiction, now: datetime) -> None:
    """Render with every fact and with as few as possible. Raises CannotRender naming the template."""
    unit = next(iter(pack.units), None)
    full = {"title": "T", "unit": unit, "taker": unit, "decision": "approved", "due_at": rfc3339(now)}
    for facts in (full, dict.fromkeys(full)):
        try:
            render(template, facts, pack)
        except CannotRender as error:
            message = f"templates.yaml, {template.id}: {error}"
            raise CannotRender(message) from error


def variables(facts: Mapping[str, Any], pack: Jurisdiction, locale: str) -> Mapping[str, str]:
    """Every variable of such a template in one language; those without a value are empty."""
    due_at, decision = facts.get("due_at"), facts.get("decision")
    return {
        "title": facts.get("title") or "",
        "unit_name": _named(facts.get("unit"), pack, locale),
        "taker_name": _named(facts.get("taker"), pack, locale),
        "decision": wording.say(f"notify.decision.{decision}", locale) if decision else "",
        "due_at": rendering.due_words(parse_instant(due_at), pack.timezone, locale) if due_at else "",
        "suite_name": rendering.suite_name(pack, locale),
    }  # fmt: skip


def _named(who: str | None, pack: Jurisdiction, locale: str) -> str:
    """A unit or a person of the pack by name; anybody else is somebody: an id says nothing to a reader."""
    known = pack.units.get(who or "") or pack.staff.get(who or "")
    if known is None:
        return wording.say("notify.somebody-who-took" if who else "notify.somebody", locale)
    return known.name.en if locale == EN else known.name.zh
