"""What contract tests share: a well-formed envelope to spoil."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.launcher.documents import samples
from shared.contracts import registry


@pytest.fixture
def content() -> dict[str, Any]:
    """The JSON content of a good envelope, fresh for each test."""
    return json.loads(samples.envelope_of(registry.by_name("dispatch.matter-escalated")).to_bytes())
