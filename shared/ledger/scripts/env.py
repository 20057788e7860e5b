"""Alembic's environment, the same for all five services; run by shared/ledger/migrate.py alone.

The caller gives the connection. Where it has begun a transaction (SQLite) the migration is part of that and the caller
commits it; otherwise each revision is a transaction of its own.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
