"""What can be asked of intake. The same shapes over HTTP, in scenarios and in the CLI (docs/commands.md)."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.intake import ASKER_KINDS, CHANNELS
from shared.contracts.shapes import choice, flag, ident, instant, many, mapping, nested, record, text
from shared.contracts.values import Place
from shared.runtime.definition import command

#: Rows in one import request.
IMPORT_LIMIT = 200


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
