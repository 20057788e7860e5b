"""The kinds of values on our wires, as marshmallow fields: what may be stored and shown, and nothing else.

They judge one value each; how values make a shape is `shared.contracts.shapes`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import fields

from shared.kernel.clock import parse_instant, rfc3339

#: Instants accepted, years: outside them lies a slip of the pen, and databases and calendars disagree about the rest.
FIRST_YEAR, LAST_YEAR = 1900, 2199
#: Objects and lists inside one another in a free object at most; writing deeper ones would exhaust the stack.
DEPTH_LIMIT = 32


class Instant(fields.Field[datetime]):
    """An aware UTC instant, RFC 3339 on the wire."""

    default_error_messages = {  # noqa: RUF012 -- marshmallow's own class-level convention
        "invalid": "Not an RFC 3339 instant with offset, such as 2026-11-22T09:30:00+08:00.",
        "range": f"Not between the years {FIRST_YEAR} and {LAST_YEAR}.",
    }

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        del attr, obj, kwargs
        return None if value is None else rfc3339(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        del attr, data, kwargs
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            parsed = parse_instant(value)
        except ValueError as error:
            raise self.make_error("invalid") from error
        if not FIRST_YEAR <= parsed.year <= LAST_YEAR:
            raise self.make_error("range")
        return parsed


class Text(fields.String):
    """A string that can be stored and shown: no NUL, no lone surrogates, not blank where it is required."""

    default_error_messages = {  # noqa: RUF012 -- marshmallow's own class-level convention
        "unstorable": "Contains a character that cannot be stored (NUL or half of a surrogate pair).",
        "blank": "May not be blank.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        checked: str = super()._deserialize(value, attr, data, **kwargs)
        if "\x00" in checked or has_half(checked):
            raise self.make_error("unstorable")
        if self.required and not checked.strip():
            raise self.make_error("blank")
        return checked


class Flag(fields.Boolean):
    """A JSON true or false and nothing else: to Python, 1 and 1.0 equal True."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        del attr, data, kwargs
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class FreeObject(fields.Dict):
    """A JSON object of any content that can be written again: encoded in UTF-8, and not nested without end."""

    default_error_messages = {  # noqa: RUF012 -- marshmallow's own class-level convention
        "deep": f"Nested more than {DEPTH_LIMIT} levels deep.",
        "unstorable": "Contains half of a surrogate pair.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[Any, Any]:
        checked: dict[Any, Any] = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        level: list[Any] = [checked]
        for _ in range(DEPTH_LIMIT):
            texts = [one for one in level if isinstance(one, str)]
            texts += [key for one in level if isinstance(one, dict) for key in one]
            if any(map(has_half, texts)):
                raise self.make_error("unstorable")
            level = [
                inner
                for one in level
                if isinstance(one, dict | list)
                for inner in (one.values() if isinstance(one, dict) else one)
            ]
            if not level:
                return checked
        raise self.make_error("deep")


def has_half(text: str) -> bool:
    """Whether a text contains half of a surrogate pair: the one thing in a Python string that UTF-8 cannot say."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
