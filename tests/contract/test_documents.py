"""The committed documents are what the code says, are well-formed, and describe what really happens."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from openapi_spec_validator import validate

from deploy.launcher import services
from deploy.launcher.cli import docs, group
from deploy.launcher.documents import asyncapi, catalogue, metrics, openapi, samples
from deploy.launcher.documents.reading import Refused, read
from services.intake import handlers as intake
from services.intake.web import views
from shared.contracts import registry, topology
from shared.contracts.topology import SERVICES

ROOT = catalogue.ROOT


@pytest.fixture(scope="module")
def asyncapi_document() -> dict[str, Any]:
    return asyncapi.document()


def test_committed_documents_are_up_to_date():
    """Mend with `gridwhistle docs write`, read the diff, commit."""
    found = "".join(each.diff for each in catalogue.differences())
    assert not found


def test_a_changed_document_is_noticed_and_mended(tmp_path, monkeypatch):
    for folder in ("services", "shared"):
        (tmp_path / folder).symlink_to(catalogue.ROOT / folder)
    shutil.copytree(catalogue.ROOT / "docs", tmp_path / "docs")
    shutil.copytree(catalogue.ROOT / "deploy" / "rabbitmq", tmp_path / "deploy" / "rabbitmq")
    shutil.copytree(catalogue.ROOT / samples.FOLDER, tmp_path / samples.FOLDER)
    commands = tmp_path / "docs" / "commands.md"
    commands.write_text(commands.read_text(encoding="utf-8") + "| by hand |\n", encoding="utf-8")
    (tmp_path / "docs" / "states.md").unlink()
    (tmp_path / samples.FOLDER / "intake.matter-opened.v1.json").unlink()
    (tmp_path / samples.FOLDER / "intake.forgotten.v1.json").write_text("{}", encoding="utf-8")
    changed = {each.path.name: each.diff for each in catalogue.differences(tmp_path)}
    assert changed.keys() == {"commands.md", "states.md", "intake.matter-opened.v1.json", "intake.forgotten.v1.json"}
    assert "-| by hand |" in changed["commands.md"]
    (tmp_path / samples.FOLDER / "intake.forgotten.v1.json").unlink()
    assert {path.name for path in catalogue.write(tmp_path)} == changed.keys() - {"intake.forgotten.v1.json"}
    assert list(catalogue.differences(tmp_path)) == []

    monkeypatch.setattr(catalogue.differences, "__defaults__", (tmp_path,))
    (tmp_path / "docs" / "states.md").unlink()
    refused = CliRunner().invoke(docs.command, ["check"])
    assert refused.exit_code == 1
    assert "states.md (generated)" in refused.output
    told = json.loads(CliRunner().invoke(docs.command, ["check", "--json"]).output)
    assert [each["path"] for each in told["differs"]] == ["docs/states.md"]


def test_every_reference_of_the_asyncapi_document_leads_somewhere(asyncapi_document):
    references = list(_references(asyncapi_document))
    assert len(references) > 100
    for reference in references:
        _follow(asyncapi_document, reference)


def test_the_asyncapi_document_has_every_exchange_queue_and_event(asyncapi_document):
    channels = asyncapi_document["channels"]
    names = {f"exchange.gridwhistle.{service}" for service in SERVICES}
    names |= {f"queue.{subscription.queue}" for subscription in topology.subscriptions()}
    assert channels.keys() == names | {f"queue.{topology.DEAD_QUEUE}"}
    assert asyncapi_document["components"]["messages"].keys() == {row.name for row in registry.all_types()}
    told = [name for key, channel in channels.items() if key.startswith("exchange.") for name in channel["messages"]]
    assert sorted(told) == [row.name for row in registry.all_types()]


@pytest.mark.parametrize("row", registry.all_types(), ids=lambda row: row.name)
def test_samples_are_valid_by_the_asyncapi_schema_and_spoilt_ones_are_not(asyncapi_document, row):
    payload = asyncapi_document["components"]["messages"][row.name]["payload"]
    validator = jsonschema.Draft202012Validator(payload | {"components": asyncapi_document["components"]})
    content = json.loads(samples.path_of(row, catalogue.ROOT).read_bytes())
    assert list(validator.iter_errors(content)) == []
    content["data"][row.key] = 7
    assert not validator.is_valid(content)


@pytest.mark.parametrize("name", SERVICES)
def test_openapi_documents_are_valid_and_complete(name):
    document = yaml.safe_load((catalogue.ROOT / "docs" / "openapi" / f"{name}.yaml").read_text(encoding="utf-8"))
    validate(document)
    operations = {(method, path) for path, methods in document["paths"].items() for method in methods}
    definition = services.definition(name)
    assert len(operations) == len(definition.routes)
    described = set()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            described.add(operation["operationId"].split(".", 1)[1])
            in_path = {each["name"] for each in operation.get("parameters", ()) if each.get("in") == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))
    assert {route.command for route in definition.routes if route.command} <= described


@pytest.mark.parametrize("name", SERVICES)
def test_path_parameters_of_a_command_are_its_fields(name):
    definition = services.definition(name)
    for route in definition.routes:
        if route.command is not None:
            fields = definition.commands[route.command].shape.__dataclass_fields__
            assert set(openapi.path_parameters(route)) <= fields.keys(), route.path


def test_reading_a_handler_finds_its_refusals():
    found = read(intake.locate_matter)
    assert found.checks_version
    assert found.gives_version
    assert {
        Refused(status=412, code="stale-version"),
        Refused(status=409, code="already-located"),
        Refused(status=403, code="out-of-scope"),
        Refused(status=409, code="matter-not-open"),
    } <= found.refusals
    assert not read(intake.reveal_contact).checks_version
    assert read(views.unlocated).parameters == {"cursor", "limit"}


def test_metrics_have_one_prefix_and_counters_end_in_total():
    for name in metrics.names(catalogue.ROOT):
        assert name.startswith("gridwhistle_")
    page = metrics.text(catalogue.ROOT)
    for line in page.splitlines():
        if "| counter |" in line:
            assert line.split("`")[1].endswith("_total")


def test_a_metric_without_a_literal_name_is_refused(tmp_path):
    (tmp_path / "shared" / "runtime").mkdir(parents=True)
    bad = tmp_path / "shared" / "runtime" / "bad.py"
    bad.write_text("metrics.counter(f'{x}_total', 'About')\n", encoding="utf-8")
    with pytest.raises(metrics.Unreadable, match=r"bad\.py:1"):
        metrics.text(tmp_path)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for part in value.values() for each in _references(part)]
    if isinstance(value, list):
        return [each for part in value for each in _references(part)]
    return []


def _follow(document: Any, reference: str) -> None:
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        document = document[part]


def test_the_project_folder_is_where_the_documents_are():
    assert (Path(catalogue.ROOT) / "pyproject.toml").exists()


PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target.split("#", 1)[0]).exists(), target


NAMED = {
    name
    for page in PAGES
    for name in re.findall(r"gridwhistle ([a-z]+(?:-[a-z]+)*)\b", page.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_command_named_in_the_documents_exists(name):
    told = CliRunner().invoke(group, [name, "--help"])
    assert told.exit_code == 0, told.output
