"""Events of intake 揽事: demands come in and are grouped into matters (J2)."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.registry import event
from shared.contracts.shapes import choice, flag, ident, instant, many, nested, text, whole
from shared.contracts.values import Place

ASKER_KINDS = ("resident", "enterprise", "grid-worker", "system")
CHANNELS = ("web", "api", "hotline", "wechat", "patrol", "meeting", "micro-wish", "csv", "open311", "system")
#: What a resource is: a room, people's time, a skill, goods, money, a service, places to be filled.
RESOURCE_KINDS = ("venue", "people", "skill", "goods", "money", "service", "places")


@event("intake.demand-registered", stream="demand", key="demand_id", classification="personal")
class DemandRegistered:
    """Somebody asked for something 诉求登记. The asker's contact data and tracking code travel sealed only."""

    demand_id: str = ident()
    matter_id: str = ident(about="The matter that will be handled")
    number: str = ident(about="Number told to the asker 诉求编号")
    matter_number: str = ident(about="Number of the matter 事项编号")
    channel: str = choice(*CHANNELS)
    asker_kind: str = choice(*ASKER_KINDS)
    anonymous: bool = flag(about="The asker gave no name")
    private: bool = flag(about="Visible to its handlers alone; never published (A2)")
    joined: bool = flag(about="True when it joined an existing matter")
    unit: str | None = ident(default=None, about="Grid it lies in; null while unlocated")
    category: str | None = ident(default=None)
    sealed_asker: str | None = text(default=None, about="Sealed {name, phone, mail, tracking_code}")
    text: str = text(about="The asker's words")
    place: Place = nested(Place)
    occurred_at: datetime | None = instant(default=None)
    source: str | None = ident(default=None, about="Outside system it came from")
    source_ref: str | None = ident(default=None, about="Its id there")


@event("intake.demand-supplemented", stream="demand", key="demand_id", classification="personal")
class DemandSupplemented:
    """The asker or a desk added to a demand 补充."""

    demand_id: str = ident()
    matter_id: str = ident()
    text: str = text()


@event("intake.demand-withdrawn", stream="demand", key="demand_id")
class DemandWithdrawn:
    """The asker took the demand back 撤回."""

    demand_id: str = ident()
    matter_id: str = ident()
    reason: str = text(maximum=1_000)
    last_of_matter: bool = flag(about="No other demand is left in the matter")


@event("intake.matter-opened", stream="matter", key="matter_id", classification="personal")
class MatterOpened:
    """A matter was opened from its first demand 立项; dispatch takes over."""

    matter_id: str = ident()
    number: str = ident(about="Number of the matter 事项编号")
    demand_id: str = ident()
    text: str = text()
    channel: str = choice(*CHANNELS)
    asker_kind: str = choice(*ASKER_KINDS)
    private: bool = flag()
    unit: str | None = ident(default=None, about="Grid it lies in; null: on the street's unlocated list")
    category: str | None = ident(default=None)
    place: Place = nested(Place)
    occurred_at: datetime | None = instant(default=None)
    parent: str | None = ident(default=None, about="The matter that it is a part of 主事项")


@event("intake.demand-joined-matter", stream="matter", key="matter_id")
class DemandJoinedMatter:
    """A demand about the same thing joined a matter 并案: one handling, every asker told."""

    matter_id: str = ident()
    demand_id: str = ident()
    asker_kind: str = choice(*ASKER_KINDS)
    demands: int = whole(minimum=2, about="How many demands the matter has now")
    reason: str = choice("exact-duplicate", "clerk", about="Why it is held to be the same")


@event("intake.matter-located", stream="matter", key="matter_id")
class MatterLocated:
    """A desk put an unlocated matter into its grid 补定位."""

    matter_id: str = ident()
    unit: str = ident()
    located_by: str = ident()


@event("intake.matter-split", stream="matter", key="matter_id", since="0.2.0")
class MatterSplit:
    """A desk split a matter into parts handled side by side 拆分; its askers stay with the whole."""

    matter_id: str = ident()
    parts: tuple[str, ...] = many(ident(), required=True, about="Matters opened for the parts")
    reason: str = text(maximum=1_000)
    split_by: str = ident()


@event("intake.resource-listed", stream="resource", key="resource_id", since="0.2.0")
class ResourceListed:
    """Somebody offers something 资源清单 (J2, D7)."""

    resource_id: str = ident()
    owner: str = text(maximum=200, about="Who offers it 提供单位")
    kind: str = choice(*RESOURCE_KINDS)
    title: str = text(maximum=200)
    measure: str = text(maximum=40, about="What the capacity counts, such as 人次")
    text: str = text(maximum=4_000)
    serves: tuple[str, ...] = many(ident(), about="Categories it helps with; none given: any")
    units: tuple[str, ...] = many(ident(), required=True, about="Territory it is for")
    capacity: int = whole(minimum=1)
    available_from: datetime | None = instant(default=None)
    available_until: datetime | None = instant(default=None)
    listed_by: str = ident()


@event("intake.resource-withdrawn", stream="resource", key="resource_id", since="0.2.0")
class ResourceWithdrawn:
    """No longer offered 资源下架; what was matched stands."""

    resource_id: str = ident()
    reason: str = text(maximum=1_000)
    withdrawn_by: str = ident()
