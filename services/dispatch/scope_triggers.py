"""Triggers that keep `matter_scopes.due_at` what its matter's is, whoever writes: this release or the one before.

Part of revision 0009 and as frozen as that: another form is another revision. ADR 0015 says why a trigger.
"""

from __future__ import annotations

from collections.abc import Mapping

_POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION matter_scope_due() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.due_at := (SELECT due_at FROM matters WHERE id = NEW.matter_id);
        RETURN NEW;
    END $$
    """,
    """
    CREATE OR REPLACE TRIGGER matter_scope_due BEFORE INSERT ON matter_scopes
    FOR EACH ROW EXECUTE FUNCTION matter_scope_due()
    """,
    """
    CREATE OR REPLACE FUNCTION matter_due_moved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE matter_scopes SET due_at = NEW.due_at WHERE matter_id = NEW.id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE OR REPLACE TRIGGER matter_due_moved AFTER UPDATE OF due_at ON matters
    FOR EACH ROW WHEN (NEW.due_at IS DISTINCT FROM OLD.due_at) EXECUTE FUNCTION matter_due_moved()
    """,
)
_SQLITE = (
    """
    CREATE TRIGGER IF NOT EXISTS matter_scope_due AFTER INSERT ON matter_scopes
    BEGIN
        UPDATE matter_scopes SET due_at = (SELECT due_at FROM matters WHERE id = NEW.matter_id)
        WHERE unit = NEW.unit AND matter_id = NEW.matter_id;
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS matter_due_moved AFTER UPDATE OF due_at ON matters WHEN NEW.due_at IS NOT OLD.due_at
    BEGIN
        UPDATE matter_scopes SET due_at = NEW.due_at WHERE matter_id = NEW.id;
    END
    """,
)
#: By dialect, in order; harmless when they are there already.
STATEMENTS: Mapping[str, tuple[str, ...]] = {"postgresql": _POSTGRESQL, "sqlite": _SQLITE}
