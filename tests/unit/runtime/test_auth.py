"""Tokens that were found good are remembered, and are judged by the clock all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from shared.kernel.clock import ManualClock
from shared.kernel.errors import Unauthenticated
from shared.runtime import auth
from shared.runtime.auth import Gatekeeper

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def keeper():
    return Gatekeeper(secret="s" * 40, issuer="here", audience="here", clock=ManualClock(NOON))


def bearer(keeper, subject="w"):
    token = keeper.issue(subject=subject, roles=frozenset({"grid-worker"}), unit="u", lasting=timedelta(hours=1))
    return f"Bearer {token}"


def test_a_token_is_read_once_and_expires_all_the_same(keeper, monkeypatch):
    header = bearer(keeper)
    first = keeper.identify(header)
    monkeypatch.setattr(jwt, "decode", lambda *_args, **_more: pytest.fail("read again"))
    assert keeper.identify(header) == first
    keeper.clock.advance(timedelta(hours=1))
    with pytest.raises(Unauthenticated) as refused:
        keeper.identify(header)
    assert refused.value.code == "expired-token"


def test_a_remembered_token_with_one_sign_changed_is_another_one(keeper):
    header = bearer(keeper)
    keeper.identify(header)
    changed = header[:-1] + ("A" if header[-1] != "A" else "B")
    with pytest.raises(Unauthenticated):
        keeper.identify(changed)


def test_no_more_are_remembered_than_the_limit(keeper, monkeypatch):
    monkeypatch.setattr(auth, "_REMEMBERED", 3)
    assert [keeper.identify(bearer(keeper, str(each))).id for each in range(8)] == [str(each) for each in range(8)]
    assert len(keeper._good) <= 3
