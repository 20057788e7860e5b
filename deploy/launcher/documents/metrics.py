"""`docs/metrics.md`: every metric a service or relay can show, from the calls that make them.

Metrics are made where they are counted, some only when the first event of a kind comes; so the source is read, not a
running registry. A name or label that is not a literal there is an error here: operators must be able to find it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.launcher.documents import HEAD

_INTRODUCTION = """\
# Metrics 指标

Every service shows these at `/metrics` on its own port, its relay on the relay's ([operations](operations.md)). All
begin with `gridwhistle_`, all carry the label `service` first, units are base units (seconds, ratios), counters end in
`_total`. No grid, person or matter is ever a label.
"""
_MAKERS = {
    "counter": "counter", "_counter": "counter", "gauge": "gauge", "_gauge": "gauge", "histogram": "histogram",
    "_histogram": "histogram",
}  # fmt: skip
_PREFIX = "gridwhistle_"


class Unreadable(Exception):
    """A metric's name is not a literal in the source. Write it as one."""


@dataclass(frozen=True, kw_only=True, order=True)
class Metric:
    """One row of the page."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


def text(root: Path) -> str:
    """The page; `root` is the folder that holds `services` and `shared`."""
    parts = [HEAD, _INTRODUCTION]
    parts.append(_table("Every service 每个服务", _read(root / "shared" / "runtime")))
    parts.append(_table("The relay of a service 转发器", _read(root / "shared" / "wire")))
    for folder in sorted((root / "services").iterdir()):
        found = _read(folder) if folder.is_dir() else []
        if found:
            parts.append(_table(folder.name, found))
    return "\n".join(parts)


def names(root: Path) -> set[str]:
    """Every metric's name."""
    folders = (root / "shared" / "runtime", root / "shared" / "wire", root / "services")
    return {metric.name for folder in folders for metric in _read(folder)}


def _table(title: str, metrics: Sequence[Metric]) -> str:
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.about} |"
        for metric in sorted(set(metrics))
    ]
    head = ["| name | type | labels after `service` | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {title}\n", *head, *rows, ""])


def _read(folder: Path) -> list[Metric]:
    return [metric for path in sorted(folder.rglob("*.py")) for metric in _in_file(path)]


def _in_file(path: Path) -> Iterator[Metric]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MAKERS):
            continue
        if len(node.args) < 2:  # noqa: PLR2004 -- name and meaning
            continue
        words = [_literal(argument, constants) for argument in node.args]
        if not (isinstance(words[0], str) and isinstance(words[1], str)):
            if isinstance(node.args[0], ast.Name) and node.args[0].id == "name":
                continue  # the maker itself, handing its own arguments on
            message = f"{path.name}:{node.lineno}: a metric's name and meaning must be literals"
            raise Unreadable(message)
        kind = _MAKERS[node.func.attr]
        name = _PREFIX + words[0].removeprefix(_PREFIX)
        if kind == "counter" and not name.endswith("_total"):
            name += "_total"
        yield Metric(name=name, kind=kind, labels=_labels(words[2:]), about=words[1])


def _labels(rest: Sequence[object]) -> tuple[str, ...]:
    if rest and isinstance(rest[0], tuple):
        return tuple(str(label) for label in rest[0] if isinstance(label, str))
    return tuple(label for label in rest if isinstance(label, str))


def _literal(node: ast.expr, constants: dict[str, ast.expr]) -> object:
    if isinstance(node, ast.Name) and node.id in constants:
        node = constants[node.id]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
