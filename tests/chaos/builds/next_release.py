"""Not broken: the release after this one, as docs/upgrading.md lets releases differ.

Its databases have a table, columns and an index more; every event has an optional field more; and two events of stream
kinds that are heard already are new. Processes of this build and of the product run on the same databases and queues.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from alembic.script import ScriptDirectory

from shared.contracts import registry, shapes
from shared.contracts.dispatch import MatterAccepted
from shared.contracts.intake import MatterOpened
from shared.contracts.registry import event
from shared.ledger import migrate
from shared.ledger.unit_of_work import UnitOfWork

#: The optional field that each of its events has.
FIELD = "told_by_release"
REVISION = """
from alembic import op
import sqlalchemy as sa
from shared.ledger.revisions import create_index_live

revision = "{service}_next"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    create_index_live(op, "ix_idempotency_of_the_next_release", "idempotency", ["command"])
    op.create_table("notes_of_the_next_release", sa.Column("id", sa.Integer(), primary_key=True))
    op.add_column("inbox", sa.Column("next_release", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("next_release", sa.Text(), nullable=True))
"""


@contextmanager
def planted() -> Iterator[None]:
    """The next release in this process, until the block ends."""
    registry.all_types()  # all of this release, so that leaving forgets only what came here
    with (
        tempfile.TemporaryDirectory(prefix="gridwhistle-next-") as folder,
        patch.dict(registry._BY_TYPE),
        patch.dict(registry._BY_SHAPE),
        patch.object(migrate, "_config", _with_revision(Path(folder))),
        patch.object(UnitOfWork, "_drafts", _with_field(UnitOfWork._drafts)),
        patch.object(UnitOfWork, "emit", _with_follower(UnitOfWork.emit, _followers())),
    ):
        yield


def _with_revision(folder: Path, *, config: Any = migrate._config) -> Any:
    def made(definition: migrate.Migratable, db: Any = None) -> Any:
        found = config(definition, db)
        own = folder / definition.name
        if not own.exists():
            head = ScriptDirectory.from_config(found).get_current_head()
            own.mkdir()
            text = REVISION.format(service=definition.name, head=head)
            (own / f"{definition.name}_next.py").write_text(text, encoding="utf-8")
        found.set_main_option("version_locations", f"{definition.migrations}\n{own}")
        return found

    return made


def _with_field(drafts: Any) -> Any:
    def told(self: UnitOfWork) -> Any:
        return [replace(draft, data=draft.data | {FIELD: "next"}) for draft in drafts(self)]

    return told


def _followers() -> dict[type[Any], type[Any]]:
    """Event -> the new one of the same stream that is emitted right after it."""

    @event("intake.matter-numbered", stream="matter", key="matter_id", since="next")
    class MatterNumbered:
        matter_id: str = shapes.ident()

    @event("dispatch.matter-welcomed", stream="matter", key="matter_id", since="next")
    class MatterWelcomed:
        matter_id: str = shapes.ident()

    return {MatterOpened: MatterNumbered, MatterAccepted: MatterWelcomed}


def _with_follower(emit: Any, followers: dict[type[Any], type[Any]]) -> Any:
    def told(self: UnitOfWork, event: Any, **about: Any) -> None:
        emit(self, event, **about)
        if type(event) in followers:
            emit(self, followers[type(event)](matter_id=event.matter_id))

    return told
