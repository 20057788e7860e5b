"""Names of things in both languages, as reports show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from services.oversight.domain.figures import MatterFact
from shared.jurisdiction import Jurisdiction
from shared.jurisdiction.territory import Label
from shared.kernel.wording import LOCALES, say

#: `zh` and `en`.
Text = Mapping[str, str]
_OUR_LEVELS = frozenset({"grid", "community", "street", "district", "department"})


def both(key: str, **values: object) -> Text:
    """A text in Chinese and English."""
    return {locale[:2]: say(key, locale, **values) for locale in LOCALES}


def label(named: Label) -> Text:
    """A pack's label."""
    return {"zh": named.zh, "en": named.en}


def level_label(level: str) -> Text:
    """A level of the ladder; a pack's own ones keep their name."""
    return both(f"level.{level}") if level in _OUR_LEVELS else {"zh": level, "en": level}


def place(fact: MatterFact, level: str, pack: Jurisdiction) -> str | None:
    """The unit of a level in which a matter lies; None when it lies in none, or in a unit the pack no longer has."""
    if fact.territory is None or fact.territory not in pack.units:
        return None
    return next((unit.id for unit in pack.path(fact.territory) if unit.level == level), None)


def local(instant: datetime, pack: Jurisdiction) -> str:
    """Date and time where the pack is."""
    return instant.astimezone(ZoneInfo(pack.timezone)).strftime("%Y-%m-%d %H:%M")
