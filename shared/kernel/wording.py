"""The words people read: gettext catalogues, Chinese first, English beside it.

`say("report.title", street="建外街道")` gives the Chinese text, `say(…, locale="en")` the English one. Keys
are stable English names, `<area>.<thing>`; the texts stand in `shared/locale/<locale>/LC_MESSAGES/`:
gridwhistle.po for what all share, one further file per area. They are read as they are, so that a clone works
without a build step and translators use any gettext editor.
It must never be given words of residents as a key, and it never escapes: the template that shows a text does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from babel.core import negotiate_locale
from babel.messages.pofile import read_po

from shared.kernel.errors import Misconfigured

#: The language that every text exists in, and that is shown to whoever asks for none we have.
DEFAULT = "zh_CN"
#: The languages there are, the default first.
LOCALES = (DEFAULT, "en")

_FOLDER = Path(__file__).resolve().parents[1] / "locale"


class UnknownWording(KeyError):
    """No catalogue has this key: a bug of ours. Add the key to the .po files of every locale."""


def say(key: str, locale: str = DEFAULT, **values: object) -> str:
    """The text of `key` with `{name}` places filled from `values`. Raises UnknownWording.

    A locale without the key falls back to Chinese, so that a half-finished translation still reads.
    """
    text = catalogue(locale).get(key) or catalogue(DEFAULT).get(key)
    if text is None:
        raise UnknownWording(key)
    return text.format_map(values) if values else text


def has(key: str) -> bool:
    """Whether there is a text for `key`: for codes that may be ours or a pack's own."""
    return key in catalogue(DEFAULT)


def choose(accept_language: str | None) -> str:
    """The locale for an HTTP `Accept-Language` header; the default when it names none of ours."""
    wished = []
    for part in (accept_language or "").split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wished.append((-float(weight or 1), tag.replace("-", "_")))
        except ValueError:
            continue  # a malformed wish is no wish
    tags = [tag for weight, tag in sorted(wished, key=lambda pair: pair[0]) if weight < 0 and tag]
    wanted = [DEFAULT if tag.lower().startswith("zh") else tag for tag in tags]
    found = negotiate_locale(wanted, list(LOCALES))
    return found or DEFAULT


@lru_cache
def catalogue(locale: str) -> Mapping[str, str]:
    """Every key of a locale with its text. Raises Misconfigured when two files have the same key."""
    if locale not in LOCALES:
        return catalogue(DEFAULT)
    texts: dict[str, str] = {}
    for path in sorted((_FOLDER / locale / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=locale, abort_invalid=True):
                if not message.id or not message.string or message.fuzzy:
                    continue  # the header, or not translated yet
                key = str(message.id)
                if key in texts:
                    raise Misconfigured(f"{path.name} ({locale}): {key!r} is there already; keep one.")
                texts[key] = str(message.string)
    if not texts:
        raise Misconfigured(f"No catalogue for {locale}: the .po files of shared/locale are missing.")
    return MappingProxyType(texts)
