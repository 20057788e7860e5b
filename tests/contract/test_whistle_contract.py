"""The outsiders' contract is frozen: one stored sample of each message and answer loads for ever, and loses nothing.

A sample is never rewritten. A new type gets one by `python -m tests.contract.test_whistle_contract`.
"""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from marshmallow import fields

from deploy.launcher.documents import asyncapi_departments, samples
from shared.contracts import dispatch, envelope, shapes, whistles

FOLDER = Path(__file__).parent / "whistles"
STORED = sorted(FOLDER.glob("*.json"))
TOLD = [path for path in STORED if path.name.startswith("whistle.")]
ANSWERS = [path for path in STORED if path.name.startswith("answer.")]


def _made():
    """Sample file name -> bytes, for every message and answer that there is."""
    about = {"correlation_id": "01935a10-7c00-7000-8000-00000000c001", "causation_id": None, "traceparent": None}
    for type_, shape in whistles.TOLD.items():
        message = samples._filled(shape)
        yield (
            type_.removeprefix("gridwhistle."),
            whistles.envelope(message, version=1, at=samples._AT, **about).to_bytes(),
        )
    for answer in whistles.ANSWERS:
        answering = whistles.Answering(id="water-2026-000017", answer=answer, content=samples._filled(whistles.Answer))
        content = whistles.answer_content(answering, source="urn:department:dept-water", at=samples._AT)
        yield f"answer.{answer}.v1", json.dumps(content, ensure_ascii=False).encode()


def test_every_message_and_answer_has_a_sample():
    assert {path.stem for path in STORED} == {name for name, _ in _made()}


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_a_stored_message_loads_and_is_written_again_as_it_was(path):
    stored = json.loads(path.read_bytes())
    read = envelope.from_bytes(path.read_bytes())
    telling = whistles.read_told(path.read_bytes())
    assert telling.type == f"gridwhistle.{path.stem}"
    again = shapes.dump(telling.message)
    assert {name: again[name] for name in stored["data"]} == stored["data"]
    assert json.loads(read.to_bytes()) == stored
    assert read.type in whistles.TOLD
    assert whistles.key_in(read.stream) == whistles.key_of(telling.message.department)


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_a_stored_answer_loads(path):
    answering = whistles.read_answer(path.read_bytes())
    assert f"answer.{answering.answer}.v1" == path.stem
    stored = json.loads(path.read_bytes())["data"]
    again = shapes.dump(answering.content)
    assert {name: again[name] for name in stored} == stored


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_departments_tolerate_what_a_newer_release_adds(path):
    content = json.loads(path.read_bytes()) | {"addedlater": "x"}
    content["data"]["added_later"] = {"deep": [1]}
    assert whistles.read_told(json.dumps(content).encode()).message == whistles.read_told(path.read_bytes()).message


@pytest.mark.parametrize("shape", whistles.TOLD.values(), ids=lambda shape: shape.__name__)
def test_nothing_in_a_message_can_hold_the_asker(shape):
    """By name: whoever adds such a field meets this line, and the rule behind it (research/interop.md, 3.3)."""
    names = set(shapes.schema_of(shape).fields)
    assert not names & {
        "asker", "asker_kind", "contact", "name", "phone", "mail", "address", "text", "demand", "demand_id", "channel",
    }  # fmt: skip
    for field in shapes.schema_of(shape).fields.values():
        assert not isinstance(field, fields.Dict) or shape is whistles.AnswerRefused


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_samples_are_valid_by_the_document_for_departments_and_spoilt_ones_are_not(path):
    document = asyncapi_departments.document()
    payload = document["components"]["messages"][path.stem.removesuffix(".v1")]["payload"]
    validator = jsonschema.Draft202012Validator(payload | {"components": document["components"]})
    content = json.loads(path.read_bytes())
    assert list(validator.iter_errors(content)) == []
    content["data"]["whistle" if "whistle" in content["data"] else "department"] = 7
    assert not validator.is_valid(content)


def test_the_document_for_departments_says_nothing_internal():
    text = asyncapi_departments.text()
    for internal in ("gridwhistle.intake", "gridwhistle.dispatch", "gridwhistle.dead", "oversight", "demand"):
        assert internal not in text


def test_the_answers_are_those_of_dispatch():
    assert whistles.ANSWERS == dispatch.ANSWERS


def test_names_are_the_designs():
    assert whistles.EXCHANGE == "gridwhistle.whistles"
    assert whistles.key_of("water") == "whistle.water"
    assert whistles.exchange_of("water") == "department.water"
    assert whistles.department_of("department.water") == "water"
    assert whistles.department_of("gridwhistle.dispatch") is None
    assert whistles.addressee("whistle.water:w-1") == "water"
    assert whistles.addressee("dispatch.whistle:w-1") is None


if __name__ == "__main__":
    for name, raw in _made():
        path = FOLDER / f"{name}.json"
        if not path.exists():
            path.write_bytes(json.dumps(json.loads(raw), ensure_ascii=False, indent=2).encode() + b"\n")
