"""A text is divided into what is planned once and what is given each time."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.ledger.prepared import halves


def divided(text, **values):
    found = halves(text, tuple((name, type(value)) for name, value in values.items()))
    return found.prepare.partition(" AS ")[2], found.execute.partition(" (")[2].removesuffix(")")


def test_a_value_used_twice_is_given_once():
    body, given = divided("SELECT a FROM t WHERE a = %(a)s AND (b = %(b)s OR c = %(a)s)", a="1", b="2")
    assert body == "SELECT a FROM t WHERE a = $1 AND (b = $2 OR c = $1)"
    assert given == "%(a)s, %(b)s"


def test_casts_stay_and_are_given_too():
    body, given = divided(
        "INSERT INTO t SELECT * FROM unnest(%(a)s::TIMESTAMP WITH TIME ZONE[], %(b)s::JSONB[], %(c)s::VARCHAR(20))",
        a=[], b=[], c="x",
    )  # fmt: skip
    assert body == "INSERT INTO t SELECT * FROM unnest($1::TIMESTAMP WITH TIME ZONE[], $2::JSONB[], $3::VARCHAR(20))"
    assert given == "%(a)s::TIMESTAMP WITH TIME ZONE[], %(b)s::JSONB[], %(c)s::VARCHAR(20)"


def test_what_has_a_type_as_a_literal_has_it_still():
    body, _ = divided(
        "UPDATE t SET a = %(a)s, b = %(b)s, c = %(c)s, d = %(d)s, e = %(e)s, f = %(f)s",
        a=1, b=True, c=datetime.now(UTC), d=1.5, e="text", f=None,
    )  # fmt: skip
    assert body == (
        "UPDATE t SET a = $1::bigint, b = $2::boolean, c = $3::timestamptz, d = $4::double precision, e = $5, f = $6"
    )


def test_a_percent_sign_is_one_again():
    assert divided("SELECT a %% 2 FROM t WHERE b LIKE 'x%%' AND c = %(c)s", c="1")[0] == (
        "SELECT a % 2 FROM t WHERE b LIKE 'x%' AND c = $1"
    )


def test_texts_that_differ_have_names_that_differ():
    names = {halves(text, (("a", str),)).execute.split()[1] for text in ("SELECT %(a)s", "SELECT 1, %(a)s")}
    assert len(names) == 2
