"""Events of deliberation 理事·决事: one topic, N parties, one resolution (J3, J4: 1+N, 一事一议、一议一决)."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.registry import event
from shared.contracts.shapes import choice, ident, instant, many, text, whole

STANCES = ("support", "oppose", "neutral")
CHOICES = ("yes", "no", "abstain")


@event("deliberation.topic-submitted", stream="topic", key="topic_id")
class TopicSubmitted:
    """A topic was put on the 1+N platform for a matter 议题提交."""

    topic_id: str = ident()
    matter_id: str = ident()
    title: str = text(maximum=200)
    host_unit: str = ident()
    parties: tuple[str, ...] = many(ident())
    submitted_by: str = ident()


@event("deliberation.opinion-given", stream="topic", key="topic_id")
class OpinionGiven:
    """One party's opinion 意见. Who gave it stays inside deliberation."""

    topic_id: str = ident()
    matter_id: str = ident()
    opinion_id: str = ident()
    party_kind: str = choice("resident", "enterprise", "expert", "department", "unit")
    stance: str = choice(*STANCES)
    text: str = text(maximum=4_000)


@event("deliberation.ballot-opened", stream="topic", key="topic_id")
class BallotOpened:
    """The one ballot of the topic 表决开始."""

    topic_id: str = ident()
    matter_id: str = ident()
    ballot_id: str = ident()
    question: str = text(maximum=500)
    voters: int = whole(minimum=1, about="How many may vote")
    closes_at: datetime | None = instant(default=None)


@event("deliberation.ballot-closed", stream="topic", key="topic_id")
class BallotClosed:
    """The count 表决结果."""

    topic_id: str = ident()
    matter_id: str = ident()
    ballot_id: str = ident()
    voters: int = whole(minimum=1)
    yes: int = whole(minimum=0)
    no: int = whole(minimum=0)
    abstain: int = whole(minimum=0)
    outcome: str = choice("carried", "lost", "inquorate")


@event("deliberation.resolution-adopted", stream="topic", key="topic_id")
class ResolutionAdopted:
    """The one resolution of the topic 决议通过."""

    topic_id: str = ident()
    matter_id: str = ident()
    resolution_id: str = ident()
    text: str = text(maximum=8_000)
    measures: int = whole(minimum=0)
    adopted_by: str = ident()


@event("deliberation.resolution-rejected", stream="topic", key="topic_id")
class ResolutionRejected:
    """No resolution came about 决议否决."""

    topic_id: str = ident()
    matter_id: str = ident()
    reason: str = text(maximum=4_000)
    rejected_by: str = ident()


@event("deliberation.resolution-filed", stream="topic", key="topic_id")
class ResolutionFiled:
    """Filed with community and street 提报备案 (J4)."""

    topic_id: str = ident()
    matter_id: str = ident()
    resolution_id: str = ident()
    filed_with: tuple[str, ...] = many(ident(), required=True)


@event("deliberation.measure-assigned", stream="topic", key="topic_id")
class MeasureAssigned:
    """One measure of a resolution, with owner and deadline; dispatch has it carried out 任务分工."""

    topic_id: str = ident()
    matter_id: str = ident()
    resolution_id: str = ident()
    measure_id: str = ident()
    unit: str = ident()
    action: str = text(maximum=2_000)
    due_at: datetime | None = instant(default=None)


@event("deliberation.measure-completed", stream="topic", key="topic_id")
class MeasureCompleted:
    """The matter it served was resolved 任务完成."""

    topic_id: str = ident()
    matter_id: str = ident()
    measure_id: str = ident()
