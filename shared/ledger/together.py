"""Several messages in one transaction: what each of them may do, decided before any handler runs. Pure.

The broker hands messages over in any order. Within one stream they are put into the order of their versions; whose turn
has come is applied, what came too early is parked, what was applied before is dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.contracts.envelope import Envelope


@dataclass(frozen=True, kw_only=True)
class Message:
    """A decoded message, and where it stood among those handed over."""

    index: int
    envelope: Envelope
    raw: bytes


@dataclass(kw_only=True)
class Plan:
    """What becomes of each message."""

    #: Whose turn has come, in the order to handle them.
    turn: list[Message] = field(default_factory=list)
    early: list[Message] = field(default_factory=list)
    repeated: list[Message] = field(default_factory=list)
    #: Stream -> version after this transaction, for streams that move.
    versions: dict[str, int] = field(default_factory=dict)


def in_order(messages: Sequence[Message]) -> list[Message]:
    """The messages with those of each stream in the order of their versions, each stream keeping its places."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, message in enumerate(messages):
        places[message.envelope.stream].append(place)
    ordered = list(messages)
    for mine in places.values():
        by_version = sorted((messages[place] for place in mine), key=lambda message: message.envelope.streamversion)
        for place, message in zip(mine, by_version, strict=True):
            ordered[place] = message
    return ordered


def plan(messages: Sequence[Message], positions: Mapping[str, int]) -> Plan:
    """Decide by the streams' positions (version applied last).

    Version 0 belongs to no stream and always has its turn.
    """
    made = Plan()
    for message in in_order(messages):
        stream, version = message.envelope.stream, message.envelope.streamversion
        if version == 0:
            made.turn.append(message)
            continue
        position = made.versions.get(stream, positions[stream])
        if version <= position:
            made.repeated.append(message)
        elif version == position + 1:
            made.versions[stream] = version
            made.turn.append(message)
        else:
            made.early.append(message)
    return made
