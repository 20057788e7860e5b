"""Repeated requests: what was answered under an Idempotency-Key is kept, and given again instead of being done twice.

What is kept is sealed: replies hold tracking codes. A key belongs to one command and one actor. Whoever comes without a
token is told apart by what the command takes as proof (a tracking code, an evaluation), so strangers do not meet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, bindparam, select

from shared.kernel.actor import ANONYMOUS
from shared.kernel.errors import Conflict, Invalid
from shared.kernel.hashing import sha256_hex
from shared.kernel.sealing import CannotOpen
from shared.ledger.dialects import upsert
from shared.ledger.fixed import Fixed
from shared.ledger.tables import idempotency
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Command, Reply

#: Longest key, characters.
_KEY_LIMIT = 200
_SEALED = "sealed"


def check_key(key: str) -> None:
    """Raise Invalid for a key that is empty, too long, or not printable."""
    if not (0 < len(key) <= _KEY_LIMIT and key.isprintable()):
        message = f"The Idempotency-Key must have 1 to {_KEY_LIMIT} printable characters."
        raise Invalid(message, fields={"Idempotency-Key": [message]})


def earlier(work: UnitOfWork, command: Command, key: str, content: Any) -> Reply | None:
    """The reply given before under this key; None when it is new, and then claimed. Raises Conflict.

    Insert first: of two twins the second waits here for the first one's commit and then finds its reply.
    """
    fingerprint = _fingerprint(content)
    actor = _whose(work, command, content)
    this = {"actor": actor, "command": command.name, "key": key}
    claim = this | {"fingerprint": fingerprint, "reply": {}, "created_at": work.now}
    if _CLAIM.count(work.db, claim):
        return None
    row = _EARLIER.first(work.db, _of(this))
    if row.fingerprint != fingerprint:
        message = f"Idempotency-Key {key!r} was used with another body."
        raise Conflict(
            message, code="idempotency-key-reused", where="Idempotency-Key",
            remedy="Send the first body again, or a new key for a new request.",
        )  # fmt: skip
    try:
        kept = work.at_hand.sealer.open(row.reply[_SEALED])
    except CannotOpen as error:
        message = f"Idempotency-Key {key!r} was used; what was answered then can no longer be read."
        raise Conflict(
            message, code="reply-no-longer-kept", where="Idempotency-Key",
            remedy="It was done; read the object to see how it stands.",
        ) from error  # fmt: skip
    return Reply(body=kept["body"], version=kept["version"], created=False)


def keep(work: UnitOfWork, command: Command, key: str, content: Any, reply: Reply) -> None:
    """Keep the reply under the key claimed by `earlier`."""
    sealed = work.at_hand.sealer.seal({"body": dict(reply.body), "version": reply.version})
    this = {"actor": _whose(work, command, content), "command": command.name, "key": key}
    _KEEP.later(work.db, _of(this) | {"reply": {_SEALED: sealed}})


_CLAIM = Fixed(
    lambda dialect: upsert(dialect, idempotency).on_conflict_do_nothing(),
    columns=("actor", "command", "key", "fingerprint", "reply", "created_at"),
)
_THIS = and_(*(idempotency.c[name] == bindparam(f"of_{name}") for name in ("actor", "command", "key")))
_EARLIER = Fixed(select(idempotency.c.fingerprint, idempotency.c.reply).where(_THIS))
_KEEP = Fixed(idempotency.update().where(_THIS), columns=("reply",))


def _of(this: Mapping[str, str]) -> dict[str, Any]:
    return {f"of_{name}": value for name, value in this.items()}


def _whose(work: UnitOfWork, command: Command, content: Mapping[str, Any]) -> str:
    if work.actor is not ANONYMOUS or command.proof is None:
        return work.actor.id
    return f"{ANONYMOUS.id}:{sha256_hex(str(content[command.proof]).encode())}"


def _fingerprint(content: Any) -> str:
    return sha256_hex(json.dumps(content, ensure_ascii=False, sort_keys=True, default=str).encode())
