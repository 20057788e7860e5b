"""A pack whose units form a circle is told at start, by its code, and nothing climbs in it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from services.dispatch.domain.circles import CyclicUnits, check_circles
from tests.unit.dispatch.conftest import COMMUNITY, DISTRICT, STREET


def with_parents(pack, **parents):
    units = dict(pack.units)
    for unit, parent in parents.items():
        key = unit.replace("_", "-")
        units[key] = replace(units[key], parent=parent)
    return replace(pack, units=MappingProxyType(units))


def test_a_service_does_not_start_on_a_circle(desk_of, pack):
    with pytest.raises(CyclicUnits, match=f"{STREET} -> {COMMUNITY} -> {STREET}") as error:
        desk_of(with_parents(pack, jianwai=COMMUNITY))
    assert error.value.code == "cyclic-units"
    assert "units.yaml" in str(error.value)


def test_a_unit_that_is_its_own_parent_and_a_sound_pack(pack):
    with pytest.raises(CyclicUnits, match=f"{DISTRICT} -> {DISTRICT}"):
        check_circles(with_parents(pack, chaoyang=DISTRICT))
    check_circles(pack)
