"""A linter's finding: stable code, weight, place and remedy.

It must never be raised: findings are shown, problems stop (`faults`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is."""

    #: Matters will go astray; mend the pack before using it.
    ERROR = "error"
    #: Works, though hardly as meant.
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in a pack that makes no sense."""

    #: Stable kebab-case code.
    code: str
    severity: Severity
    #: File of the pack, e.g. policy.yaml.
    file: str
    #: Place in the file, by id: classification.otherwise.
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.file} {self.path}: {self.what} [{self.code}] -> {self.remedy}"
