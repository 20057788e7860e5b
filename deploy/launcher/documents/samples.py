"""Golden samples: one stored envelope per (type, version) that must load for ever (design section 5, evolution).

A sample is made once, when its event type is new, and never written again: a release that cannot read it has broken the
contract. To change what an event means, register a `.v2` beside it.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marshmallow import fields, validate

from shared.contracts import registry, shapes
from shared.contracts.envelope import SOURCE_PREFIX, Envelope
from shared.contracts.registry import EventType

#: Where samples are kept, below the project's folder.
FOLDER = Path("tests/contract/samples")
_AT = datetime(2026, 11, 22, 1, 30, 0, 250_000, tzinfo=UTC)
_MATTER = "01935a10-7c00-7000-8000-00000000a001"
#: What fields of these names hold in a sample; everything else follows from the field's type.
_KNOWN: dict[str, str] = {
    "days_off": "2027-01-01",
    "makeup_day": "2027-01-09",
    "matter_id": _MATTER,
    "number": "D20261122000001",
    "matter_number": "M20261122000001",
    "unit": "grid-beilangdong-6",
    "from_unit": "grid-beilangdong-6",
    "to_unit": "community-beilangdong",
    "host_unit": "community-beilangdong",
    "whistler": "community-beilangdong",
    "grid": "grid-beilangdong-6",
    "level": "grid",
    "from_level": "grid",
    "to_level": "community",
    "category": "lighting",
    "response_class": "within-week",
    "text": "三单元楼道的灯不亮，老人晚上上下楼不安全😟。",
    "note": "已到现场查看，缺灯管两根。",
    "reason": "beyond-authority",
    "action": "更换灯管并加装扶手",
    "title": "楼道照明与坡道",
    "question": "是否同意加装坡道？",
    "outcome": "灯管已更换，住户试用正常。",
    "address": "光华东里1号楼",
    "description": "更换后的楼道照片",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


def write_missing(root: Path) -> list[Path]:
    """Make the samples that are missing; returns them. Existing ones are never touched."""
    made = []
    for row in registry.all_types():
        path = path_of(row, root)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            content = json.loads(envelope_of(row).to_bytes())
            path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            made.append(path)
    return made


def path_of(row: EventType, root: Path) -> Path:
    """Where the sample of a type lies."""
    return root / FOLDER / f"{row.name}.v{row.version}.json"


def envelope_of(row: EventType) -> Envelope:
    """A plausible event of a type, every field filled, the same every time."""
    data = shapes.dump(_filled(row.shape))
    return Envelope(
        id="01935a10-7c00-7000-8000-000000000001",
        source=SOURCE_PREFIX + row.owner,
        type=row.type,
        subject=str(data.get("matter_id") or data[row.key]),
        time=_AT,
        stream=f"{row.owner}.{row.stream}:{data[row.key]}",
        streamversion=1,
        correlationid="01935a10-7c00-7000-8000-00000000c001",
        causationid="01935a10-7c00-7000-8000-00000000c002",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        classification=row.classification,
        data=data,
    )


def _filled(shape: type[Any]) -> Any:
    schema = shapes.schema_of(shape)
    hints = typing.get_type_hints(shape)
    values = {
        field.name: _value(field.name, schema.fields[field.name], hints[field.name])
        for field in dataclasses.fields(shape)
    }
    return shape(**values)


def _value(name: str, field: fields.Field[Any], hint: Any) -> Any:  # noqa: PLR0911 -- one return for each kind
    if isinstance(field, fields.List):
        inner = next(each for each in typing.get_args(hint) if each is not Ellipsis)
        return (_value(name.removesuffix("s"), field.inner, inner),)
    if isinstance(field, fields.Nested):
        ways = (each for each in (*_members(hint), hint) if isinstance(each, type))
        return _filled(next(each for each in ways if dataclasses.is_dataclass(each)))
    allowed = next((rule for rule in _rules(field) if isinstance(rule, validate.OneOf)), None)
    if allowed is not None:
        return next(iter(allowed.choices))
    if isinstance(field, fields.Boolean):
        return False
    if isinstance(field, fields.Integer | fields.Float):
        bounds = next((rule for rule in _rules(field) if isinstance(rule, validate.Range)), validate.Range())
        least = bounds.min if bounds.min is not None else 0
        return max(int(least), 1) if isinstance(field, fields.Integer) else max(float(least), 0.25)
    if isinstance(field, shapes.Instant):
        return _AT
    if isinstance(field, fields.Dict):
        return {"rule": "sample", "matched": ["灯"]}
    if name.endswith("_id") and name not in _KNOWN:
        return f"01935a10-7c00-7000-8000-{sum(map(ord, name)):012d}"
    return _KNOWN.get(name, f"sample-{name.replace('_', '-')}")


def _rules(field: fields.Field[Any]) -> list[Any]:
    return list(field.validators)


def _members(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else ()
