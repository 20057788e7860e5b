"""What can be asked of deliberation; the same over HTTP, in scenarios and in the CLI."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.deliberation import CHOICES, STANCES
from shared.contracts.shapes import choice, ident, instant, many, record, text
from shared.runtime.definition import command


@command("deliberation.open-topic", needs="open-topic")
class OpenTopic:
    """开议题: put one matter on the 1+N platform with its parties. A matter has one open topic at most."""

    matter: str = ident(about="Matter id 事项")
    title: str = text(maximum=200, about="What is to be settled 议题")
    parties: tuple[str, ...] = many(ident(), maximum=100, about="The N: unit ids or person ids 参与方")


@command("deliberation.give-opinion", needs="give-opinion")
class GiveOpinion:
    """提意见: one opinion a person, changeable until the ballot opens. Who gave it is never published."""

    topic: str = ident(about="Topic id 议题")
    stance: str = choice(*STANCES, about="Support, oppose or neutral 立场")
    text: str = text(maximum=4_000, about="The opinion 意见")


@command("deliberation.open-ballot", needs="host-topic")
class OpenBallot:
    """开始表决: the one ballot of a topic; the list of voters is fixed now."""

    topic: str = ident(about="Topic id 议题")
    question: str = text(maximum=500, about="What is voted on 表决事项")
    voters: tuple[str, ...] = many(ident(), required=True, maximum=1_000, about="Person ids of those entitled 表决人")
    closes_at: datetime | None = instant(default=None, about="When it closes by itself 截止时间")


@command("deliberation.cast-vote", needs="cast-vote", keeps_reply=False)
class CastVote:
    """投票: one secret vote of a listed voter; the answer holds a receipt code."""

    ballot: str = ident(about="Ballot id 表决")
    choice: str = choice(*CHOICES, about="yes, no or abstain 赞成、反对、弃权")


@command("deliberation.close-ballot", needs="host-topic")
class CloseBallot:
    """结束表决: count, and say whether it carried by the pack's shares."""

    ballot: str = ident(about="Ballot id 表决")


@record
class Measure:
    """One measure of a resolution 任务分工."""

    unit: str = ident(about="Unit that carries it out 责任单位")
    action: str = text(maximum=2_000, about="What it does 措施")
    due: datetime | None = instant(default=None, about="By when 时限")


@command("deliberation.adopt-resolution", needs="host-topic")
class AdoptResolution:
    """形成决议: the one resolution after a carried ballot; filed 备案, its measures go to dispatch."""

    topic: str = ident(about="Topic id 议题")
    text: str = text(maximum=8_000, about="The resolution's text 决议")
    measures: tuple[Measure, ...] = many(Measure, maximum=100, about="Who does what by when 措施")


@command("deliberation.reject-resolution", needs="host-topic")
class RejectResolution:
    """否决: end the topic without a resolution, saying why."""

    topic: str = ident(about="Topic id 议题")
    reason: str = text(maximum=4_000, about="Why 理由")


@command("deliberation.complete-measure", needs="host-topic")
class CompleteMeasure:
    """措施完成: one measure of the resolution has been carried out."""

    topic: str = ident(about="Topic id 议题")
    measure: str = ident(about="Measure id 措施")
