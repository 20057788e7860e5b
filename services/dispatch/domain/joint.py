"""Joint handling: a matter split into parts handled side by side, their results joined on it.

Pure rules. The whole never ends before its parts, and a part never lives on behind a closed whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.dispatch.domain.claim_refusals import PartsOpen, WholeClosed
from services.dispatch.domain.states import State

#: Flags of the whole and of its parts: whoever has neither costs no look at other matters.
SPLIT, PART = "split", "part"
#: Flag of the whole when its last part has ended.
PARTS_DONE: Final = "parts-completed"
#: States in which a matter is no longer worked on.
ENDED: Final = frozenset({State.CLOSED, State.WITHDRAWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part, as far as the whole is concerned."""

    matter_id: str
    #: None: announced by intake, its opening is still on its way.
    state: State | None
    number: str | None
    outcome: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ENDED


def check_parts(parts: Sequence[Part]) -> None:
    """Raise PartsOpen while a part is still worked on, or not even here."""
    running = [part for part in parts if not part.ended]
    if running:
        told = ", ".join(part.number or part.matter_id for part in running[:5])
        more = "" if len(running) <= 5 else " …"  # noqa: PLR2004 -- as many as are told
        raise PartsOpen(
            f"{len(running)} of {len(parts)} parts have not ended: {told}{more}", where="matter",
            remedy="Close the parts first; their results are then listed on this matter.",
        )  # fmt: skip


def completed(parts: Sequence[Part]) -> bool:
    """Whether there are parts and all have ended."""
    return bool(parts) and all(part.ended for part in parts)


def check_whole(state: State | None, number: str | None) -> None:
    """Raise WholeClosed when a part would live again behind a whole that has ended."""
    if state in ENDED:
        raise WholeClosed(
            f"The matter it is a part of, {number}, has ended.", where="matter",
            remedy="Reopen that one first, or register a new demand.",
        )  # fmt: skip
