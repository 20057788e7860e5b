"""The errors that a person may be shown: refusals with a stable code, and their remedy.

Every refusal says what is wrong, where, and what to do. This module never knows HTTP, a database or a broker:
`shared.runtime.problems` turns a refusal into an RFC 9457 answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Refusal(Exception):
    """A request that the rules do not allow. Nothing was stored; mend what `remedy` says and send it again."""

    #: HTTP status that the edge answers with.
    status = 422
    #: Stable kebab-case code that a program may match on; overridden per instance where one class serves many.
    code = "refused"

    def __init__(
        self, what: str, *, code: str | None = None, where: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(what)
        #: What is wrong, one sentence.
        self.what = what
        #: Field, row or object at fault.
        self.where = where
        #: What the sender may do about it.
        self.remedy = remedy
        if code is not None:
            self.code = code


class Invalid(Refusal):
    """The input does not have the shape asked for. `fields` maps each field to its faults; mend those and resend."""

    status = 400
    code = "invalid-input"

    def __init__(self, what: str, *, fields: Mapping[str, Sequence[str]], remedy: str | None = None) -> None:
        super().__init__(what, remedy=remedy or "Correct the fields named and send the request again.")
        #: Field path -> the faults found there.
        self.fields = {name: list(faults) for name, faults in fields.items()}


class NotFound(Refusal):
    """No such thing, or none that this actor may see. Check the id."""

    status = 404
    code = "not-found"


class Conflict(Refusal):
    """The request contradicts what is already stored (for example another body under the same Idempotency-Key)."""

    status = 409
    code = "conflict"


class Stale(Refusal):
    """The object has changed since the caller read it (If-Match). Read it again and decide anew."""

    status = 412
    code = "stale-version"


class IllegalTransition(Refusal):
    """The state machine has no such step from here. Read the matter's state and its allowed actions."""

    status = 409
    code = "illegal-transition"


class Unauthenticated(Refusal):
    """No valid token. Get a token and send it as `Authorization: Bearer`."""

    status = 401
    code = "unauthenticated"


class Forbidden(Refusal):
    """The actor is known but may not do this here. Ask someone whose role and unit allow it."""

    status = 403
    code = "forbidden"


class Misconfigured(Exception):
    """The configuration cannot be used. Correct the variable or file named in the message and start again."""
