"""The migrations make exactly the tables that the code uses."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.oversight.definition import DEFINITION
from shared.ledger import migrate
from shared.ledger import tables as ledger_tables
from shared.ledger.engines import open_engine


def test_no_drift(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'oversight.db'}")
    assert migrate.migrate(engine, DEFINITION)[:2] == ("oversight_0001", "oversight_0002")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, [DEFINITION.tables, ledger_tables.metadata])
    engine.dispose()
    assert [one for one in differences if "alembic_version" not in repr(one)] == []
