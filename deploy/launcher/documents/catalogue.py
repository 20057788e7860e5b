"""Which documents there are, and whether the committed ones are what the code says."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.launcher import services
from deploy.launcher.documents import (
    asyncapi,
    asyncapi_departments,
    broker,
    commands,
    metrics,
    openapi,
    samples,
    settings,
    states,
)
from shared.contracts import registry
from shared.kernel.errors import Misconfigured

#: The project's folder.
ROOT = Path(__file__).parents[3]
_OPERATIONS = Path("docs/operations.md")
_BEGIN, _END = "<!-- settings: generated -->\n", "<!-- settings: end -->\n"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A committed document that is not what the code says now."""

    path: Path
    #: Unified diff, committed -> generated.
    diff: str


def documents(root: Path = ROOT) -> dict[Path, str]:
    """Path below the project's folder -> content as generated now."""
    definitions = services.definitions()
    made = {
        Path("docs/asyncapi.yaml"): asyncapi.text(),
        Path("docs/asyncapi-departments.yaml"): asyncapi_departments.text(),
        Path("docs/commands.md"): commands.text(definitions),
        Path("docs/metrics.md"): metrics.text(root),
        Path("docs/states.md"): states.text(tuple(definitions)),
        Path("deploy/rabbitmq/definitions.json"): broker.definitions(),
        Path("deploy/rabbitmq/policies.json"): broker.policies_alone(),
        Path("deploy/rabbitmq/users.json"): broker.users(),
        _OPERATIONS: _with_settings(root / _OPERATIONS),
    }
    for name, definition in definitions.items():
        made[Path(f"docs/openapi/{name}.yaml")] = openapi.text(definition)
    return made


def write(root: Path = ROOT) -> list[Path]:
    """Write what differs and make the golden samples that are missing; returns what was written."""
    written = []
    for path, content in documents(root).items():
        target = root / path
        if not target.exists() or target.read_text(encoding="utf-8") != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
            written.append(path)
    return written + [path.relative_to(root) for path in samples.write_missing(root)]


def differences(root: Path = ROOT) -> Iterator[Difference]:
    """What `write` would change."""
    made: Mapping[Path, str] = documents(root)
    for path, content in made.items():
        target = root / path
        found = target.read_text(encoding="utf-8") if target.exists() else ""
        if found != content:
            lines = difflib.unified_diff(
                found.splitlines(keepends=True), content.splitlines(keepends=True),
                f"{path} (committed)", f"{path} (generated)",
            )  # fmt: skip
            yield Difference(path=path, diff="".join(lines))
    for row in registry.all_types():
        path = samples.path_of(row, root)
        if not path.exists():
            yield Difference(path=path.relative_to(root), diff=f"no golden sample of {row.type}\n")
    known = {samples.path_of(row, root) for row in registry.all_types()}
    for path in sorted((root / samples.FOLDER).glob("*.json")):
        if path not in known:
            yield Difference(path=path.relative_to(root), diff="a golden sample whose type is no longer registered\n")


def _with_settings(path: Path) -> str:
    page = path.read_text(encoding="utf-8")
    if _BEGIN not in page or _END not in page:
        message = f"{path} has lost the marks around its settings table ({_BEGIN.strip()} … {_END.strip()})"
        raise Misconfigured(message)
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{settings.table()}\n{_END}{after}"
