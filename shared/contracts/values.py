"""Value shapes that several services' contracts share: where, what proof, how long."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.shapes import choice, ident, instant, number, record, text


@record
class Place:
    """Where a demand is: a grid of the pack, an address in words, or WGS 84 coordinates."""

    grid: str | None = ident(default=None, about="Grid id of the pack 网格编号")
    address: str | None = text(default=None, maximum=500, about="Address in words 地址")
    longitude: float | None = number(default=None, minimum=-180, maximum=180, about="Degrees east, WGS 84")
    latitude: float | None = number(default=None, minimum=-90, maximum=90, about="Degrees north, WGS 84")


@record
class Evidence:
    """Proof of what was done 办理佐证: a photo's reference, a note, a signed form."""

    kind: str = choice("photo", "note", "document", "signature", about="Kind of proof")
    description: str = text(maximum=1_000, about="What it shows 说明")
    reference: str | None = text(default=None, maximum=500, about="Where the file is kept")
    taken_at: datetime | None = instant(default=None, about="When it was taken")
