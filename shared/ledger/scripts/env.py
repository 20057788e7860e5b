"""Alembic's environment, the same for all five services; run by shared/ledger/migrate.py alone.

The caller gives the connection, has begun the transaction and commits it: a migration happens as a whole or not at all.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
