"""What is wrong with a pack, all of it at once: each problem with its file, its place there and what to do.

It must never carry a person's data: packs are configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.kernel.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a pack cannot be used."""

    #: Stable kebab-case code.
    code: str
    #: File of the pack, e.g. units.yaml.
    file: str
    #: Place in the file, e.g. [3].parent; empty for the whole file.
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file} {self.path}" if self.path else self.file
        return f"{place}: {self.what} [{self.code}] -> {self.remedy}"


class InvalidPack(Misconfigured):
    """A pack cannot be used. Show `problems` to whoever keeps the pack; nothing was loaded."""

    code = "invalid-pack"

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        #: Every problem found, in the order of the files.
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"The jurisdiction pack {name} has {len(self.problems)} problem(s):\n{lines}")


class PackNotFound(Misconfigured):
    """There is no such pack. Give the name of one that is there, or the path of its folder."""

    code = "pack-not-found"
