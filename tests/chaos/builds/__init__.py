"""Other builds than the product: some broken on purpose, so that the rig is known to bite, and the next release.

Each module here changes the product in the process it is loaded into, by replacing functions of it: `planted(name)`,
or `python -m tests.chaos.builds NAME serve|relay SERVICE --port N` for a process of its own. The product has no switch
for any of this.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module

#: Name -> what the build does otherwise.
BUILDS = {
    "ack-before-commit": "a message is acknowledged when it is handed over, before its effects are stored",
    "marked-before-confirm": "outbox rows are marked published before the broker has confirmed them",
    "inbox-key-without-handler": "the inbox knows a message by its id alone, not by handler and id",
    "relay-by-position": "the relay goes on after the highest position it has published",
    "lease-without-fencing": "a leader commits without proving that it still leads",
    "bug-for-one-matter": "a handler of dispatch raises for matters whose words are cursed",
    "next-release": "nothing is broken: the release to come, with new columns, fields and events",
}


def planted(name: str) -> AbstractContextManager[None]:
    """That build, in this process, until the block ends. Raises KeyError for an unknown name."""
    BUILDS[name]
    found: AbstractContextManager[None] = import_module(f"{__name__}.{name.replace('-', '_')}").planted()
    return found
