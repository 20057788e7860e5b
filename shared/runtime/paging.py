"""Pages of lists: how many rows, and from where on. The same words and limits in every service."""

from __future__ import annotations

from collections.abc import Mapping

from shared.kernel.errors import Invalid

#: Rows of a page when the caller does not say, and at most.
PAGE, MOST = 50, 200
#: Longest number read at all, digits; Python refuses to read thousands of them, and no 64-bit position has more.
_DIGITS = 18


def limit_of(parameters: Mapping[str, str]) -> int:
    """`limit` of a list request. Raises Invalid."""
    limit = _whole(parameters.get("limit", str(PAGE)))
    if limit is None or not 1 <= limit <= MOST:
        fault = f"Must be a whole number from 1 to {MOST}."
        raise Invalid(fault, fields={"limit": [fault]})
    return limit


def position_of(parameters: Mapping[str, str]) -> int:
    """`cursor` of a list whose cursor is a position, 0 without one. Raises Invalid."""
    position = _whole(parameters.get("cursor", "0"))
    if position is None:
        fault = "Not a cursor of this list."
        raise Invalid(
            fault, fields={"cursor": [fault]}, remedy="Send the `next` of the last page, or leave the cursor out."
        )
    return position


def _whole(text: str) -> int | None:
    # isdigit alone would let ² through.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
