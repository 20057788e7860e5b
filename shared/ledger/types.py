"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, LargeBinary, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant: timestamptz on PostgreSQL, fixed-width sortable text with microseconds on SQLite."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Choose the column type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive datetimes: a missing offset is a bug in the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = "a naive datetime cannot be stored"
            raise TypeError(message)
        if dialect.name == "postgresql":
            return value
        # Not strftime: its %Y leaves out the zeros of early years, which then sort wrongly and cannot be read back.
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give aware UTC back."""
        del dialect
        if value is None:
            return None
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return instant.astimezone(UTC)


#: Autoincrementing position; SQLite only counts up INTEGER keys.
Position = BigInteger().with_variant(Integer, "sqlite")
#: A JSON document.
Document = JSON().with_variant(JSONB, "postgresql")
#: Bytes kept exactly.
Bytes = LargeBinary()
#: Ids are text: uuid7 in canonical form or a pack's own id.
Id = String(200)
