"""The table of settings in `docs/operations.md`, from shared.runtime.settings: variable, default, meaning.

Meanings are the `#:` comments above the fields, so that the code and the page say the same.
"""

from __future__ import annotations

import dataclasses
import inspect

from shared.runtime.settings import Settings

_PREFIX = "GRIDWHISTLE_"


def table() -> str:
    """The table."""
    notes = _notes()
    rows = [
        f"| `{_PREFIX}{field.name.upper()}` | {_default(field)} | {notes.get(field.name, '')} |"
        for field in dataclasses.fields(Settings)
    ]
    head = ["| variable | default | meaning |", "|---|---|---|"]
    config = f"| `{_PREFIX}CONFIG` | none | TOML file with the same names in lower case; a variable wins over it |"
    return "\n".join([*head, config, *rows])


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is dataclasses.MISSING:
        return "**required**" + (", secret" if not field.repr else "")
    if field.default is None:
        return "none"
    return f"`{field.default}`" if str(field.default) else "empty"


def _notes() -> dict[str, str]:
    notes: dict[str, str] = {}
    waiting: list[str] = []
    for line in inspect.getsource(Settings).splitlines():
        stripped = line.strip()
        if stripped.startswith("#:"):
            waiting.append(stripped.removeprefix("#:").strip())
        elif ":" in stripped and waiting:
            notes[stripped.split(":", 1)[0]] = " ".join(waiting).replace("|", "\\|")
            waiting = []
        elif stripped:
            waiting = []
    return notes
