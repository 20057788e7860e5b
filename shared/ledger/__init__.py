"""The database half of reliability: unit of work, outbox, inbox, parking, quarantine, lease. SQLAlchemy Core; no broker, no nameko."""
