"""The HTTP server of a service process: problem details for everything, health without a worker, no second listener.

nameko's own answers (HTML error pages, `Error: Type: text`) never leave; a path that is not there is a problem too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import eventlet
from eventlet import wsgi
from nameko.web.server import HttpOnlyProtocol, WebServer
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule

from shared.runtime import pages, problems
from shared.runtime.queues import RUNNING
from shared.runtime.running import RunningService

log = logging.getLogger(__name__)

#: Seconds a client may stay silent within a request before its connection is closed.
_SOCKET_TIMEOUT_S = 60
_BACKLOG = 128


class DoorServer(WebServer):
    """The listener of one process."""

    def __init__(self) -> None:
        super().__init__()
        self._gt: Any = None

    @property
    def running(self) -> RunningService:
        """The service of this process."""
        found: RunningService = self.container.config[RUNNING]
        return found

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken (nameko's own would share it with the other process)."""
        if self._gt is not None:
            return
        address = self.bind_addr
        self._sock = eventlet.listen((address.address, address.port), backlog=_BACKLOG, reuse_port=False)
        self._sock.settimeout(None)
        self._serv = wsgi.Server(
            self._sock,
            self._sock.getsockname(),
            _Doors(self.running, self.url_map()),
            protocol=HttpOnlyProtocol,
            debug=False,
            log=log,
            log_output=False,
            socket_timeout=_SOCKET_TIMEOUT_S,
        )
        self._gt = self.container.spawn_managed_thread(self.run, identifier="http")

    def close(self) -> None:
        """Accept nobody any more; requests under way are finished."""
        self._is_accepting = False
        if self._gt is not None:
            self._gt.kill()
        if self._sock is not None:
            self._sock.close()

    def stop(self) -> None:
        """As `close`."""
        self.close()

    def url_map(self) -> Map:
        """Every route, with the function that answers it."""
        health = self.running.health
        table: list[Rule] = [
            _rule("GET", "/health/live", lambda _request, _path: health.live()),
            _rule("GET", "/health/ready", lambda _request, _path: health.ready()),
            _rule("GET", "/metrics", lambda _request, _path: health.metrics()),
        ]
        table += [_rule(door.route.method, door.route.path, door.respond) for door in self._providers]
        return Map(table)


def _rule(method: str, path: str, endpoint: Callable[[Request, dict[str, Any]], Response]) -> Rule:
    return Rule(path, methods=[method], endpoint=endpoint)


class _Doors:
    """The WSGI application."""

    def __init__(self, running: RunningService, table: Map) -> None:
        self._running = running
        self._table = table

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            endpoint, path = self._table.bind_to_environ(environ).match()
        except HTTPException as error:
            return _no_such_door(error, request)(environ, start_response)
        response: Response = endpoint(request, path)
        return response(environ, start_response)


def _no_such_door(error: HTTPException, request: Request) -> Response:
    response = _no_door(error)
    browsing = request.accept_mimetypes.best_match([problems.CONTENT_TYPE, "text/html"]) == "text/html"
    if browsing and response.mimetype == problems.CONTENT_TYPE:
        return pages.of_problem(response, "page")
    return response


def _no_door(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or 300 <= error.code < 400:  # noqa: PLR2004 -- redirects
        response: Response = Response.force_type(error.get_response())
        return response
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        response = problems.problem(
            405, "method-not-allowed", f"This address takes {allowed}.", remedy=f"Send {allowed}."
        )
        response.headers["Allow"] = allowed
        return response
    return problems.problem(
        error.code, "not-found", "There is nothing at this address.", remedy="See docs/openapi for the addresses."
    )
