"""HTTP on top of an application: werkzeug request in, werkzeug response out. No nameko, no eventlet.

JSON in UTF-8, problem details for every refusal, Idempotency-Key on creating POSTs, ETag and If-Match, bearer tokens,
a correlation id in and out. Routes for people take forms and answer with pages. Both modes and the tests use exactly
this.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import uuid_utils
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from shared.kernel import strict_json
from shared.kernel.errors import Invalid, Refusal
from shared.ledger.errors import Transient
from shared.runtime import pages, problems
from shared.runtime.application import Application
from shared.runtime.auth import Gatekeeper
from shared.runtime.definition import Reply, Route

log = logging.getLogger(__name__)

#: Largest body of a command, bytes.
BODY_LIMIT = 1_048_576
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"')
_FORM = "application/x-www-form-urlencoded"
#: The hidden field of a form that stands for the header Idempotency-Key.
_KEY_FIELD = "idempotency-key"
#: Fields of a form at most.
_FIELD_LIMIT = 200


class TooLarge(Refusal):
    """The body is larger than accepted. Send less, or attach a file."""

    status = 413
    code = "body-too-large"


class WrongMediaType(Refusal):
    """The body is neither JSON nor a form. Send the `Content-Type` that the remedy names."""

    status = 415
    code = "unsupported-media-type"


def answer(
    application: Application, gatekeeper: Gatekeeper, route: Route, request: Request, path: Mapping[str, Any]
) -> Response:
    """Answer one request on one route; never raises."""
    correlation = correlation_id(request)
    try:
        response = _answer(
            application, gatekeeper, route, request, {key: str(value) for key, value in path.items()}, correlation
        )
    except Refusal as refusal:
        response = problems.of_refusal(refusal)
    except Transient as error:
        log.warning("not available", extra={"correlation_id": correlation, "error": str(error)})
        response = problems.unavailable(f"The database of {application.name} {error.state}.")
    except HTTPException as error:
        response = problems.problem(
            error.code or 400, "bad-request", error.description or "The request cannot be read."
        )
    except Exception:  # the HTTP boundary: a bug becomes a 500 that says nothing internal
        log.exception("request failed", extra={"correlation_id": correlation, "route": route.path})
        response = problems.internal(correlation)
    response = fitting(route, response)
    response.headers["X-Correlation-ID"] = correlation
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def fitting(route: Route, response: Response) -> Response:
    """The same answer in the form that the route's users can read: a problem becomes a page on a route for people."""
    if route.people is not None and response.mimetype == problems.CONTENT_TYPE:
        return pages.of_problem(response, route.people)
    return response


def correlation_id(request: Request) -> str:
    """The caller's X-Correlation-ID when it is harmless, else a new one."""
    given = request.headers.get("X-Correlation-ID", "")
    return given if _CORRELATION.fullmatch(given) else str(uuid_utils.uuid7())


def _answer(
    application: Application,
    gatekeeper: Gatekeeper,
    route: Route,
    request: Request,
    path: dict[str, str],
    correlation: str,
) -> Response:
    actor = gatekeeper.identify(request.headers.get("Authorization"))
    if route.command is not None:
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if route.form is not None:
            fields = _form(request)
            key = fields.pop(_KEY_FIELD, "") or key
            content = route.form.content(fields)
        else:
            content = _body(request)
        reply = application.execute(
            route.command, content | path, actor, idempotency_key=key, if_match=_if_match(request),
            correlation_id=correlation, traceparent=request.headers.get("traceparent"),
        )  # fmt: skip
        return pages.response_of(route.form.done(reply)) if route.form is not None else _command_response(route, reply)
    parameters = {key: str(value) for key, value in request.args.items()} | path
    unstorable = [name for name, value in parameters.items() if "\x00" in value]
    if unstorable:
        message = "Contains a character that cannot be stored (NUL)."
        raise Invalid(message, fields={name: [message] for name in unstorable})
    if route.query is not None:
        body = application.ask(route.query, parameters, actor)
        response = _json(200, body)
        if isinstance(body.get("version"), int):
            response.set_etag(str(body["version"]))
        return response
    if route.page is None:
        message = f"route {route.path} leads nowhere"
        raise AssertionError(message)
    return pages.response_of(application.look(route.path, route.page, parameters, actor, needs=route.needs))


def _command_response(route: Route, reply: Reply) -> Response:
    response = _json(201 if route.creates and reply.created else 200, reply.body)
    if reply.version is not None:
        response.set_etag(str(reply.version))
    return response


def _body(request: Request) -> dict[str, Any]:
    raw = _raw(request)
    if not raw:
        return {}
    if request.mimetype not in ("application/json", ""):
        message = f"The body is {request.mimetype}, not JSON."
        raise WrongMediaType(message, where="Content-Type", remedy="Send application/json in UTF-8.")
    try:
        content = strict_json.parse(raw)
    except strict_json.NotJson as error:
        message = f"The body is not JSON in UTF-8: {error}."
        raise Invalid(message, fields={"": [message]}, remedy="Send one JSON object, encoded as UTF-8.") from error
    if not isinstance(content, dict):
        message = "The body must be a JSON object."
        raise Invalid(message, fields={"": [message]})
    return content


def _form(request: Request) -> dict[str, str]:
    raw = _raw(request)
    if raw and request.mimetype != _FORM:
        message = f"The body is {request.mimetype or 'of no type'}, not a form."
        raise WrongMediaType(message, where="Content-Type", remedy=f"Send {_FORM} in UTF-8.")
    fields: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELD_LIMIT)
    except ValueError as error:
        message = f"The form cannot be read: {error}."
        raise Invalid(message, fields={"": [message]}, remedy=f"Send {_FORM} in UTF-8.") from error
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def _raw(request: Request) -> bytes:
    if (request.content_length or 0) > BODY_LIMIT:
        message = f"The body has {request.content_length} bytes; at most {BODY_LIMIT} are accepted."
        raise TooLarge(message, remedy="Shorten the text, or attach it as a file.")
    request.max_content_length = BODY_LIMIT
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        message = f"The body has more than {BODY_LIMIT} bytes."
        raise TooLarge(message, remedy="Shorten the text, or attach it as a file.") from error


def _if_match(request: Request) -> int | None:
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    found = _ETAG.fullmatch(given.strip())
    if found is None:
        message = "If-Match is not an ETag of this suite."
        raise Invalid(message, fields={"If-Match": [message]}, remedy='Send the ETag as it was received, such as "3".')
    return int(found.group(1))


def _json(status: int, body: Mapping[str, Any]) -> Response:
    response = Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8"), status=status,
        content_type="application/json",
    )  # fmt: skip
    response.headers["Cache-Control"] = "no-store"
    return response
