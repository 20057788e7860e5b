#!/usr/bin/env python3
"""Verify an exported trace of Gridwhistle: Python's standard library and nothing else (docs/trace.md).

Usage:  verify_trace.py [--head POSITION:HASH] [--after POSITION:HASH] [FILE]      (FILE - or none: standard input)

Reads JSON lines with `position`, `recorded_at`, `previous_hash`, `hash` and `envelope` (text) or `envelope_base64`.
Prints the end of the chain and exits 0 when every link holds; names the first row that does not and exits 1; exits 2
when it cannot read the input.
It must never import Gridwhistle: who distrusts the suite must be able to read and run this alone.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import sys
from pathlib import Path
from typing import IO

GENESIS = "0" * 64


class Broken(Exception):
    """The chain does not hold. The message names the row; ask whoever keeps the trace."""


def sha256(data: bytes) -> str:
    """64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def link(previous: str, position: int, recorded_at: str, body: bytes) -> str:
    """The hash that a row must have."""
    return sha256(f"{previous}:{position}:{recorded_at}:{sha256(body)}".encode())


def body_of(row: dict[str, object]) -> bytes:
    """The stored bytes of a row."""
    if "envelope_base64" in row:
        return base64.b64decode(str(row["envelope_base64"]), validate=True)
    return str(row["envelope"]).encode("utf-8")


def verify(lines: IO[bytes], position: int, previous: str) -> tuple[int, str]:
    """Check every line after a known link; returns the end of the chain. Raises Broken."""
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            at, before, claimed = row["position"], row["previous_hash"], row["hash"]
            recorded_at, body = row["recorded_at"], body_of(row)
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise Broken(f"line {number}: not a row of an exported trace: {error!r}") from error
        if at != position + 1:
            raise Broken(
                f"line {number}: position {at} follows {position}; row {position + 1} is missing or out of place"
            )
        if before != previous:
            raise Broken(f"row {at}: previous_hash is {before}, but the row before has {previous}")
        expected = link(previous, at, recorded_at, body)
        if claimed != expected:
            raise Broken(f"row {at}: hash is {claimed}, but its recorded_at and bytes give {expected}")
        position, previous = at, claimed
    return position, previous


def anchor(text: str) -> tuple[int, str]:
    """`POSITION:HASH` as given on the command line."""
    position, _, digest = text.partition(":")
    if not position.isdigit() or len(digest) != len(GENESIS):
        raise argparse.ArgumentTypeError(f"{text!r} is not POSITION:HASH")
    return int(position), digest


def main() -> int:
    """Read, verify, say what was found."""
    parser = argparse.ArgumentParser(description="Verify an exported trace of Gridwhistle.")
    parser.add_argument("file", nargs="?", default="-", help="exported trace, JSON lines; - is standard input")
    parser.add_argument(
        "--head", type=anchor, help="POSITION:HASH that the trace must end with (published, or kept by you)"
    )
    parser.add_argument("--after", type=anchor, default=(0, GENESIS), help="POSITION:HASH that the first line follows")
    asked = parser.parse_args()
    try:
        with sys.stdin.buffer if asked.file == "-" else Path(asked.file).open("rb") as lines:
            position, digest = verify(lines, *asked.after)
    except OSError as error:
        sys.stderr.write(f"cannot read {asked.file}: {error}\n")
        return 2
    except Broken as error:
        sys.stderr.write(f"BROKEN {error}\n")
        return 1
    if asked.head not in {None, (position, digest)}:
        sys.stderr.write(f"BROKEN the trace ends with {position}:{digest}, not with {asked.head[0]}:{asked.head[1]}\n")
        return 1
    sys.stdout.write(f"OK {position - asked.after[0]} rows; the trace ends with {position}:{digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
