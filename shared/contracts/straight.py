"""The straight way through a shape: what is plainly right is read and written without ceremony.

Made once per shape from its marshmallow fields. Reading accepts only what marshmallow would accept with the same
result, and raises NotStraight for everything else: that is no verdict, marshmallow then gives it. A shape with a field
or validator that is not known here is never read straight, so nothing can be let through by mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any

from marshmallow import ValidationError, fields, validate

from shared.contracts.wire_fields import Flag, FreeObject, Instant, Text, has_half
from shared.kernel.clock import rfc3339

#: (value, tolerant) -> the value as the shape holds it; raises NotStraight.
Read = Callable[[Any, bool], Any]
#: Value -> the value as JSON has it.
Write = Callable[[Any], Any]
#: Integers up to here are exact as floats.
_EXACT = 2**53
_MISSING = object()
_NOTHING: frozenset[type[Any]] = frozenset()
#: Types whose values are written as they are, by kind of field; others go through the field's own serialisation.
_PLAIN: dict[type[fields.Field[Any]], frozenset[type[Any]]] = {
    Text: frozenset({str, type(None)}),
    fields.Float: frozenset({float, type(None)}),
    fields.Integer: frozenset({int, type(None)}),
    Flag: frozenset({bool, type(None)}),
}


class NotStraight(Exception):
    """Something is out of the ordinary, right or wrong. Ask marshmallow."""


class Way:
    """How one shape is read and written. `nested` finds the way of a field that holds another shape."""

    def __init__(
        self, shape: type[Any], members: Mapping[str, fields.Field[Any]], nested: Callable[[fields.Nested], Way]
    ) -> None:
        self.shape = shape
        self._nested = nested
        self._writers = tuple(
            (name, _PLAIN.get(type(field), _NOTHING), self._writer(field)) for name, field in members.items()
        )
        try:
            self._readers = tuple((name, field.required, self._reader(field)) for name, field in members.items())
        except NotStraight:
            self._readers = (("", True, _refuse),)

    def read(self, content: Any, *, tolerant: bool) -> Any:
        """Build the shape; unknown members are left out when tolerant. Raises NotStraight."""
        if type(content) is not dict:
            raise NotStraight
        values = {}
        for name, required, read in self._readers:
            value = content.get(name, _MISSING)
            if value is not _MISSING:
                values[name] = read(value, tolerant)
            elif required:
                raise NotStraight
        if len(values) != len(content) and not tolerant:
            raise NotStraight
        return self.shape(**values)

    def write(self, value: Any) -> dict[str, Any]:
        """The shape's members as JSON has them, in their order."""
        content = {}
        for name, plain, write in self._writers:
            member = getattr(value, name)
            content[name] = member if type(member) in plain else write(member)
        return content

    # -- reading ---------------------------------------------------------------------------------------------------

    def _reader(self, field: fields.Field[Any]) -> Read:
        read = self._plain_reader(field)
        if not field.allow_none:
            return read
        return lambda value, tolerant: None if value is None else read(value, tolerant)

    def _plain_reader(self, field: fields.Field[Any]) -> Read:
        if field.data_key is not None or field.attribute is not None or field.pre_load or field.post_load:
            raise NotStraight
        if isinstance(field, fields.List):
            return self._list(field)
        if isinstance(field, fields.Nested) and not field.many and not field.validators:
            return lambda value, tolerant: self._nested(field).read(value, tolerant=tolerant)
        return _SCALARS.get(type(field), _unknown)(field)

    def _list(self, field: fields.List[Any]) -> Read:
        least, most = _length(field)
        item = self._reader(field.inner)

        def read(value: Any, tolerant: bool) -> tuple[Any, ...]:  # noqa: FBT001 -- of the form Read
            if type(value) is not list or not least <= len(value) <= most:
                raise NotStraight
            return tuple([item(each, tolerant) for each in value])

        return read

    # -- writing ---------------------------------------------------------------------------------------------------

    def _writer(self, field: fields.Field[Any]) -> Write:
        if isinstance(field, Instant):
            return lambda value: None if value is None else rfc3339(value)
        if isinstance(field, fields.List):
            plain, item = _PLAIN.get(type(field.inner), _NOTHING), self._writer(field.inner)
            return lambda value: (
                None if value is None else [each if type(each) in plain else item(each) for each in value]
            )
        if isinstance(field, fields.Nested):
            return lambda value: None if value is None else self._nested(field).write(value)
        # The attribute's name and the object are asked for by the signature and used by none of our fields.
        return lambda value: field._serialize(value, None, None)  # noqa: SLF001 -- what a field exists to override


def _unknown(_field: fields.Field[Any]) -> Read:
    raise NotStraight


def _without_rules(field: fields.Field[Any], read: Read) -> Read:
    if field.validators:
        raise NotStraight
    return read


def _refuse(_value: Any, _tolerant: bool) -> Any:  # noqa: FBT001 -- of the form Read
    raise NotStraight


def _text(field: fields.Field[Any]) -> Read:
    most, allowed, required = inf, None, field.required
    for rule in field.validators:
        if isinstance(rule, validate.OneOf):
            allowed = frozenset(rule.choices)
        elif isinstance(rule, validate.Length) and rule.max is not None and rule.min is None and rule.equal is None:
            most = min(most, rule.max)
        else:
            raise NotStraight

    def read(value: Any, _tolerant: bool) -> str:  # noqa: FBT001 -- of the form Read
        if (
            type(value) is not str
            or len(value) > most
            or (allowed is not None and value not in allowed)
            or "\x00" in value
            or has_half(value)
            or (required and not value.strip())
        ):
            raise NotStraight
        return value

    return read


def _flag(field: fields.Field[Any]) -> Read:
    def read(value: Any, _tolerant: bool) -> bool:  # noqa: FBT001 -- of the form Read
        if value is True or value is False:
            return value
        raise NotStraight

    return _without_rules(field, read)


def _number(field: fields.Field[Any]) -> Read:
    least, most = -inf, inf
    for rule in field.validators:
        if not (isinstance(rule, validate.Range) and rule.min_inclusive and rule.max_inclusive):
            raise NotStraight
        least = least if rule.min is None else max(least, rule.min)
        most = most if rule.max is None else min(most, rule.max)
    whole = isinstance(field, fields.Integer)
    if whole != getattr(field, "strict", False) or getattr(field, "allow_nan", False):
        raise NotStraight

    def read(value: Any, _tolerant: bool) -> float:  # noqa: FBT001 -- of the form Read
        if type(value) is int:
            if least <= value <= most and (whole or -_EXACT <= value <= _EXACT):
                return value if whole else float(value)
        elif type(value) is float and not whole and isfinite(value) and least <= value <= most:
            return value
        raise NotStraight

    return read


def _by_itself(field: fields.Field[Any]) -> Read:
    """As the field itself reads it; its refusal is told by marshmallow."""

    def read(value: Any, _tolerant: bool) -> Any:  # noqa: FBT001 -- of the form Read
        try:
            return field.deserialize(value)
        except ValidationError as error:
            raise NotStraight from error

    return _without_rules(field, read)


def _free_object(field: fields.Field[Any]) -> Read:
    judged = _by_itself(field)

    def read(value: Any, tolerant: bool) -> Any:  # noqa: FBT001 -- of the form Read
        return {} if value == {} else judged(value, tolerant)

    return read


def _length(field: fields.Field[Any]) -> tuple[float, float]:
    least, most = 0.0, inf
    for rule in field.validators:
        if not isinstance(rule, validate.Length) or rule.equal is not None:
            raise NotStraight
        least = max(least, rule.min or 0)
        most = min(most, inf if rule.max is None else rule.max)
    return least, most


_SCALARS: dict[type[fields.Field[Any]], Callable[[fields.Field[Any]], Read]] = {
    Text: _text, Flag: _flag, fields.Float: _number, fields.Integer: _number, Instant: _by_itself,
    FreeObject: _free_object,
}  # fmt: skip
