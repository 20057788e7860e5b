"""What a player needs of a suite, whichever way it runs.

It must never offer more than the public doors do: commands, queries, the passing of time, and oversight's trace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import Actor


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One event, as the trace has it."""

    #: Its place in the trace.
    position: int
    #: `<service>.<event>`.
    name: str
    #: The matter it is about, mostly.
    subject: str
    time: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ClockView:
    """One clock of a matter, as dispatch shows it."""

    kind: str
    #: met, breached or cancelled; running while it has not stopped.
    outcome: str
    due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class MatterView:
    """A matter, as dispatch shows it."""

    state: str
    unit: str | None
    level: str | None
    clocks: tuple[ClockView, ...]


class StageFailed(Exception):
    """The suite behind the stage stays restless or cannot be reached. Look at its logs; then play again."""


class Stage(Protocol):
    """A suite to play on."""

    @property
    def jurisdiction(self) -> Jurisdiction:
        """The pack it runs."""
        ...

    def now(self) -> datetime:
        """The suite's present instant."""
        ...

    def begin(self, start: datetime) -> None:
        """Set the suite's clock to the beginning of a scenario; a suite that played before goes back."""
        ...

    def execute(self, command: str, content: Mapping[str, Any], actor: Actor) -> Mapping[str, Any]:
        """Carry out a command, let its events arrive everywhere, and return its reply. Raises Refusal."""
        ...

    def run_programs(self, departments: Mapping[str, str]) -> None:
        """Have these departments' own programs hear and answer from now on: department -> how (form.BY_HAND …)."""
        ...

    def answer_as(self, department: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """An officer answers by the department's own program. Raises Refusal."""
        ...

    def advance(self, to: datetime) -> None:
        """Let time pass, from due instant to due instant, so that clocks warn, breach and climb in order."""
        ...

    def next_due(self) -> datetime | None:
        """The earliest instant at which something happens by itself."""
        ...

    def events(self) -> Sequence[Happening]:
        """Everything that happened on this stage so far, oldest first."""
        ...

    def matter(self, matter: str) -> MatterView:
        """Where a matter stands. Raises Refusal."""
        ...

    def report(self) -> Mapping[str, Any]:
        """The transparency report's figures since `begin`, by name. Raises Refusal."""
        ...

    def evaluation_token(self, evaluation: str) -> str:
        """What the asker's link holds."""
        ...
