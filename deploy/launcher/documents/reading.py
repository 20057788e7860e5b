"""What a handler or query does that its signature does not say, read from its source: refusals, versions, parameters.

The source is followed from function to function through the project (never into libraries) and is not run. What
cannot be followed, such as a call of a function kept in a table, is left out: the documents say "at least these".
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import FunctionType, ModuleType
from typing import Any

from shared.jurisdiction import Jurisdiction
from shared.kernel.errors import Refusal
from shared.kernel.sealing import Sealer
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

_CODE = re.compile(r"[a-z]+(-[a-z]+)+")
_OURS = ("services.", "shared.")
#: Names that the ledger imports for type checkers only.
_LATE_NAMES = {"Jurisdiction": Jurisdiction, "Sealer": Sealer, "datetime": datetime}


@dataclass(frozen=True, kw_only=True, order=True)
class Refused:
    """One way to be refused."""

    status: int
    code: str


@dataclass(kw_only=True)
class Reading:
    """What was found in a function and everything of ours that it calls."""

    refusals: set[Refused] = field(default_factory=set)
    #: It compares the caller's If-Match with the stored version.
    checks_version: bool = False
    #: Its reply carries a version: the ETag.
    gives_version: bool = False
    #: Keys it looks up in an argument called `parameters`.
    parameters: set[str] = field(default_factory=set)


def read(start: Callable[..., Any]) -> Reading:
    """Read a function and all that it calls."""
    found = Reading()
    waiting: list[FunctionType] = [_plain(start)]
    seen: set[FunctionType] = set()
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        found.checks_version |= function is UnitOfWork.check_version
        page = _page(function)
        found.refusals |= page.refusals
        found.gives_version |= page.gives_version
        found.parameters |= page.parameters
        for call in page.calls:
            waiting.append(call.to)
            found.refusals |= _chosen_by(call)
    return found


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One call of a function of ours, and what it is given."""

    to: FunctionType
    code: str | None
    arguments: list[Any]


def _chosen_by(call: _Call) -> set[Refused]:
    """Refusals whose code the caller chooses: as the argument `code`, or as a key of the callee's table of refusals."""
    page = _page(call.to)
    codes = {code for table in page.tables for code in _looked_up(table, call.arguments)}
    if call.code is not None:
        codes.add(call.code)
    return {Refused(status=status, code=code) for status in page.open_statuses for code in codes}


@dataclass(kw_only=True)
class _Page:
    """What one function's own source says."""

    refusals: set[Refused] = field(default_factory=set)
    gives_version: bool = False
    parameters: set[str] = field(default_factory=set)
    calls: list[_Call] = field(default_factory=list)
    #: Statuses of refusals whose code comes from the caller.
    open_statuses: set[int] = field(default_factory=set)
    #: Tables that such a function looks the code up in.
    tables: list[Mapping[Any, Any]] = field(default_factory=list)


@functools.cache
def _page(function: FunctionType) -> _Page:
    page = _Page()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return page  # made at run time (a lambda in a table, a dataclass's method): nothing to read
    scope = _Scope(function, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _note_call(node, scope, page)
    if "parameters" in inspect.signature(function).parameters:
        page.parameters = set(_keys(tree))
    if page.open_statuses:
        named = (function.__globals__.get(name) for name in _names(tree))
        page.tables = [value for value in named if isinstance(value, Mapping)]
    return page


def _note_call(node: ast.Call, scope: _Scope, page: _Page) -> None:
    callee = scope.value(node.func)
    given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
    code = given.get("code")
    if isinstance(callee, type) and issubclass(callee, Refusal):
        if code is None:
            page.refusals.add(Refused(status=callee.status, code=callee.code))
        elif isinstance(code, ast.Constant):
            page.refusals.add(Refused(status=callee.status, code=str(code.value)))
        else:
            page.open_statuses.add(callee.status)
        return
    if callee is Reply:
        page.gives_version |= "version" in given
        return
    called = _plain(callee) if callable(callee) and not isinstance(callee, type) else None
    if isinstance(called, FunctionType) and called.__module__.startswith(_OURS):
        arguments = [value for each in (*node.args, *given.values()) for value in scope.values(each)]
        chosen = code.value if isinstance(code, ast.Constant) and isinstance(code.value, str) else None
        page.calls.append(_Call(to=called, code=chosen, arguments=arguments))


class _Scope:
    """Finds what an expression in a function's source stands for: a value of its module, a typed argument's method."""

    def __init__(self, function: FunctionType, tree: ast.AST) -> None:
        self._assigned = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self._globals = function.__globals__
        self._types = _hints(function)
        owner = function.__qualname__.rpartition(".")[0]
        self._owner = self._globals.get(owner) if owner and "<" not in owner else None

    def values(self, node: ast.expr) -> list[Any]:
        """The objects an argument can be: itself, or either branch of what a local name was set to."""
        if isinstance(node, ast.Name):
            node = self._assigned.get(node.id, node)
        ways = (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,)
        return [found for way in ways if (found := self.value(way)) is not None]

    def value(self, node: ast.expr) -> Any:
        """The object called, or None."""
        if isinstance(node, ast.Name):
            return None if node.id in self._types else self._globals.get(node.id)
        if isinstance(node, ast.Attribute):
            known = self.type(node.value)
            if known is not None:
                return inspect.getattr_static(known, node.attr, None)
            holder = self.value(node.value)
            if isinstance(holder, ModuleType | type):
                return getattr(holder, node.attr, None)
        return None

    def type(self, node: ast.expr) -> type[Any] | None:
        """The class of a typed argument, or of an attribute of one."""
        if isinstance(node, ast.Name):
            found = self._owner if node.id == "self" else self._types.get(node.id)
            return found if isinstance(found, type) else None
        if isinstance(node, ast.Attribute):
            holder = self.type(node.value)
            if holder is None:
                return None
            member = inspect.getattr_static(holder, node.attr, None)
            if isinstance(member, property) and isinstance(member.fget, FunctionType):
                found = _hints(member.fget).get("return")
            else:
                found = _hints(holder).get(node.attr)
            return found if isinstance(found, type) else None
        return None


def _hints(thing: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing, localns=_LATE_NAMES)
    except (NameError, TypeError):
        return {}


def _plain(function: Any) -> Any:
    if isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, staticmethod | classmethod):
        function = function.__func__
    return inspect.unwrap(function)


def _names(tree: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _looked_up(table: Mapping[Any, Any], arguments: list[Any]) -> Iterator[str]:
    """Codes in the rows of a table of refusals that a call's arguments can reach; all when none is of a key's kind."""
    kinds = {type(part) for key in table for part in _parts(key)}
    chosen = [argument for argument in arguments if type(argument) in kinds]
    for key in table:
        if not chosen or any(argument in _parts(key) for argument in chosen):
            yield from _codes_in(table[key])


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _codes_in(value: Any) -> Iterator[str]:
    """The codes that head tuples such as `(code, what, remedy)`, however deep."""
    if isinstance(value, tuple):
        if len(value) > 1 and isinstance(value[0], str) and _CODE.fullmatch(value[0]):
            yield value[0]
        for part in value:
            yield from _codes_in(part)


def _keys(tree: ast.AST) -> Iterator[str]:
    """Constant keys of `parameters[…]` and `parameters.get(…)`; a key taken from a literal loop counts too."""
    loops: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
            target = node.target.elts[0] if isinstance(node.target, ast.Tuple) else node.target
            if isinstance(target, ast.Name):
                loops[target.id] = list(_first_texts(node.iter))
    for node in ast.walk(tree):
        key: ast.expr | None = None
        if isinstance(node, ast.Subscript) and _is_parameters(node.value):
            key = node.slice
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
            and _is_parameters(node.func.value) and node.args
        ):  # fmt: skip
            key = node.args[0]
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value
        elif isinstance(key, ast.Name):
            yield from loops.get(key.id, ())


def _is_parameters(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "parameters"


def _first_texts(rows: ast.Tuple) -> Iterator[str]:
    for row in rows.elts:
        head = row.elts[0] if isinstance(row, ast.Tuple) and row.elts else row
        if isinstance(head, ast.Constant) and isinstance(head.value, str):
            yield head.value
