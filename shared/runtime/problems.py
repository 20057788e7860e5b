"""Errors as RFC 9457 problem details: a stable code, what is wrong, where, what to do. Nothing internal ever leaks."""

from __future__ import annotations

import json
from typing import Any

from werkzeug import Response

from shared.kernel.errors import Invalid, Refusal

CONTENT_TYPE = "application/problem+json"
#: Where the codes are explained; relative, so that no host name is baked in.
_TYPE_PREFIX = "/problems/"
_RETRY_AFTER_S = 5


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """A problem answer."""
    body = {
        "type": _TYPE_PREFIX + code,
        "title": code.replace("-", " "),
        "status": status,
        "code": code,
        "detail": detail,
    }
    body |= {key: value for key, value in more.items() if value is not None}
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", errors="replace")
    response = Response(text, status=status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def of_refusal(refusal: Refusal) -> Response:
    """The answer to a refused request."""
    response = problem(
        refusal.status, refusal.code, refusal.what, where=refusal.where, remedy=refusal.remedy,
        errors=refusal.fields if isinstance(refusal, Invalid) else None,
    )  # fmt: skip
    if refusal.status == 401:  # noqa: PLR2004 -- RFC 9110: a 401 names the scheme
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def unavailable(detail: str) -> Response:
    """The answer while a database or broker is away: nothing was stored, come back."""
    response = problem(
        503, "temporarily-unavailable", detail, remedy="Nothing was stored. Send it again in a few seconds."
    )
    response.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return response


def internal(reference: str) -> Response:
    """The answer to a bug: a reference that operators find in the log, and nothing else."""
    return problem(
        500, "internal-error", "Something went wrong on our side; nothing was stored.", reference=reference,
        remedy="Try again; if it happens again, give the reference to the operator.",
    )  # fmt: skip
