"""Whatever stands in a pack's files, loading ends in a jurisdiction or in named problems, never in anything else."""

from __future__ import annotations

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.jurisdiction import Inputs, InvalidPack, lint, load

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 10**20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["grid", "grid-1", "street-1", "building", "2h", "24:00", "2025-11-05", "[", "{{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


def every_place(value, path=()):
    """Yield the path of every value below."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        yield (*path, key)
        yield from every_place(below, (*path, key))


def answer(folder):
    """Load and ask everything that walks the pack."""
    pack, problems = None, ()
    try:
        pack = load(folder)
    except InvalidPack as refused:
        problems = refused.problems
    if pack is None:
        assert problems
        assert all(problem.code and problem.what and problem.remedy for problem in problems)
        return
    lint(pack)
    for unit in pack.units:
        pack.path(unit)
        pack.start_unit(unit, Inputs("电梯困人", asker="enterprise"))
    pack.classify(Inputs("电梯困人"))
    pack.locate(address="光华里1号楼")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_in_any_place(data, write, files):
    place = data.draw(st.sampled_from(sorted(every_place(files), key=str)))
    *way, last = place
    where = files
    for step in way:
        where = where[step]
    before, where[last] = where[last], data.draw(VALUES)
    try:
        answer(write({file: yaml.safe_dump(content, allow_unicode=True) for file, content in files.items()}))
    finally:
        # The fixture lives longer than one example.
        where[last] = before


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_in_any_file(data, write, files):
    folder = write(files)
    file = data.draw(st.sampled_from(sorted(files)))
    whole = (folder / file).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / file).write_bytes(
        whole[:cut] + data.draw(st.binary(max_size=12)) + whole[cut + data.draw(st.integers(0, 9)) :]
    )
    answer(folder)
