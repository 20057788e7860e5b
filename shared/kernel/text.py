"""Chinese text made comparable: one folding for matching words, finding places and spotting duplicates.

It must never be used to change what a person wrote: the words are stored as they came, only comparisons are
folded.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from opencc import OpenCC

if TYPE_CHECKING:
    from collections.abc import Callable

#: Folded texts kept in memory; words of a pack and addresses repeat all day.
_KEPT: Final = 4096
#: Longest text kept (characters); a long complaint is folded once and would only push words out.
_KEPT_LENGTH: Final = 64
#: Unicode general categories (first letter) that carry no words: punctuation, separators, controls and
#: invisible marks.
_WORDLESS: Final = frozenset("PZC")
#: Variation selectors change only how the sign before them looks.
_SELECTORS: Final = frozenset(chr(code) for code in range(0xFE00, 0xFE10))


@lru_cache(maxsize=1)
def _simplify() -> Callable[[str], str]:
    # Building the converter reads its dictionaries from disk, so one is kept for the process.
    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert


def _fold(text: str) -> str:
    lowered = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    return lowered if lowered.isascii() else _simplify()(lowered)


_fold_kept = lru_cache(maxsize=_KEPT)(_fold)


def fold(text: str) -> str:
    """Return `text` in NFKC, lower case and simplified characters: 電梯 finds 电梯, ２號樓 finds 2号楼."""
    return _fold_kept(text) if len(text) <= _KEPT_LENGTH else _fold(text)


def squeeze(text: str) -> str:
    """Return the folded text without punctuation and white space."""
    return "".join(
        sign for sign in fold(text) if unicodedata.category(sign)[0] not in _WORDLESS and sign not in _SELECTORS
    )


def fingerprint(text: str) -> str:
    """Return the sha256 (64 hex digits) of the folded text stripped of punctuation and white space.

    Two texts with one fingerprint say the same words. Signs without words (emoji) stay in, so a text is never
    empty only because it has none.
    """
    return hashlib.sha256(squeeze(text).encode("utf-8", "surrogatepass")).hexdigest()
