"""The same on PostgreSQL, where rows go as arrays; and a text that is too long is refused, not cut."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DataError

from shared.ledger.bulk import Inserting
from shared.ledger.engines import open_engine
from tests.unit.ledger.test_bulk import (
    THINGS,
    store,
    stored,
    test_a_naive_instant_is_refused,
    test_conflicts_and_what_comes_back,
    test_more_rows_than_one_statement_takes,
    test_no_rows_are_no_statement,
    test_rows_are_changed_each_to_its_own,
    test_what_is_stored_is_what_sqlalchemy_stores,
)

__all__ = [
    "test_a_naive_instant_is_refused",
    "test_conflicts_and_what_comes_back",
    "test_more_rows_than_one_statement_takes",
    "test_no_rows_are_no_statement",
    "test_rows_are_changed_each_to_its_own",
    "test_what_is_stored_is_what_sqlalchemy_stores",
]


@pytest.fixture
def engine(database):
    made = open_engine(database, pool_size=1)
    THINGS.metadata.create_all(made)
    yield made
    made.dispose()


def test_a_text_that_is_too_long_is_refused(engine):
    with pytest.raises(DataError, match="too long"):
        store(engine, (Inserting(table=THINGS, columns=("id", "short")), [("a", "短短短短短短")]))
    assert stored(engine) == []
