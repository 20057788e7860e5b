"""The values packs are written in, as marshmallow fields whose faults carry a code and a remedy.

It must never know which file a value stands in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any, Final, Self, TypeVar

from jinja2 import Environment, TemplateSyntaxError
from marshmallow import ValidationError, fields

from shared.jurisdiction.territory import Label
from shared.kernel.worktime import InvalidTarget, Target, parse_duration, parse_target

_T = TypeVar("_T")

_IDENT: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
#: Longest id (characters): ids become routing keys and labels.
_IDENT_LENGTH: Final = 64
_JINJA: Final = Environment(autoescape=True)


class Fault(str):
    """A message that knows its code and remedy; marshmallow carries it as text."""

    __slots__ = ("code", "remedy")

    code: str
    remedy: str

    def __new__(cls, what: str, code: str, remedy: str) -> Self:
        """Return the message `what` with its code and remedy."""
        fault = super().__new__(cls, what)
        fault.code = code
        fault.remedy = remedy
        return fault


def refuse(what: str, code: str, remedy: str) -> ValidationError:
    """Return the error to raise for one fault."""
    return ValidationError(Fault(what, code, remedy))


def closest(word: str, known: Iterable[str]) -> str:
    """Return a remedy that names the known words, the likeliest first."""
    names = list(known)
    likely = get_close_matches(word, names, n=1)
    return f"did you mean {likely[0]}?" if likely else f"use one of: {', '.join(names) or '(none)'}"


def one_of(*known: str) -> Callable[[str], None]:
    """Return a validator that allows these words."""

    def check(value: str) -> None:
        if value not in known:
            raise refuse(f"{value!r} is not allowed here", "unknown-value", closest(value, known))

    return check


def at_least(minimum: float, maximum: float | None = None, *, above: bool = False) -> Callable[[float], None]:
    """Return a validator for numbers from `minimum` (above it with `above`) to `maximum`."""
    span = f"{'above' if above else 'at least'} {minimum}" + (f" and at most {maximum}" if maximum is not None else "")

    def check(value: float) -> None:
        low = value <= minimum if above else value < minimum
        if low or (maximum is not None and value > maximum):
            raise refuse(f"{value} is out of range", "out-of-range", f"give a number {span}")

    return check


class _Value(fields.Field[_T]):
    """A field that only looks at its own value."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> _T:
        del attr, data, kwargs
        return self._read(value)

    def read(self, value: object) -> _T:
        """Return the value read. Raises ValidationError holding faults."""
        return self._read(value)

    def _read(self, value: object) -> _T:
        raise NotImplementedError


class Text(_Value[str]):
    """Words; numbers that YAML read as numbers are refused with the advice to quote them."""

    def _read(self, value: object) -> str:
        if not isinstance(value, str):
            raise refuse(f"{value!r} is not text", "wrong-type", "write it as text, in quotes")
        if not value.strip():
            raise refuse("it is empty", "empty", "write at least one word, or leave the field out")
        return value


class Ident(Text):
    """An id: lower-case latin letters, digits and single hyphens."""

    def _read(self, value: object) -> str:
        text = super()._read(value)
        if len(text) > _IDENT_LENGTH or not _IDENT.fullmatch(text):
            raise refuse(
                f"{text!r} is not an id",
                "not-an-id",
                f"use lower-case letters, digits and hyphens, at most {_IDENT_LENGTH}",
            )
        return text


class Names(_Value[Label]):
    """A name people read: `{zh: …, en: …}` with en optional, or Chinese alone."""

    def _read(self, value: object) -> Label:
        parts = {"zh": value} if isinstance(value, str) else value
        if not isinstance(parts, Mapping) or "zh" not in parts or set(parts) - {"zh", "en"}:
            raise refuse(f"{value!r} is not a name", "not-a-name", "write {zh: 中文, en: English}; en may be left out")
        texts = {key: text for key, text in parts.items() if isinstance(text, str) and text.strip()}
        if len(texts) != len(parts):
            raise refuse(f"{value!r} has a part that is not text", "not-a-name", "write {zh: 中文, en: English}")
        return Label(texts["zh"], texts.get("en", texts["zh"]))


class TemplateText(Names):
    """A name whose parts are jinja2 templates."""

    def _read(self, value: object) -> Label:
        label = super()._read(value)
        for language, text in (("zh", label.zh), ("en", label.en)):
            try:
                _JINJA.parse(text)
            except TemplateSyntaxError as error:
                what = f"{language}, line {error.lineno}: {error.message}"
                raise refuse(what, "template-syntax", "correct the jinja2 expression") from error
        return label


class Several(_Value[tuple[str, ...]]):
    """One or several words: a list, or a single word for a list of one."""

    def __init__(self, item: Text | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._item = item or Text()

    def _read(self, value: object) -> tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list):
            raise refuse(f"{value!r} is not a list of words", "wrong-type", "write [one, two]")
        words, wrong = [], {}
        for index, word in enumerate(values):
            try:
                words.append(self._item.read(word))
            except ValidationError as error:
                wrong[index] = error.messages
        if wrong:
            raise ValidationError(wrong)
        return tuple(words)


class TargetField(_Value[Target]):
    """A target of time, as `shared.kernel.worktime.parse_target` reads it."""

    def _read(self, value: object) -> Target:
        try:
            return parse_target(value)
        except InvalidTarget as error:
            raise refuse(error.what, error.code, error.remedy) from error


_IDENT_FIELD: Final = Ident()
_TARGET_FIELD: Final = TargetField()


class Clocks(_Value[dict[str, Target]]):
    """Clock kind -> target, at least one."""

    def _read(self, value: object) -> dict[str, Target]:
        if not isinstance(value, Mapping) or not value:
            raise refuse(f"{value!r} holds no clocks", "wrong-type", "write {accept: {working: 1h}, resolve: …}")
        clocks: dict[str, Target] = {}
        wrong = {}
        for kind, target in value.items():
            try:
                clocks[_IDENT_FIELD.read(kind)] = _TARGET_FIELD.read(target)
            except ValidationError as error:
                wrong[kind] = error.messages
        if wrong:
            raise ValidationError(wrong)
        return clocks


class Duration(_Value[timedelta]):
    """A stretch of wall-clock time: 30s, 15m, 2h, 7d."""

    def _read(self, value: object) -> timedelta:
        try:
            return timedelta(seconds=parse_duration(value))
        except InvalidTarget as error:
            raise refuse(error.what, error.code, error.remedy) from error


class Day(_Value[date]):
    """A date, 2025-10-01."""

    def _read(self, value: object) -> date:
        try:
            return date.fromisoformat(value if isinstance(value, str) else "")
        except ValueError as error:
            raise refuse(f"{value!r} is not a date", "not-a-date", "write it like 2025-10-01") from error


class Flag(_Value[bool]):
    """true or false; yes, no, 1 and 0 are refused."""

    def _read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise refuse(f"{value!r} is neither true nor false", "wrong-type", "write true or false, without quotes")
        return value


class Number(_Value[float]):
    """A number; with `whole` an integer."""

    def __init__(self, *, whole: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._whole = whole

    def _read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int if self._whole else int | float):
            kind = "a whole number" if self._whole else "a number"
            raise refuse(f"{value!r} is not {kind}", "wrong-type", f"write {kind}, without quotes")
        return value
