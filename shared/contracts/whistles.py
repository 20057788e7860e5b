"""The whistle contract 吹哨报到: what departments are told and what they answer, for programs of other makers.

Frozen once shipped: within a version only optional fields are added; a golden sample of each type must load for ever.
A department reads its own queue and writes its own exchange. Who answered is taken from that exchange, never from what
the message says. Nothing told to a department may ever name the asker, quote their words or hold their address.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate

from shared.contracts import shapes
from shared.contracts.envelope import SIZE_LIMIT, SOURCE_PREFIX, Envelope
from shared.contracts.shapes import choice, flag, ident, instant, many, mapping, nested, record, text, whole
from shared.kernel import strict_json
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Invalid, Refusal

#: Calls and all else that departments are told leave by this exchange, under the department's own key.
EXCHANGE = "gridwhistle.whistles"
#: What a department can answer.
ANSWERS = ("accepted", "declined", "progressed", "completed", "extension-requested")
#: Routing keys of answers; nothing else may be published on a department's exchange.
ANSWER_KEYS = tuple(f"answer.{answer}" for answer in ANSWERS)
_QUEUE, _DEPARTMENT = "whistle.", "department."
_ANSWER_TYPE = re.compile(r"gridwhistle\.answer\.([a-z-]+)\.v1")
#: Ids of messages are made from what they tell, so that the same thing told again is known to be the same.
_NAMESPACE = uuid.UUID("6f1d3c52-2a53-5f0e-9d6c-5a7b1a2f8e10")


def key_of(department: str) -> str:
    """The routing key under which a department is told something, and the name of its queue."""
    return f"{_QUEUE}{department}"


def exchange_of(department: str) -> str:
    """The exchange on which a department answers, and the name of its user at the broker."""
    return f"{_DEPARTMENT}{department}"


def department_of(exchange: str) -> str | None:
    """Whose exchange it is; None when it is no department's."""
    return exchange.removeprefix(_DEPARTMENT) if exchange.startswith(_DEPARTMENT) else None


# -- what departments are told -----------------------------------------------------------------------------------------


@record
class NamedUnit:
    """A unit with its name."""

    id: str = ident()
    name: str = text(maximum=500)


@record
class Called:
    """Your department is summoned 吹哨: report in by `report_in_by`."""

    whistle: str = ident(about="Id of the call; every answer names it")
    department: str = ident(about="Who is called: you")
    matter: str = ident(about="Id of the matter 事项")
    matter_number: str | None = ident(default=None, about="Number that people use 事项编号")
    lead: bool = flag(about="You lead 主办; false: you help 协办")
    lead_department: str = ident()
    departments: tuple[str, ...] = many(ident(), required=True, about="All departments called, the lead first")
    whistler: NamedUnit = nested(NamedUnit, about="The street or community that calls 吹哨单位")
    place: NamedUnit | None = nested(NamedUnit, default=None, about="The unit it lies in 所在网格")
    category: str | None = ident(default=None)
    response_class: str = ident()
    request: str = text(maximum=4_000, about="What is needed")
    legal_basis: str | None = text(default=None, maximum=1_000)
    blown_at: datetime = instant()
    report_in_by: datetime = instant(about="The first answer is late after this instant")
    complete_by: datetime | None = instant(default=None, about="By when you are to be done")


@record
class Ended:
    """The call is over 哨单办结: nothing more is asked of you."""

    whistle: str = ident()
    department: str = ident()
    matter: str = ident()
    outcome: str = text(maximum=100, about="completed, declined, withdrawn; tolerate others")


@record
class AnswerTaken:
    """Your answer counts 已收到."""

    whistle: str = ident()
    department: str = ident()
    answer_id: str = ident(about="The `id` of your message")
    answer: str = choice(*ANSWERS)
    late: bool = flag(about="It was your first and came after the deadline; it counts, marked late")
    taken_at: datetime = instant()


@record
class AnswerRefused:
    """Your answer does not count 未被接受: nothing was stored but this refusal. `remedy` says what you may do."""

    department: str = ident()
    answer_id: str | None = ident(default=None, about="The `id` of your message, where it could be read")
    whistle: str | None = ident(default=None)
    digest: str = text(maximum=64, about="sha256 of your message's bytes, as hex")
    code: str = ident(about="Stable code for programs")
    detail: str = text(maximum=2_000, about="What is wrong, one sentence")
    where: str | None = text(default=None, maximum=500)
    remedy: str | None = text(default=None, maximum=1_000)
    fields: dict[str, object] = mapping(about="Field -> its faults")


@record
class Changed:
    """Something about the call is another now: tolerate causes you do not know 变更."""

    whistle: str = ident()
    department: str = ident()
    matter: str = ident()
    cause: str = ident(about="Why: one of CAUSES, or one of a newer release")
    report_in_by: datetime | None = instant(default=None, about="The deadline to report in from now on")
    complete_by: datetime | None = instant(default=None, about="By when you are to be done from now on")
    lead_department: str | None = ident(default=None, about="Who leads from now on")
    decide_by: datetime | None = instant(default=None, about="disputed: until when the level above decides")
    note: str | None = text(default=None, maximum=4_000, about="The reason given")


#: Why something changes: you did not report in, or were not done, in time; your refusal is before the level above; it
#: decided that you have to come, or need not; another department leads; more time to finish was granted, or not; the
#: working calendar is another one, and a deadline counted on it with it.
CAUSES = (
    "overdue-report-in", "overdue-complete", "disputed", "dispute-upheld", "dispute-released", "lead-changed",
    "extension-granted", "extension-denied", "calendar-changed",
)  # fmt: skip


@record
class Scored:
    """The whistler scored what you did 评分: 1 is worst, 5 is best."""

    whistle: str = ident()
    department: str = ident()
    matter: str = ident()
    arrival: int = whole(minimum=1, maximum=5, about="Came in time 到场")
    quality: int = whole(minimum=1, maximum=5, about="Worked well 办理质量")
    result: int = whole(minimum=1, maximum=5, about="Solved it 办理结果")
    note: str | None = text(default=None, maximum=4_000)


#: CloudEvents type -> shape of `data`, for everything that departments are told.
TOLD: dict[str, type[Any]] = {
    "gridwhistle.whistle.called.v1": Called,
    "gridwhistle.whistle.changed.v1": Changed,
    "gridwhistle.whistle.scored.v1": Scored,
    "gridwhistle.whistle.ended.v1": Ended,
    "gridwhistle.whistle.answer-taken.v1": AnswerTaken,
    "gridwhistle.whistle.answer-refused.v1": AnswerRefused,
}
_TYPE_OF = {shape: type_ for type_, shape in TOLD.items()}


def type_of(shape: type[Any]) -> str:
    """The CloudEvents type of a message to departments."""
    return _TYPE_OF[shape]


def stream_of(department: str, whistle: str | None) -> str:
    """Messages to one department about one call, in order. Its part before the colon is the routing key."""
    return f"{key_of(department)}:{whistle or '-'}"


def key_in(stream: str) -> str:
    """The routing key of a message to a department, from its stream."""
    return stream.partition(":")[0]


def addressee(stream: str) -> str | None:
    """The department that a message of this stream is for; None when it is no such stream."""
    key = key_in(stream)
    return key.removeprefix(_QUEUE) if key.startswith(_QUEUE) else None


def envelope(
    message: Any, *, version: int, at: datetime, correlation_id: str, causation_id: str | None, traceparent: str | None
) -> Envelope:
    """One message to a department. The same told again of the same instant (after a recovery) has the same id."""
    data = shapes.dump(message)
    type_, whistle = _TYPE_OF[type(message)], data.get("whistle")
    stream = stream_of(data["department"], whistle)
    name = f"{stream} {type_} {rfc3339(at)} {sorted(data.items())}"
    return Envelope(
        id=str(uuid.uuid5(_NAMESPACE, name)), source=f"{SOURCE_PREFIX}dispatch", type=type_,
        subject=data.get("matter") or whistle or data["department"], time=at, stream=stream,
        streamversion=version, correlationid=correlation_id, causationid=causation_id, traceparent=traceparent,
        classification="internal", data=data,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Telling:
    """A message to a department, read by it."""

    id: str
    type: str
    #: None: a type of a newer release; keep it, go on.
    message: Any | None


def read_told(raw: bytes) -> Telling:
    """What a department was told; tolerates fields that a newer release added. Raises Unreadable."""
    try:
        content = strict_json.parse(raw)
        shape = TOLD.get(content["type"])
        message = None if shape is None else shapes.load(shape, content["data"], tolerant=True)
        return Telling(id=str(content["id"]), type=str(content["type"]), message=message)
    except (strict_json.NotJson, KeyError, TypeError, Invalid) as error:
        raise Unreadable(f"Not a message of the whistle contract: {error!r}.") from error


# -- what departments answer -------------------------------------------------------------------------------------------


@record
class Answer:
    """`data` of an answer 报到; which answer it is stands in the message's `type`. Unknown fields are refused."""

    whistle: str = ident(about="Id of the call")
    note: str = text(maximum=4_000, about="What was found, done or asked; the whistler and the trace see it")
    ground: str | None = text(default=None, maximum=1_000, about="declined: the ground, such as the duty's legal basis")
    until: datetime | None = instant(default=None, about="extension-requested: until when")


def answer_type(answer: str) -> str:
    """The CloudEvents type of an answer."""
    return f"gridwhistle.answer.{answer}.v1"


@dataclass(frozen=True, kw_only=True)
class Answering:
    """One answer, read: `id` is the sender's own name for the message."""

    id: str
    answer: str
    content: Answer


class Unreadable(Refusal):
    """The bytes are no answer of this contract. Mend the program that sent them; `fields` says what."""

    code = "unreadable-answer"

    def __init__(self, what: str, *, message_id: str | None = None, where: dict[str, list[str]] | None = None) -> None:
        super().__init__(what, remedy="Compare the message with docs/department-guide.md and send it again.")
        #: The sender's id, where it could be read.
        self.message_id = message_id
        self.fields: dict[str, list[str]] = where or {}


class _Wrapping(Schema):
    """What an answer's envelope must have: CloudEvents 1.0; extension attributes are legal and not looked at."""

    class Meta:
        """Unknown extension attributes are legal in CloudEvents."""

        unknown = INCLUDE

    specversion = fields.String(required=True, validate=validate.Equal("1.0"))
    id = shapes.Text(required=True, validate=validate.Length(min=1, max=150))
    source = shapes.Text(required=True, validate=validate.Length(min=1, max=200))
    type = shapes.Text(required=True, validate=validate.Length(min=1, max=200))
    datacontenttype = fields.String(validate=validate.Equal("application/json"))
    data = fields.Dict(keys=fields.String(), required=True)


_WRAPPING = _Wrapping()


def read_answer(raw: bytes) -> Answering:
    """An answer from its bytes. Raises Unreadable."""
    if len(raw) > SIZE_LIMIT:
        raise Unreadable(f"{len(raw)} bytes exceed the limit of {SIZE_LIMIT}.")
    try:
        content = strict_json.parse(raw)
    except strict_json.NotJson as error:
        raise Unreadable(f"Not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise Unreadable("Not a JSON object.")
    try:
        wrapping = _WRAPPING.load(content)
    except ValidationError as error:
        faults = shapes.flatten(error.messages)
        message_id = None if "id" in faults else str(content["id"])
        raise Unreadable(
            "The envelope is no CloudEvent of this contract.", message_id=message_id, where=faults
        ) from error
    known = _ANSWER_TYPE.fullmatch(wrapping["type"])
    if known is None or known[1] not in ANSWERS:
        fault = f"Must be one of: {', '.join(map(answer_type, ANSWERS))}."
        raise Unreadable("Not an answer's type.", message_id=wrapping["id"], where={"type": [fault]})
    try:
        answer = shapes.load(Answer, wrapping["data"])
    except Invalid as error:
        where = {f"data.{name}": faults for name, faults in error.fields.items()}
        raise Unreadable(error.what, message_id=wrapping["id"], where=where) from error
    return Answering(id=wrapping["id"], answer=known[1], content=answer)


def answer_content(answering: Answering, *, source: str, at: datetime) -> dict[str, Any]:
    """An answer as JSON, the way the kit sends it."""
    given = {name: value for name, value in shapes.dump(answering.content).items() if value is not None}
    return {
        "specversion": "1.0", "id": answering.id, "source": source, "type": answer_type(answering.answer),
        "time": rfc3339(at), "datacontenttype": "application/json", "data": given,
    }  # fmt: skip
