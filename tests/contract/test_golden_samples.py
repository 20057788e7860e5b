"""One stored sample per (type, version) must load for ever, and must not lose a field on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from marshmallow import fields

from deploy.launcher.documents import samples
from shared.contracts import envelope, registry, shapes

ROOT = Path(__file__).parents[2]
STORED = sorted((ROOT / samples.FOLDER).glob("*.json"))


@pytest.mark.parametrize("row", registry.all_types(), ids=lambda row: f"{row.name}.v{row.version}")
def test_every_type_has_a_sample(row):
    assert samples.path_of(row, ROOT).exists(), "run `gridwhistle docs write` and commit the new sample"


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_sample_loads(path):
    read = envelope.from_bytes(path.read_bytes())
    assert f"{read.name}.v{registry.by_type(read.type).version}" == path.stem
    assert read.classification == registry.by_type(read.type).classification, "a type travels no further than before"
    event = read.payload()
    assert _lost(read.data, shapes.dump(event)) == [], "fields that old events carry are no longer understood"


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_sample_stays_the_same_when_written_again(path):
    stored = json.loads(path.read_bytes())
    assert json.loads(envelope.from_bytes(path.read_bytes()).to_bytes()) == stored


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_newer_release_may_have_added_fields(path):
    content = json.loads(path.read_bytes())
    content["addedlater"] = "x"
    members = shapes.schema_of(registry.by_type(content["type"]).shape).fields
    for name, value in content["data"].items():
        for nested in value if isinstance(value, list) else [value]:
            if isinstance(nested, dict) and not isinstance(members[name], fields.Dict):
                nested["added_later"] = None
    content["data"]["added_later"] = {"deep": [1, 2]}
    read = envelope.from_bytes(json.dumps(content).encode())
    assert read.payload() == envelope.from_bytes(path.read_bytes()).payload()


def test_the_generator_never_rewrites_a_sample(tmp_path):
    row = registry.all_types()[0]
    path = samples.path_of(row, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("kept", encoding="utf-8")
    made = samples.write_missing(tmp_path)
    assert path.read_text(encoding="utf-8") == "kept"
    assert path not in made
    assert len(made) == len(registry.all_types()) - 1


def _lost(old: Any, new: Any, at: str = "data") -> list[str]:
    """Paths of values in `old` that `new` no longer has, or has otherwise."""
    if isinstance(old, dict):
        gone = [f"{at}.{key}" for key in old if key not in new]
        return gone + [path for key in old if key in new for path in _lost(old[key], new[key], f"{at}.{key}")]
    if isinstance(old, list):
        same_length = isinstance(new, list) and len(old) == len(new)
        if not same_length:
            return [at]
        return [path for index, each in enumerate(old) for path in _lost(each, new[index], f"{at}[{index}]")]
    return [] if old == new else [at]
