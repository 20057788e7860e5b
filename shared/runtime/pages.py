"""Pages for people: the templates' surroundings, and what a problem looks like to somebody with a browser.

Chinese first, English beside it, from the wording catalogues; everything is escaped, there are no scripts, nothing is
loaded from elsewhere. A page never shows a refusal's own sentence: that one is for programs, and in English only.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug import Response

from shared.kernel.wording import has, say
from shared.runtime.definition import Page

_OURS = Path(__file__).parent / "templates"
#: Nothing but what the page itself carries; forms go back to where they came from.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
#: HTTP status -> what is said when the catalogue has no words for the code; other statuses: `problem.refused`.
_BY_STATUS = {
    400: "problem.invalid-input",
    401: "problem.unauthenticated",
    403: "problem.forbidden",
    404: "problem.not-found",
    405: "problem.not-found",
    413: "problem.too-large",
    415: "problem.invalid-input",
    500: "problem.internal",
    503: "problem.unavailable",
}


@lru_cache(maxsize=16)
def templates(folder: Path) -> Environment:
    """The templates of a service's folder; they can extend `layout.html`, which all services share."""
    made = Environment(
        loader=FileSystemLoader([folder, _OURS]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["say"] = say
    return made


def html(folder: Path, template: str, *, status: int = 200, **values: object) -> Page:
    """A template of a folder, filled in."""
    return Page(body=templates(folder).get_template(template).render(values).encode(), status=status)


def response_of(page: Page) -> Response:
    """A page as an answer that no cache keeps, and that tells no other site where its reader came from."""
    response = Response(page.body, status=page.status, content_type=page.content_type)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def of_problem(problem: Response, area: str) -> Response:
    """Problem details as a page, in the catalogue's words for the area and the code; status and headers stay."""
    told = problem.get_json()
    page = html(
        _OURS, "refused.html", status=problem.status_code, code=told["code"], http_status=told["status"],
        words=_words(area, told["code"], problem.status_code), reference=told.get("reference"),
    )  # fmt: skip
    response = response_of(page)
    for name, value in problem.headers:
        if name not in response.headers:
            response.headers[name] = value
    return response


def _words(area: str, code: str, status: int) -> str:
    """The key of the words."""
    known = (key for key in (f"{area}.refused.{code}", f"problem.{code}") if has(key))
    return next(known, _BY_STATUS.get(status, "problem.refused"))
