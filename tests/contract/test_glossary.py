"""The glossary knows every public word: who reads an event, a state or a role in code finds it there in Chinese."""

from __future__ import annotations

import re

import pytest

from deploy.launcher.documents.catalogue import ROOT
from deploy.launcher.installation import PACKS
from services.deliberation.domain import TopicState
from services.dispatch.domain.claims import ClaimState
from services.dispatch.domain.clocks import Band, Status
from services.dispatch.domain.orders import OrderState
from services.dispatch.domain.states import Part, State
from services.intake.domain import Standing
from services.notify.domain import State as MessageState
from shared import jurisdiction
from shared.contracts import registry
from shared.contracts.deliberation import CHOICES, STANCES
from shared.contracts.dispatch import CLOCK_KINDS
from shared.kernel.actor import ROLE_PERMISSIONS

PACK = jurisdiction.load(PACKS / "jianwai")
WORDS = {
    "events": [row.name for row in registry.all_types()],
    "roles": list(ROLE_PERMISSIONS),
    "clock kinds": list(CLOCK_KINDS),
    "clock statuses and bands": [*Status, *Band],
    "classes": list(PACK.policy.classes),
    "levels": list(PACK.levels),
    "kinds of units": sorted({unit.kind for unit in PACK.units.values()}),
    "states": [*State, *Standing, *TopicState, *Part, *ClaimState, *OrderState, *MessageState],
    "choices": [*CHOICES, *STANCES],
}


@pytest.mark.parametrize("kind", WORDS)
def test_every_public_word_is_in_the_glossary(kind):
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    known = set(re.findall(r"`([^`]+)`", page))
    assert {str(word) for word in WORDS[kind]} - known == set()


def test_every_row_has_chinese():
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for line in page.splitlines():
        if line.startswith("|") and "---" not in line:
            assert re.search(r"[\u4e00-\u9fff]", line), line


def test_the_glossary_has_no_event_that_is_not_there():
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([a-z]+\.[a-z-]+)` \|", page, flags=re.MULTILINE))
    assert listed == {row.name for row in registry.all_types()}
