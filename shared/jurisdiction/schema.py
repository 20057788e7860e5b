"""The shape of a pack's files in marshmallow; each schema makes the frozen value the suite works with.

It must never look at two files at once: what one file says about another is checked by
`shared.jurisdiction.links`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from marshmallow import INCLUDE, Schema, fields, post_load

from shared.jurisdiction.fields import (
    Clocks,
    Day,
    Duration,
    Flag,
    Ident,
    Names,
    Number,
    Several,
    TargetField,
    TemplateText,
    Text,
    at_least,
    one_of,
    refuse,
)
from shared.jurisdiction.policy import (
    ClassificationRule,
    Closure,
    Deliberation,
    Escalation,
    Evaluation,
    Extension,
    LadderRule,
    Publication,
    Reopen,
    ResponseClass,
    RoutingRule,
    Suspension,
    When,
    Whistle,
)
from shared.jurisdiction.territory import Category, OfficeContact, Person, Template, Unit
from shared.kernel.worktime import national_names


class JurisdictionSchema(Schema):
    """jurisdiction.yaml."""

    name = Ident(required=True)
    title = Names(required=True)
    timezone = Text(required=True)
    levels = Several(Ident(), required=True)
    version = Text(required=True)


def _mail_address(text: str) -> None:
    """Whether mail could be sent there at all; whether it arrives, only the mail server knows."""
    name, _, host = text.rpartition("@")
    if not name or not host or any(sign.isspace() for sign in text):
        raise refuse(f"{text!r} is no mail address", "invalid-value", "write it like office@street.example")


class OfficeContactSchema(Schema):
    """An office's address; one of the two at least."""

    phone = Text(load_default=None, allow_none=True)
    mail = Text(load_default=None, allow_none=True, validate=_mail_address)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> OfficeContact:
        """Return the contact."""
        if data["phone"] is None and data["mail"] is None:
            raise refuse("a contact without an address", "missing-field", "give phone or mail, or leave contact out")
        return OfficeContact(**data)


class UnitSchema(Schema):
    """One unit of units.yaml."""

    id = Ident(required=True)
    name = Names(required=True)
    level = Ident(required=True)
    kind = Ident(required=True)
    parent = Ident(load_default=None, allow_none=True)
    places = Several(load_default=())
    synthetic = Flag(load_default=False)
    contact = fields.Nested(OfficeContactSchema, load_default=None, allow_none=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Unit:
        """Return the unit."""
        return Unit(**data)


class PersonSchema(Schema):
    """One person of staff.yaml."""

    id = Ident(required=True)
    name = Names(required=True)
    unit = Ident(required=True)
    roles = Several(Ident(), required=True)
    title = Names(load_default=None, allow_none=True)
    contact = fields.Nested(OfficeContactSchema, load_default=None, allow_none=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Person:
        """Return the person."""
        return Person(**data)


class CategorySchema(Schema):
    """One category of categories.yaml."""

    id = Ident(required=True)
    name = Names(required=True)
    parent = Ident(load_default=None, allow_none=True)
    words = Several(load_default=())
    department = Ident(load_default=None, allow_none=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Category:
        """Return the category."""
        return Category(**data)


class OneCalendarSchema(Schema):
    """Working time; the hours themselves are read by the calendar's builder."""

    national = Ident(required=True, validate=one_of(*national_names()))
    week = fields.Raw(required=True)
    extra_days_off = fields.List(Day(), load_default=list)
    extra_makeup_days = fields.List(Day(), load_default=list)
    #: Dates with hours of their own, such as half days.
    shifts = fields.Dict(keys=Day(), values=fields.Raw(), load_default=dict)


class OtherCalendarSchema(OneCalendarSchema):
    """A calendar beside the town's own, for the classes that name it; its zone is the town's when left out."""

    timezone = Text(load_default=None, allow_none=True)


class CalendarSchema(OneCalendarSchema):
    """calendar.yaml."""

    others = fields.Dict(keys=Ident(), values=fields.Nested(OtherCalendarSchema), load_default=dict)


class TemplateSchema(Schema):
    """One message of templates.yaml."""

    id = Ident(required=True)
    event = Text(required=True)
    audience = Ident(required=True)
    channels = Several(Ident(), required=True)
    subject = TemplateText(load_default=None, allow_none=True)
    body = TemplateText(required=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Template:
        """Return the template."""
        return Template(**data)


def _rising_shares(shares: list[float]) -> None:
    if any(not 0 < share < 1 for share in shares) or sorted(set(shares)) != shares:
        raise refuse(f"{shares} does not rise between 0 and 1", "out-of-range", "write rising shares, e.g. [0.5, 0.8]")


class ExtensionSchema(Schema):
    """How much more time a class allows."""

    times = Number(whole=True, load_default=1, validate=at_least(1, 20))
    days = Number(whole=True, required=True, validate=at_least(1, 366))

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Extension:
        """Return the limits."""
        return Extension(**data)


class ResponseClassSchema(Schema):
    """One response class of policy.yaml."""

    id = Ident(required=True)
    name = Names(required=True)
    clocks = Clocks(required=True)
    pausable = Flag(required=True)
    warn_shares = fields.List(Number(), load_default=lambda: [0.5, 0.8], validate=_rising_shares)
    grossly_overdue_share = Number(load_default=2.0, validate=at_least(1, 100, above=True))
    extension = fields.Nested(ExtensionSchema, load_default=None, allow_none=True)
    calendar = Ident(load_default=None, allow_none=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> ResponseClass:
        """Return the class."""
        data["clocks"] = MappingProxyType(data["clocks"])
        data["warn_shares"] = tuple(data["warn_shares"])
        return ResponseClass(**data)


class WhenSchema(Schema):
    """The conditions of a rule."""

    any_words = Several(load_default=())
    all_words = Several(load_default=())
    categories = Several(Ident(), load_default=())
    asker = Several(Ident(), load_default=())
    channels = Several(Ident(), load_default=())
    unit_kinds = Several(Ident(), load_default=())

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> When:
        """Return the conditions."""
        return When(**data)


class ClassificationSchema(Schema):
    """One classification rule of policy.yaml."""

    id = Ident(required=True)
    when = fields.Nested(WhenSchema, required=True)
    class_id = Ident(required=True, data_key="class")
    category = Ident(load_default=None, allow_none=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> ClassificationRule:
        """Return the rule."""
        return ClassificationRule(**data)


class RoutingSchema(Schema):
    """One routing rule of policy.yaml."""

    id = Ident(required=True)
    when = fields.Nested(WhenSchema, required=True)
    start_level = Ident(required=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> RoutingRule:
        """Return the rule."""
        return RoutingRule(**data)


class LadderRuleSchema(Schema):
    """One rule of policy.yaml, escalation.rules."""

    id = Ident(required=True)
    classes = Several(Ident(), load_default=())
    clocks = Several(Ident(), required=True)
    share = Number(required=True, validate=at_least(0, 100, above=True))
    to_level = Ident(required=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> LadderRule:
        """Return the rule."""
        return LadderRule(**data)


class EscalationSchema(Schema):
    """policy.yaml, escalation."""

    on_breach = Several(Ident(), load_default=Escalation().on_breach)
    reasons = Several(Ident(), load_default=Escalation().reasons)
    after_returns = Number(whole=True, load_default=Escalation().after_returns, validate=at_least(1, 20))
    authority_limits = fields.Dict(keys=Ident(), values=Number(whole=True, validate=at_least(0)), load_default=dict)
    rules = fields.List(fields.Nested(LadderRuleSchema), load_default=list)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Escalation:
        """Return the section."""
        limits, rules = MappingProxyType(data["authority_limits"]), tuple(data["rules"])
        return Escalation(**{**data, "authority_limits": limits, "rules": rules})


class WhistleSchema(Schema):
    """policy.yaml, whistle."""

    report_in = TargetField(required=True)
    may_blow = Several(Ident(), required=True)
    hop_limit = Number(whole=True, load_default=3, validate=at_least(1, 20))
    report_in_by_class = Clocks(load_default=dict)
    complete = TargetField(load_default=None, allow_none=True)
    extensions = Number(whole=True, load_default=2, validate=at_least(0, 20))

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Whistle:
        """Return the section."""
        return Whistle(**data)


class ClosureSchema(Schema):
    """policy.yaml, closure."""

    evidence_required = Flag(load_default=True)
    verify_by_other = Flag(load_default=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Closure:
        """Return the section."""
        return Closure(**data)


class ReopenSchema(Schema):
    """policy.yaml, reopen."""

    within = Duration(load_default=Reopen().within)
    limit = Number(whole=True, load_default=Reopen().limit, validate=at_least(0, 20))

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Reopen:
        """Return the section."""
        return Reopen(**data)


class SuspensionSchema(Schema):
    """policy.yaml, suspension."""

    times = Number(whole=True, load_default=None, allow_none=True, validate=at_least(1, 20))
    longest = Duration(load_default=None, allow_none=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Suspension:
        """Return the section."""
        return Suspension(**data)


class EvaluationSchema(Schema):
    """policy.yaml, evaluation."""

    ask_after = Text(load_default="closure", validate=one_of("closure", "resolution"))
    expires = Duration(load_default=Evaluation().expires)
    reopen_when_unsatisfied = Text(load_default="ask", validate=one_of("ask", "always", "never"))

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Evaluation:
        """Return the section."""
        return Evaluation(**data)


class DeliberationSchema(Schema):
    """policy.yaml, deliberation: two shares, and whatever else the deliberation service reads."""

    class Meta:
        """What it does not name it keeps."""

        unknown = INCLUDE

    quorum_share = Number(load_default=0.5, validate=at_least(0, 1))
    adopt_share = Number(load_default=0.5, validate=at_least(0, 1))

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Deliberation:
        """Return the section."""
        quorum, adopt = data.pop("quorum_share"), data.pop("adopt_share")
        return Deliberation(quorum, adopt, _frozen(data))


class PublicationSchema(Schema):
    """policy.yaml, publication."""

    whitelist = Several(load_default=())

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Publication:
        """Return the section."""
        return Publication(**data)


class PolicySchema(Schema):
    """policy.yaml.

    Its lists are loaded item by item by the loader, so one wrong rule does not hide the others.
    """

    classes = fields.Raw(required=True)
    classification = fields.Raw(required=True)
    routing = fields.Raw(load_default=list)
    escalation = fields.Nested(EscalationSchema, load_default=Escalation)
    whistle = fields.Nested(WhistleSchema, required=True)
    closure = fields.Nested(ClosureSchema, load_default=Closure)
    reopen = fields.Nested(ReopenSchema, load_default=Reopen)
    suspension = fields.Nested(SuspensionSchema, load_default=Suspension)
    evaluation = fields.Nested(EvaluationSchema, load_default=Evaluation)
    deliberation = fields.Nested(DeliberationSchema, load_default=Deliberation)
    publication = fields.Nested(PublicationSchema, load_default=Publication)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return MappingProxyType({key: _frozen(part) for key, part in value.items()})
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value
