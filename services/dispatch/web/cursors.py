"""Cursors of lists that are sorted by an instant and an id: where the next page begins, opaque to who asks."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime

from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.errors import Invalid


def cursor_to(instant: datetime, last_id: str) -> str:
    """The cursor behind this row."""
    return base64.urlsafe_b64encode(f"{rfc3339(instant)}|{last_id}".encode()).decode()


def cursor_of(parameters: Mapping[str, str]) -> tuple[datetime, str] | None:
    """The row that the page begins behind; None for the first page. Raises Invalid."""
    given = parameters.get("cursor") or None
    if given is None:
        return None
    try:
        instant, _, last_id = base64.urlsafe_b64decode(given.encode()).decode().partition("|")
        return parse_instant(instant), last_id
    except (binascii.Error, ValueError) as error:
        fault = "Not a cursor of this list."
        raise Invalid(
            fault, fields={"cursor": [fault]}, remedy="Send the `next` of the last page, or leave it out."
        ) from error
