"""Fixtures of the upgrade tests."""

from __future__ import annotations

from tests.integration.upgrade.previous import previous

__all__ = ["previous"]
