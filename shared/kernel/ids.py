"""Ids: uuid7 for everything that is stored, and unguessable codes for what a resident types from a slip of paper.

uuid7 takes its random bits from the operating system, so two processes on one machine never collide.
"""

from __future__ import annotations

import secrets
from typing import Protocol

import uuid_utils

#: Crockford's base 32 without I, L, O, U: nothing that a reader could take for another sign.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: 16 signs of 5 bits: 80 bits, out of reach of guessing over HTTP.
_CODE_LENGTH = 16


class Ids(Protocol):
    """Where new ids and codes come from."""

    def new(self) -> str:
        """A fresh uuid7, canonical text form."""
        ...

    def code(self) -> str:
        """A fresh unguessable tracking code, `XXXX-XXXX-XXXX-XXXX`."""
        ...


class RandomIds:
    """Ids for real use."""

    def new(self) -> str:
        """A fresh uuid7, canonical text form."""
        return str(uuid_utils.uuid7())

    def code(self) -> str:
        """A fresh unguessable tracking code, `XXXX-XXXX-XXXX-XXXX`."""
        signs = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
        return "-".join(signs[i : i + 4] for i in range(0, _CODE_LENGTH, 4))


class SequentialIds:
    """Predictable ids for tests: 1, 2, 3 … in the shape of the real ones."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        """The next id, uuid-shaped."""
        self._last += 1
        return f"00000000-0000-7000-8000-{self._last:012d}"

    def code(self) -> str:
        """The next code, in the shape of a tracking code."""
        self._last += 1
        signs = f"{self._last:016d}"
        return "-".join(signs[i : i + 4] for i in range(0, _CODE_LENGTH, 4))


def normal_code(text: str) -> str:
    """A tracking code as typed -> as stored: case, spaces and hyphens do not matter, O reads as 0, I and L as 1."""
    signs = "".join(text.split()).replace("-", "").upper().translate(str.maketrans("OIL", "011"))
    return "-".join(signs[i : i + 4] for i in range(0, len(signs), 4))
