"""A pack's YAML files as plain values, read strictly.

Times stay text ("13:30" is not 810), dates stay text, yes and on stay words, a key given twice is refused:
plain PyYAML would silently keep the last of two time limits. It must never build Python objects from tags.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from shared.jurisdiction.faults import Problem

#: Largest file read (bytes); a town's staff list is a tenth of it.
LARGEST: Final = 8 * 1024 * 1024
#: Deepest nesting read; packs need ten. libyaml's reader, ten times as fast as Python's, ends the process far beyond.
DEEPEST: Final = 100
#: What a file must have somewhere to be nested more deeply than that.
_SUSPICIOUS = re.compile(rf"(?m)^[ ]{{{DEEPEST}}}|(?:[-?:][ \t]+){{{DEEPEST // 2}}}")
#: libyaml where PyYAML was built with it, as all wheels are.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[misc]  # one of two
    """Values as YAML 1.2's core schema reads them; duplicate keys refused."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 (PyYAML's signature)
    ) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return found


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    # Core-schema integers are decimal: PyYAML alone would read 010 as eight.
    return int(loader.construct_scalar(node))


_StrictLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false|True|False|TRUE|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))
_StrictLoader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse(content: bytes, file: str) -> tuple[Any, Problem | None]:
    """Return the value of a YAML file, or what is wrong with it."""
    if len(content) > LARGEST:
        return None, Problem(
            "file-too-large", file, "", f"it has {len(content)} bytes", f"keep it below {LARGEST} bytes"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, Problem("not-utf-8", file, f"line {line}", "it is not UTF-8 text", "save the file as UTF-8")
    try:
        if _is_too_deep(text):
            what = f"it is nested more than {DEEPEST} levels deep"
            return None, Problem("not-yaml", file, "", what, "correct the YAML")
        return yaml.load(text, Loader=_StrictLoader), None  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(text, mark.line, mark.column) if mark else ""
        code = "duplicate-key" if "stands twice" in str(error.problem) else "not-yaml"
        remedy = "keep one of the two" if code == "duplicate-key" else "correct the YAML there"
        return None, Problem(code, file, place, str(error.problem or error.context), remedy)
    except (yaml.YAMLError, RecursionError) as error:
        return None, Problem("not-yaml", file, "", str(error).splitlines()[0], "correct the YAML")


def _place(text: str, line: int, column: int) -> str:
    """In words; behind the last line (where libyaml sees the end) is the end of the last line."""
    lines = text.splitlines() or [""]
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    return f"line {line + 1}, column {column + 1}"


def _is_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEEPEST and _SUSPICIOUS.search(text) is None:
        return False
    depth = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False


def read(folder: Path, file: str) -> tuple[bytes | None, Problem | None]:
    """Return a file's bytes, or why it cannot be read."""
    try:
        return (folder / file).read_bytes(), None
    except FileNotFoundError:
        return None, Problem("file-missing", file, "", "the pack has no such file", f"add {file}")
    except OSError as error:
        what = error.strerror or "it cannot be read"
        return None, Problem("file-unreadable", file, "", what, "make it a file this user may read")
