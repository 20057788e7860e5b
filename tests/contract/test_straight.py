"""The straight way through a shape never differs from marshmallow's: same result, same bytes, or no verdict at all."""

from __future__ import annotations

import math
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import EXCLUDE, RAISE, ValidationError, fields

from deploy.launcher.documents import samples
from shared.contracts import registry, shapes
from shared.contracts.straight import NotStraight, Way
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Invalid

EVENTS = [row.shape for row in registry.all_types()]
COMMANDS = [
    command.shape
    for name in SERVICES
    for command in import_module(f"services.{name}.definition").DEFINITION.commands.values()
]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("\x00"), st.just("\ud800"),
    st.just(" "), st.just("x" * 20_001), st.just(2**53 + 1), st.just(math.inf), st.just(True), st.just(1.0),
    st.just("2026-11-17T09:00:00+08:00"), st.just("2026-11-17"), st.just("resident"), st.just("note"),
    st.just({}), st.just([]), st.just([None]), st.just({"zzz": 1}), st.just({1: 2}), st.just([{}]), st.just(("a",)),
)  # fmt: skip


def by_marshmallow(shape, content, *, tolerant):
    return shapes.build(shape, shapes.schema_of(shape, unknown=EXCLUDE if tolerant else RAISE).load(content))


def plain(shape):
    """The sample content of a shape, as JSON."""
    return shapes.dump(samples._filled(shape))


def way(shape):
    return shapes._straight(shape)


@pytest.mark.parametrize("shape", EVENTS + COMMANDS, ids=lambda shape: shape.__name__)
def test_right_content_goes_straight_and_means_the_same(shape):
    content = plain(shape)
    assert way(shape).read(content, tolerant=False) == by_marshmallow(shape, content, tolerant=False)
    assert way(shape).read(content | {"zzz": 1}, tolerant=True) == by_marshmallow(shape, content, tolerant=True)
    required = {name: content[name] for name, field in shapes.schema_of(shape).fields.items() if field.required}
    assert way(shape).read(required, tolerant=False) == by_marshmallow(shape, required, tolerant=False)


@pytest.mark.parametrize("shape", EVENTS + COMMANDS, ids=lambda shape: shape.__name__)
def test_writing_straight_gives_the_same_in_the_same_order(shape):
    filled = samples._filled(shape)
    for value in (filled, by_marshmallow(shape, plain(shape), tolerant=True)):
        straight, judged = way(shape).write(value), shapes.schema_of(shape).dump(value)
        assert straight == judged
        assert list(straight) == list(judged)


@given(data=st.data(), shape=st.sampled_from(EVENTS + COMMANDS), tolerant=st.booleans())
def test_odd_content_is_read_alike_or_not_at_all(data, shape, tolerant):
    content = plain(shape)
    for path in data.draw(st.lists(st.sampled_from(sorted(paths(content))), max_size=3)):
        change(content, path, data.draw(ODD), gone=data.draw(st.booleans()))
    try:
        straight = way(shape).read(content, tolerant=tolerant)
    except NotStraight:
        return
    judged = by_marshmallow(shape, content, tolerant=tolerant)
    assert straight == judged
    assert repr(straight) == repr(judged)  # 1, 1.0 and True are equal, and not the same


def paths(content, prefix=()):
    """Every place in a JSON value, and one that is not there."""
    found = {(*prefix, "zzz")}
    for name, value in content.items():
        found.add((*prefix, name))
        if isinstance(value, dict):
            found |= paths(value, (*prefix, name))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            found |= paths(value[0], (*prefix, name, 0))
    return {tuple(map(str, path)) for path in found}


def change(content, path, value, *, gone):
    *way_there, last = path
    for step in way_there:
        content = content.get(step) if isinstance(content, dict) else content[0] if content else None
        if not isinstance(content, dict | list):
            return
    if isinstance(content, dict):
        content.pop(last, None)
        if not gone:
            content[last] = value


def test_what_is_wrong_is_told_by_marshmallow():
    shape = registry.by_name("dispatch.matter-accepted").shape
    with pytest.raises(NotStraight):
        way(shape).read({"matter_id": 7}, tolerant=False)
    with pytest.raises(Invalid) as refused:
        shapes.load(shape, {"matter_id": 7})
    with pytest.raises(ValidationError) as judged:
        by_marshmallow(shape, {"matter_id": 7}, tolerant=False)
    assert refused.value.fields == shapes.flatten(judged.value.messages)


def test_a_kind_of_field_that_is_not_known_never_goes_straight():
    way = Way(dict, {"mail": fields.Email(required=True)}, nested=lambda _field: None)
    with pytest.raises(NotStraight):
        way.read({"mail": "a@b.cn"}, tolerant=True)
