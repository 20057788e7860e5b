"""The management address beside a test's own virtual host."""

from __future__ import annotations

import pytest


@pytest.fixture
def management_url(rabbitmq):
    """Address with the administrator's password."""
    return rabbitmq.management_url.replace("://", f"://{rabbitmq.user}:{rabbitmq.password}@")
