"""Sealing personal data: AES-256-GCM with the key's id in front, so that keys can be rotated.

A sealed text is `<key id>.<nonce>.<ciphertext>` (URL-safe base 64). The first key configured seals; any of them opens.
Plain contact data never enters an event, a log or the trace; only sealed texts do.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.kernel.errors import Misconfigured

_NONCE_BYTES = 12
_KEY_BYTES = 32
#: Bound into every ciphertext, so that it opens only where personal data is expected.
_CONTEXT = b"gridwhistle:personal:v1"


class CannotOpen(Exception):
    """The sealed text was made with a key that is not configured, or was altered.

    Configure the key; do not discard the text.
    """


class Sealer:
    """Seals and opens small JSON objects."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """`keys`.

        Key id -> 32 bytes; the first seals. Raises Misconfigured when there is none or one is not 32 bytes.
        """
        if not keys:
            message = "GRIDWHISTLE_CONTACT_KEYS is empty: give at least one `<id>:<base64 of 32 bytes>`"
            raise Misconfigured(message)
        for key_id, key in keys.items():
            if len(key) != _KEY_BYTES:
                message = f"contact key {key_id!r} is {len(key)} bytes long, not {_KEY_BYTES}"
                raise Misconfigured(message)
        self._current = next(iter(keys))
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def from_text(cls, text: str) -> Sealer:
        """Read `id:base64,id:base64`; raises Misconfigured."""
        keys: dict[str, bytes] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            key_id, _, encoded = item.partition(":")
            try:
                keys[key_id] = base64.b64decode(encoded, validate=True)
            except ValueError as error:
                message = f"GRIDWHISTLE_CONTACT_KEYS: key {key_id!r} is not base64"
                raise Misconfigured(message) from error
        return cls(keys)

    def seal(self, content: Mapping[str, Any]) -> str:
        """Encrypt a JSON object."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        body = self._ciphers[self._current].encrypt(nonce, plain, _CONTEXT)
        return ".".join((self._current, _encode(nonce), _encode(body)))

    def open(self, sealed: str) -> dict[str, Any]:
        """Decrypt; raises CannotOpen."""
        key_id, _, rest = sealed.partition(".")
        nonce, _, body = rest.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            message = f"no contact key with id {key_id!r} is configured"
            raise CannotOpen(message)
        try:
            plain = cipher.decrypt(_decode(nonce), _decode(body), _CONTEXT)
        except (InvalidTag, ValueError) as error:
            message = "the sealed text was altered or cut"
            raise CannotOpen(message) from error
        content: dict[str, Any] = json.loads(plain)
        return content


def new_key_text(key_id: str = "k1") -> str:
    """A fresh random key in the form GRIDWHISTLE_CONTACT_KEYS takes."""
    return f"{key_id}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
