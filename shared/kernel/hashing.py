"""Hashes: the trace's chain link, request fingerprints and link tokens. SHA-256 throughout.

The chain's definition is public (docs/trace.md, deploy/examples/verify_trace.py): change it and every old trace
stops verifying.
"""

from __future__ import annotations

import hashlib
import hmac

#: The link before the first one.
GENESIS = "0" * 64


def sha256_hex(data: bytes) -> str:
    """SHA-256 of bytes, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def chain_link(previous: str, position: int, recorded_at: str, body: bytes) -> str:
    """The hash of one trace row: SHA-256 over `<previous>:<position>:<recorded_at>:<sha256 of the stored bytes>`.

    In ASCII; `recorded_at` as `shared.kernel.clock.rfc3339` writes it.
    """
    return sha256_hex(f"{previous}:{position}:{recorded_at}:{sha256_hex(body)}".encode("ascii"))


def link_token(secret: str, purpose: str, subject: str) -> str:
    """A token that lets whoever holds the link do one thing to one object (40 hex digits of HMAC-SHA-256)."""
    return hmac.new(secret.encode(), f"{purpose}:{subject}".encode(), hashlib.sha256).hexdigest()[:40]


def same(one: str, other: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
