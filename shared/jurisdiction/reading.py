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


class _StrictLoader(yaml.SafeLoader):
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
        return super().construct_mapping(node, deep=deep)


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
        return yaml.load(text, Loader=_StrictLoader), None  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        code = "duplicate-key" if "stands twice" in str(error.problem) else "not-yaml"
        remedy = "keep one of the two" if code == "duplicate-key" else "correct the YAML there"
        return None, Problem(code, file, place, str(error.problem or error.context), remedy)
    except (yaml.YAMLError, RecursionError) as error:
        return None, Problem("not-yaml", file, "", str(error).splitlines()[0], "correct the YAML")


def read(folder: Path, file: str) -> tuple[bytes | None, Problem | None]:
    """Return a file's bytes, or why it cannot be read."""
    try:
        return (folder / file).read_bytes(), None
    except FileNotFoundError:
        return None, Problem("file-missing", file, "", "the pack has no such file", f"add {file}")
    except OSError as error:
        what = error.strerror or "it cannot be read"
        return None, Problem("file-unreadable", file, "", what, "make it a file this user may read")
