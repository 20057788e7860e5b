"""Typed shapes.

One frozen dataclass per event, command or value, with its marshmallow schema made from the same fields.

    @record
    class Evidence:
        kind: str = choice("photo", "note")
        description: str = text(maximum=500)

`load` checks and builds, `dump` turns back into JSON-ready values. Commands from outside refuse unknown fields (RAISE);
events of sister services tolerate them (EXCLUDE), because within a version only additions are allowed (design 5).
Content in which everything is right goes the straight way (`shared.contracts.straight`); marshmallow judges all other,
and alone says what is wrong with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, dataclass_transform

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from shared.contracts import straight
from shared.contracts.wire_fields import Flag, FreeObject, Instant, Text
from shared.kernel.errors import Invalid

__all__ = [
    "Flag", "FreeObject", "Instant", "Text", "build", "choice", "dump", "flag", "flatten", "ident", "instant", "load",
    "many", "mapping", "nested", "number", "record", "schema_of", "text", "whole",
]  # fmt: skip

#: Longest free text accepted, in characters; above it a petition belongs into an attachment.
TEXT_LIMIT = 20_000
#: Faults told of one body; thousands of them tell the sender no more and cost more than the body did.
FAULTS_TOLD = 50

_KEY = "wire"
_SCHEMA_CLASS = "_schema_class"
Shape = TypeVar("Shape")
Unknown = Literal["exclude", "include", "raise"]

#: schema class -> the dataclass it was made from.
_SHAPES: dict[type[Schema], type[Any]] = {}


def _spec(field: fields.Field[Any], default: Any, *, factory: Callable[[], Any] | None = None) -> Any:
    metadata = {_KEY: field}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _options(default: Any, about: str) -> dict[str, Any]:
    options: dict[str, Any] = {"required": default is dataclasses.MISSING, "allow_none": default is None}
    if about:
        options["metadata"] = {"description": about}
    return options


def text(*, default: Any = dataclasses.MISSING, maximum: int = TEXT_LIMIT, about: str = "") -> Any:
    """A string of at most `maximum` characters; `default=None` makes it optional and nullable."""
    return _spec(Text(validate=validate.Length(max=maximum), **_options(default, about)), default)


def ident(*, default: Any = dataclasses.MISSING, about: str = "") -> Any:
    """An id: a uuid, or a pack's own id; at most 200 characters."""
    return text(default=default, maximum=200, about=about)


def choice(*allowed: str, default: Any = dataclasses.MISSING, about: str = "") -> Any:
    """One of the strings listed."""
    return _spec(Text(validate=validate.OneOf(allowed), **_options(default, about)), default)


def number(
    *, default: Any = dataclasses.MISSING, minimum: float | None = None, maximum: float | None = None, about: str = ""
) -> Any:
    """A float within the bounds."""
    bounds = validate.Range(min=minimum, max=maximum)
    return _spec(fields.Float(validate=bounds, allow_nan=False, **_options(default, about)), default)


def whole(
    *, default: Any = dataclasses.MISSING, minimum: int | None = None, maximum: int | None = None, about: str = ""
) -> Any:
    """An integer within the bounds; 3.0 and "3" are refused."""
    bounds = validate.Range(min=minimum, max=maximum)
    return _spec(fields.Integer(strict=True, validate=bounds, **_options(default, about)), default)


def flag(*, default: Any = dataclasses.MISSING, about: str = "") -> Any:
    """A JSON true or false; "yes" and 1 are refused."""
    return _spec(Flag(**_options(default, about)), default)


def instant(*, default: Any = dataclasses.MISSING, about: str = "") -> Any:
    """An aware instant."""
    return _spec(Instant(**_options(default, about)), default)


def mapping(*, about: str = "") -> Any:
    """A free JSON object; empty by default."""
    return _spec(FreeObject(keys=fields.String(), **_options({}, about)), {}, factory=dict)


def nested(shape: type[Any], *, default: Any = dataclasses.MISSING, about: str = "") -> Any:
    """A value that is itself a shape."""
    return _spec(fields.Nested(_schema_class(shape), **_options(default, about)), default)


def many(item: Any, *, required: bool = False, maximum: int = 1_000, about: str = "") -> Any:
    """A list of a shape or of another specifier, `many(ident())`.

    An empty tuple by default, one at least when required.
    """
    if isinstance(item, dataclasses.Field):
        inner: fields.Field[Any] = item.metadata[_KEY]
    else:
        inner = fields.Nested(_schema_class(item))
    options = _options(dataclasses.MISSING if required else (), about)
    field = fields.List(inner, validate=validate.Length(min=1 if required else 0, max=maximum), **options)
    return _spec(field, dataclasses.MISSING) if required else _spec(field, (), factory=tuple)


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(text, ident, choice, number, whole, flag, instant, mapping, nested, many),
)
def record(cls: type[Shape]) -> type[Shape]:
    """Class decorator: a frozen keyword-only dataclass that `load`, `dump` and `schema_of` understand."""
    made: type[Any] = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    schema_class = Schema.from_dict(_members(made), name=made.__name__)
    setattr(made, _SCHEMA_CLASS, schema_class)
    _SHAPES[schema_class] = made
    return made


def _schema_class(shape: type[Any]) -> type[Schema]:
    schema: type[Schema] = shape.__dict__[_SCHEMA_CLASS]
    return schema


_SCHEMAS: dict[tuple[type[Any], str], Schema] = {}


def schema_of(shape: type[Any], *, unknown: Unknown = RAISE) -> Schema:
    """The schema instance of a shape (kept).

    `unknown` is marshmallow's RAISE or EXCLUDE and reaches nested shapes too.
    """
    key = (shape, unknown)
    if key not in _SCHEMAS:
        schema = _schema_class(shape)(unknown=unknown)
        for field in schema.fields.values():
            _pass_down(field, unknown)
        _SCHEMAS[key] = schema
    return _SCHEMAS[key]


def _pass_down(field: fields.Field[Any], unknown: Unknown) -> None:
    inner = field.inner if isinstance(field, fields.List) else field
    if isinstance(inner, fields.Nested):
        inner.unknown = unknown
        for member in inner.schema.fields.values():
            _pass_down(member, unknown)


def load(shape: type[Shape], content: Any, *, tolerant: bool = False) -> Shape:
    """Check JSON content and build the shape; raises Invalid naming every faulty field."""
    try:
        found: Shape = _straight(shape).read(content, tolerant=tolerant)
    except straight.NotStraight:
        return _judged(shape, content, tolerant=tolerant)
    return found


def _judged(shape: type[Shape], content: Any, *, tolerant: bool) -> Shape:
    if not isinstance(content, Mapping):
        message = "The body must be a JSON object."
        raise Invalid(message, fields={"": [f"Expected an object, got {type(content).__name__}."]})
    schema = schema_of(shape, unknown=EXCLUDE if tolerant else RAISE)
    try:
        values = schema.load(content)
    except ValidationError as error:
        raise _invalid(flatten(error.messages)) from error
    return build(shape, values)


def _invalid(faults: dict[str, list[str]]) -> Invalid:
    told = sorted(faults)[:FAULTS_TOLD]
    more = "" if len(told) == len(faults) else f" and {len(faults) - len(told)} more"
    message = f"{len(faults)} field(s) cannot be accepted: {', '.join(told)}{more}."
    return Invalid(message, fields={name: faults[name] for name in told})


def build(shape: type[Shape], values: Mapping[str, Any]) -> Shape:
    """Make the dataclass (and those nested in it) from checked values."""
    ready = {}
    for field in dataclasses.fields(shape):  # type: ignore[arg-type]
        if field.name in values:
            ready[field.name] = _built(field.metadata[_KEY], values[field.name])
    return shape(**ready)


def _built(field: fields.Field[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, fields.List):
        return tuple(_built(field.inner, item) for item in value)
    if isinstance(field, fields.Nested):
        return build(_SHAPES[field.schema.__class__], value)
    return value


def dump(value: Any) -> dict[str, Any]:
    """A shape as JSON-ready values.

    Absent optional values are written as null, so that the form is the same every time.
    """
    return _straight(type(value)).write(value)


_STRAIGHT: dict[type[Any], straight.Way] = {}


def _straight(shape: type[Any]) -> straight.Way:
    found = _STRAIGHT.get(shape)
    if found is None:
        found = _STRAIGHT[shape] = straight.Way(shape, _members(shape), _straight_of_nested)
    return found


def _straight_of_nested(field: fields.Nested) -> straight.Way:
    return _straight(_SHAPES[type(field.schema)])


def _members(shape: type[Any]) -> dict[str, fields.Field[Any]]:
    return {field.name: field.metadata[_KEY] for field in dataclasses.fields(shape) if _KEY in field.metadata}


def flatten(messages: Any, prefix: str = "") -> dict[str, list[str]]:
    """Marshmallow's nested messages as `path -> faults`, paths dotted, list indexes in brackets."""
    if isinstance(messages, Mapping):
        flat: dict[str, list[str]] = {}
        for key, value in messages.items():
            if key == "_schema":
                flat |= flatten(value, prefix)
            else:
                path = f"{prefix}[{key}]" if isinstance(key, int) else f"{prefix}.{key}" if prefix else str(key)
                flat |= flatten(value, path)
        return flat
    return {prefix: [str(fault) for fault in messages]}
