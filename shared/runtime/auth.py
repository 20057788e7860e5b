"""Who asks: JSON Web Tokens of the local issuer. OIDC takes the issuer's place in production (issue: identity).

A token carries `sub`, `roles`, `unit`, `iss`, `aud`, `exp`; anything missing, expired or foreign is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt

from shared.kernel.actor import ANONYMOUS, ROLE_PERMISSIONS, Actor
from shared.kernel.clock import Clock
from shared.kernel.errors import Unauthenticated
from shared.kernel.hashing import sha256_hex

_ALGORITHM = "HS256"
#: Tokens remembered as checked; people come back with theirs all day.
_REMEMBERED = 4_096
#: Longest id of a person or system, characters: ids of events and columns hold no more.
_SUBJECT_LIMIT = 200
_REMEDY = "Get a fresh token (`gridwhistle token PERSON`) and send it as `Authorization: Bearer <token>`."


@dataclass(frozen=True, kw_only=True)
class Gatekeeper:
    """Issues and checks local tokens."""

    secret: str
    issuer: str
    audience: str
    clock: Clock
    #: Digest of a token that was found good -> whose it is, and until when. Never the token itself.
    _good: dict[str, tuple[Actor, datetime]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def issue(self, *, subject: str, roles: frozenset[str], unit: str | None, lasting: timedelta) -> str:
        """A signed token for a person or system. Raises ValueError for a role that grants nothing."""
        unknown = roles - ROLE_PERMISSIONS.keys()
        if unknown:
            message = f"unknown role(s): {', '.join(sorted(unknown))}"
            raise ValueError(message)
        now = self.clock.now()
        claims = {
            "iss": self.issuer, "aud": self.audience, "sub": subject, "roles": sorted(roles), "unit": unit,
            "iat": int(now.timestamp()), "exp": int((now + lasting).timestamp()),
        }  # fmt: skip
        return jwt.encode(claims, self.secret, algorithm=_ALGORITHM)

    def identify(self, authorization: str | None) -> Actor:
        """The actor of an Authorization header; ANONYMOUS without one. Raises Unauthenticated."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "The Authorization header is not a bearer token."
            raise Unauthenticated(message, where="Authorization", remedy=_REMEDY)
        digest = sha256_hex(token.encode("utf-8", "surrogatepass"))
        if digest in self._good:
            actor, until = self._good[digest]
            self._check_expiry(until)
            return actor
        actor, until = self._read(token.strip())
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        self._good[digest] = actor, until
        return actor

    def _read(self, token: str) -> tuple[Actor, datetime]:
        """Whose token it is, and until when. Raises Unauthenticated."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self.secret, algorithms=[_ALGORITHM], audience=self.audience, issuer=self.issuer,
                options={"require": ["exp", "iss", "aud", "sub"], "verify_exp": False, "verify_iat": False},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            message = f"The token was not issued for this suite: {error}."
            raise Unauthenticated(message, code="invalid-token", where="Authorization", remedy=_REMEDY) from error
        until = _instant(claims["exp"], self.clock)
        self._check_expiry(until)
        subject = claims["sub"]
        if not (0 < len(subject.strip()) <= _SUBJECT_LIMIT and subject.isprintable()):
            message = "The token's subject cannot be kept as somebody's id."
            raise Unauthenticated(message, code="invalid-token", where="Authorization", remedy=_REMEDY)
        roles = claims.get("roles")
        unit = claims.get("unit")
        if not isinstance(roles, list) or not isinstance(unit, str | None):
            message = "The token carries no list of roles."
            raise Unauthenticated(message, code="invalid-token", where="Authorization", remedy=_REMEDY)
        return Actor(id=subject, roles=frozenset(map(str, roles)), unit=unit), until

    def _check_expiry(self, until: datetime) -> None:
        if self.clock.now() >= until:
            message = "The token has expired."
            raise Unauthenticated(message, code="expired-token", where="Authorization", remedy=_REMEDY)


def _instant(seconds: Any, clock: Clock) -> datetime:
    try:
        return datetime.fromtimestamp(float(seconds), tz=clock.now().tzinfo)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        message = "The token's expiry cannot be read."
        raise Unauthenticated(message, code="invalid-token", where="Authorization", remedy=_REMEDY) from error
