"""Units whose parents lead back to them: on such a ladder a matter would climb in a circle for ever (C1).

`gridwhistle jurisdiction lint` names them too; this is for whoever starts a service without having asked the linter.
"""

from __future__ import annotations

from shared.jurisdiction import Jurisdiction
from shared.kernel.errors import Misconfigured


class CyclicUnits(Misconfigured):
    """Nobody can be responsible at last where units form a circle. Correct a parent in units.yaml and start again."""

    code = "cyclic-units"


def check_circles(jurisdiction: Jurisdiction) -> None:
    """Raise CyclicUnits naming every circle once."""
    found: list[str] = []
    known: set[str] = set()
    for start in jurisdiction.units:
        trail = [start]
        while (parent := jurisdiction.unit(trail[-1]).parent) is not None and parent not in trail:
            trail.append(parent)
        if parent == start and start not in known:
            known.update(trail)
            found.append(" -> ".join([*trail, start]))
    if found:
        raise CyclicUnits(
            f"cyclic-units: in the pack {jurisdiction.name} units lead back to themselves: {'; '.join(found)}. "
            "Give one of each circle another parent in units.yaml (see `gridwhistle jurisdiction lint`)."
        )
