"""From a pack's template and the facts to the words of a message, Chinese first and English beside it.

The templates are a pack's, so they run in a sandbox; a variable they name and we do not know is an error and never an
empty place in a letter. Times are shown on the pack's clock, in the words of the language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from shared.jurisdiction import Jurisdiction, Label, Template
from shared.kernel import wording
from shared.kernel.hashing import link_token

ZH, EN = "zh_CN", "en"
_WEEKDAYS = "一二三四五六日"
#: Purpose of the token in an evaluation's link; oversight checks the same word.
_EVALUATE = "evaluate"

# Letters are plain text: escaping would put "&amp;" into an SMS.
_ENVIRONMENT = SandboxedEnvironment(autoescape=False, undefined=jinja2.StrictUndefined)


class CannotRender(Exception):
    """The template and the facts do not fit. Correct the pack's templates.yaml; the message itself is fine."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a message may speak of. Never the demand's text, never another person's data."""

    number: str
    matter_number: str
    tracking_code: str
    unit: str | None = None
    response_class: str | None = None
    due_at: datetime | None = None
    #: It is a guess, and said to be: the working calendar does not reach it yet.
    due_provisional: bool = False
    #: Reason code of an escalation or suspension.
    reason: str | None = None
    evaluation_link: str = ""


@dataclass(frozen=True, kw_only=True)
class Words:
    """A message's words."""

    subject: str
    zh: str
    en: str


def evaluation_link(public_url: str, secret: str, evaluation_id: str) -> str:
    """The address at which an asker judges, with the token that opens it."""
    return f"{public_url}/evaluate/{evaluation_id}?t={link_token(secret, _EVALUATE, evaluation_id)}"


def render(template: Template, facts: Facts, pack: Jurisdiction) -> Words:
    """The words of one message. Raises CannotRender."""
    fallback = Label(facts.number, facts.number)
    return write(template, variables(facts, pack, ZH), variables(facts, pack, EN), fallback)


def write(template: Template, zh: Mapping[str, str], en: Mapping[str, str], fallback: Label) -> Words:
    """A template filled with the variables of both languages; `fallback`: its subject, if it has none.

    Raises CannotRender.
    """
    subject = template.subject if template.subject is not None else fallback
    return Words(
        subject=_fill(subject.zh, zh),
        zh=_fill(template.body.zh, zh),
        en="" if template.body.en == template.body.zh else _fill(template.body.en, en),
    )


def check(template: Template, pack: Jurisdiction, now: datetime) -> None:
    """Render with every fact and with as few as possible. Raises CannotRender naming the template."""
    full = Facts(
        number="D1", matter_number="M1", tracking_code="0000-0000-0000-0000", evaluation_link="/evaluate/1",
        unit=next(iter(pack.units), None), response_class=next(iter(pack.policy.classes), None), due_at=now,
        reason="safety",
    )  # fmt: skip
    for facts in (full, Facts(number="D1", matter_number="M1", tracking_code="")):
        try:
            render(template, facts, pack)
        except CannotRender as error:
            message = f"templates.yaml, {template.id}: {error}"
            raise CannotRender(message) from error


def variables(facts: Facts, pack: Jurisdiction, locale: str) -> Mapping[str, str]:
    """Every variable of a template in one language; those without a value are empty."""
    unit = pack.units.get(facts.unit or "")
    class_ = pack.policy.classes.get(facts.response_class or "")
    return {
        "number": facts.number,
        "matter_number": facts.matter_number,
        "tracking_code": facts.tracking_code,
        "unit_name": _in(locale, unit.name) if unit is not None else wording.say("notify.somebody", locale),
        "class_name": _in(locale, class_.name) if class_ is not None else "",
        "due_at": _due(facts, pack.timezone, locale),
        "reason": reason_words(facts.reason, locale),
        "evaluation_link": facts.evaluation_link,
        "suite_name": suite_name(pack, locale),
    }


def _due(facts: Facts, timezone: str, locale: str) -> str:
    if facts.due_at is None:
        return ""
    words = due_words(facts.due_at, timezone, locale)
    return wording.say("notify.provisional", locale, due=words) if facts.due_provisional else words


def suite_name(pack: Jurisdiction, locale: str) -> str:
    """Who speaks."""
    return wording.say("notify.sender", locale, place=_in(locale, pack.title))


def due_words(instant: datetime, timezone: str, locale: str) -> str:
    """`2025年9月12日（星期五）17:30`, `12 September 2025, 17:30`."""
    local = instant.astimezone(ZoneInfo(timezone))
    if locale == EN:
        return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"
    return f"{local.year}年{local.month}月{local.day}日（星期{_WEEKDAYS[local.weekday()]}）{local:%H:%M}"


# strftime's month names follow the process's locale; a letter must not.
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def reason_words(code: str | None, locale: str) -> str:
    """A reason code in words for an asker; a code without words is left out, for it means nothing to them."""
    key = f"notify.reason.{code}"
    return wording.say(key, locale) if code and wording.has(key) else ""


def _in(locale: str, label: Label) -> str:
    return label.en if locale == EN else label.zh


@lru_cache(maxsize=256)
def _compiled(source: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(source)


def _fill(source: str, given: Mapping[str, str]) -> str:
    try:
        return _compiled(source).render(given)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        message = f"{type(error).__name__}: {error}"
        raise CannotRender(message) from error
