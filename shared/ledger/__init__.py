"""The database half of reliability.

Unit of work, outbox, inbox, parking, quarantine, lease. SQLAlchemy Core; no broker, no nameko.
"""
