"""How modules are written: size, docstring, and who may catch everything."""

from __future__ import annotations

import ast
from pathlib import Path

#: Lines at which a module has to be taken apart; 200 is what we aim at.
MOST_LINES = 400
#: Names that say nothing about what is inside.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "tools"}
#: Where something of somebody else's, or a bug of ours, must not take everything down with it.
BOUNDARIES = {
    "shared/ledger/reception.py": "the one consumer boundary: a bug in a handler keeps the message",
    "shared/kit/desk.py": "a department's own handler must not take its desk down",
    "shared/ledger/letters.py": "the consumer boundary of messages from outside: a bug keeps the message",
    "shared/plugins/loader.py": "a plugin is somebody else's code and is isolated",
    "shared/runtime/http.py": "the HTTP boundary: a bug becomes a 500 that says nothing internal",
    "shared/runtime/containers.py": "the process boundary: what ended the container is logged, exit code 1",
}


def _is_migration(path: Path) -> bool:
    return "migrations" in path.parts


def test_modules_stop_at_400_lines(modules):
    long = {
        str(path): lines
        for path, text in modules.items()
        if (lines := len(text.splitlines())) > MOST_LINES and not _is_migration(path)
    }
    assert long == {}


def test_every_module_says_what_it_is_for(modules):
    silent = [
        str(path)
        for path, text in modules.items()
        if text.strip() and not (ast.get_docstring(ast.parse(text)) or "").strip()
    ]
    assert silent == []


def test_names_say_what_is_inside(modules):
    empty = [str(path) for path in modules if EMPTY_NAMES & {path.stem, *path.parts[:-1]}]
    assert empty == []


def test_only_boundaries_catch_everything(modules):
    """`except Exception` hides bugs. Cleaning up and raising again is not catching."""
    guilty = [
        f"{path}:{handler.lineno}"
        for path, text in modules.items()
        if path.as_posix() not in BOUNDARIES and path.parts[0] != "tests"
        for handler in ast.walk(ast.parse(text))
        if isinstance(handler, ast.ExceptHandler) and _catches_everything(handler) and not _raises_again(handler)
    ]
    assert guilty == []


def test_each_boundary_is_still_one(modules):
    stale = [
        name
        for name in BOUNDARIES
        if not any(
            isinstance(node, ast.ExceptHandler) and _catches_everything(node)
            for node in ast.walk(ast.parse(modules[Path(name)]))
        )
    ]
    assert stale == []


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in caught)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
