"""Every event type there is: its name, who owns it, which kind of stream it belongs to, since when.

An event's short name is `<service>.<event>`; on the wire it is `gridwhistle.<service>.<event>.v<version>`.
A *stream* is the ordered history of one aggregate, `<service>.<kind>:<id>`; versions count 1, 2, 3 … within it.
A consumer subscribes to whole stream kinds (shared/contracts/topology.py), so that the versions it sees have no
holes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

from shared.contracts import shapes

_PREFIX = "gridwhistle"
_TYPE = re.compile(rf"{_PREFIX}\.[^.]+\.(?P<event>.+)\.v[1-9][0-9]*")
Shape = TypeVar("Shape")

#: How far an event may travel (GB/T 35273): personal ones hold sealed contact data or a resident's words.
CLASSIFICATIONS = ("public", "internal", "personal")


class UnknownType(Exception):
    """No event of that type is known here. Quarantine the message: a newer release may know it."""


@dataclass(frozen=True, kw_only=True)
class EventType:
    """One row of the registry."""

    #: `<service>.<event>`.
    name: str
    owner: str
    #: Kind of the stream, such as `matter`.
    stream: str
    #: Name of the field that holds the stream's id.
    key: str
    classification: str
    version: int
    #: Release that introduced it.
    since: str
    shape: type[Any]

    @property
    def type(self) -> str:
        """The CloudEvents `type`."""
        return f"{_PREFIX}.{self.name}.v{self.version}"

    @property
    def routing_key(self) -> str:
        """The AMQP routing key: the event name without its service."""
        return self.name.split(".", 1)[1]


_BY_TYPE: dict[str, EventType] = {}
_BY_SHAPE: dict[type[Any], EventType] = {}


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(
        shapes.text, shapes.ident, shapes.choice, shapes.number, shapes.whole, shapes.flag, shapes.instant,
        shapes.mapping, shapes.nested, shapes.many,
    ),
)  # fmt: skip
def event(
    name: str, *, stream: str, key: str, classification: str = "internal", version: int = 1, since: str = "0.1.0"
) -> Callable[[type[Shape]], type[Shape]]:
    """Class decorator: make the shape and enter it into the registry."""

    def enter(cls: type[Shape]) -> type[Shape]:
        shape = shapes.record(cls)
        row = EventType(
            name=name, owner=name.split(".", 1)[0], stream=stream, key=key, classification=classification,
            version=version, since=since, shape=shape,
        )  # fmt: skip
        if row.type in _BY_TYPE or classification not in CLASSIFICATIONS:
            message = f"event {row.type} is declared twice or has an unknown classification"
            raise ValueError(message)
        _BY_TYPE[row.type] = row
        _BY_SHAPE[shape] = row
        return shape

    return enter


def _load_all() -> None:
    from shared.contracts import (  # noqa: PLC0415 -- they register
        claims,  # noqa: F401
        deliberation,  # noqa: F401
        dispatch,  # noqa: F401
        intake,  # noqa: F401
        notify,  # noqa: F401
        oversight,  # noqa: F401
        timing,  # noqa: F401
    )


def by_type(type_: str) -> EventType:
    """Look a CloudEvents type up; raises UnknownType."""
    if type_ not in _BY_TYPE:
        _load_all()
    try:
        return _BY_TYPE[type_]
    except KeyError as error:
        message = f"event type {type_!r} is not registered"
        raise UnknownType(message) from error


def by_shape(shape: type[Any]) -> EventType:
    """The row of an event class; raises UnknownType."""
    try:
        return _BY_SHAPE[shape]
    except KeyError as error:
        message = f"{shape.__name__} is not an event"
        raise UnknownType(message) from error


def by_name(name: str, version: int = 1) -> EventType:
    """Look `<service>.<event>` up; raises UnknownType."""
    return by_type(f"{_PREFIX}.{name}.v{version}")


def is_known(type_: str) -> bool:
    """Whether this release has an event of that type."""
    if type_ not in _BY_TYPE:
        _load_all()
    return type_ in _BY_TYPE


def label_of(type_: str) -> str:
    """The short name, for people; the type itself where a newer release brought it."""
    try:
        return by_type(type_).name
    except UnknownType:
        return type_


def routing_key_in(type_: str) -> str:
    """The AMQP routing key of a type, known here or of a newer release. Raises UnknownType for no event's."""
    found = _TYPE.fullmatch(type_)
    if found is None:
        message = f"{type_!r} is not the type of an event"
        raise UnknownType(message)
    return found["event"]


def all_types() -> tuple[EventType, ...]:
    """Every event type, by name."""
    _load_all()
    return tuple(sorted(_BY_TYPE.values(), key=lambda row: (row.name, row.version)))
