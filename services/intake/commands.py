"""What can be asked of intake. The same shapes over HTTP, in scenarios and in the CLI (docs/commands.md)."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.intake import ASKER_KINDS, CHANNELS, RESOURCE_KINDS
from shared.contracts.shapes import choice, flag, ident, instant, many, mapping, nested, record, text, whole
from shared.contracts.values import Place
from shared.runtime.definition import command

#: Rows in one import request, and parts of one split.
IMPORT_LIMIT, PARTS_LIMIT = 200, 20


@record
class Asker:
    """Who asks. Kept sealed; only messages to the asker and logged look-ups ever open it."""

    kind: str = choice(*ASKER_KINDS, default="resident")
    name: str | None = text(default=None, maximum=100)
    phone: str | None = text(default=None, maximum=40)
    mail: str | None = text(default=None, maximum=200)
    anonymous: bool = flag(default=False)


@command("intake.register-demand", needs="register-demand")
class RegisterDemand:
    """Register a demand 登记诉求: locate its grid, open a matter or join the one it duplicates exactly."""

    channel: str = choice(*CHANNELS)
    text: str = text(maximum=20_000, about="The asker's words 诉求内容")
    location: Place = nested(Place)
    asker: Asker | None = nested(Asker, default=None)
    category: str | None = ident(default=None)
    private: bool = flag(default=False, about="Visible to its handlers alone 不公开")
    occurred_at: datetime | None = instant(default=None)
    source: str | None = ident(default=None, about="Outside system it comes from")
    source_ref: str | None = ident(default=None, about="Its id there; the same id is registered once")


@command("intake.import-demands", needs="import-demands")
class ImportDemands:
    """Register many demands of an outside system 批量导入; every row is judged by itself."""

    source: str = ident(about="Name of the outside system")
    rows: tuple[dict[str, object], ...] = many(mapping(), required=True, maximum=IMPORT_LIMIT)


@command("intake.supplement-demand", needs=None, proof="tracking_code")
class SupplementDemand:
    """Add words to a demand 补充说明, by its tracking code."""

    tracking_code: str = ident()
    text: str = text(maximum=4_000)


@command("intake.withdraw-demand", needs=None, proof="tracking_code")
class WithdrawDemand:
    """Take a demand back 撤回诉求, by its tracking code."""

    tracking_code: str = ident()
    reason: str = text(maximum=1_000)


@command("intake.locate-matter", needs="locate-demand")
class LocateMatter:
    """Put a matter of the unlocated list into its grid 补定位."""

    matter: str = ident()
    unit: str = ident()


@command("intake.reveal-contact", needs="handle-matter", keeps_reply=False)
class RevealContact:
    """See how to reach the asker 查看联系方式; who looked and why is logged."""

    demand: str = ident()
    reason: str = text(maximum=500)


@record
class Part:
    """One part of a matter that is split."""

    text: str = text(maximum=4_000, about="What this part is about; never who asked")
    unit: str | None = ident(default=None, about="Where it lies; like the whole when left out")
    category: str | None = ident(default=None)


@command("intake.split-matter", needs="assign-matter")
class SplitMatter:
    """Split a matter into parts handled side by side 拆分联办; its askers stay with the whole."""

    matter: str = ident()
    parts: tuple[Part, ...] = many(Part, required=True, maximum=PARTS_LIMIT)
    reason: str = text(maximum=1_000)


@command("intake.list-resource", needs="list-resource")
class ListResource:
    """Put something that is offered on the resource list 资源上架 (J2, D7)."""

    owner: str = text(maximum=200, about="Who offers it 提供单位")
    kind: str = choice(*RESOURCE_KINDS)
    title: str = text(maximum=200)
    serves: tuple[str, ...] = many(ident(), maximum=50, about="Categories it helps with; none given: any")
    units: tuple[str, ...] = many(ident(), maximum=200, about="Territory it is for; one's own unit when left out")
    capacity: int = whole(minimum=1, maximum=1_000_000)
    measure: str = text(maximum=40, default="次", about="What the capacity counts")
    text: str = text(maximum=4_000)
    available_from: datetime | None = instant(default=None)
    available_until: datetime | None = instant(default=None)


@command("intake.withdraw-resource", needs="list-resource")
class WithdrawResource:
    """Take a resource off the list 资源下架; what was matched stands."""

    resource: str = ident()
    reason: str = text(maximum=1_000)
