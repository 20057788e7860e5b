"""The whistle contract answered by a program in another language, written from docs/department-guide.md alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.servers import debian
from deploy.servers.debian import ServerPackage
from shared.contracts import whistles
from tests.integration.departments.bridge import Bridge
from tests.integration.departments.conftest import WATER, url_of

HERE = Path(__file__).parent / "node"
GUIDE = Path(__file__).parents[3] / "docs" / "department-guide.md"


def _node() -> Path | None:
    found = shutil.which("node"), shutil.which("npm")
    return Path(found[0]).parent if all(found) else None


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program with its one library, installed as its author would."""
    debian.ensure(ServerPackage("Node.js", "npm", _node))
    folder = shutil.copytree(HERE, tmp_path_factory.mktemp("node") / "department")
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--silent"]
    subprocess.run(["npm", "install", *quiet], cwd=folder, check=True, timeout=240)
    return folder / "department.mjs"


@pytest.fixture
def bridge(declared):
    made = Bridge(declared)
    yield made
    made.close()


def test_it_answers_the_same_contract(program, bridge, declared, tmp_path):
    environment = {
        "PATH": os.environ["PATH"], "DEPARTMENT": WATER, "DEPARTMENT_BROKER_URL": url_of(declared, WATER),
        "SEEN_FILE": str(tmp_path / "seen"),
    }  # fmt: skip
    wet = bridge.whistle("门前积水,请到场")
    bridge.carry()
    with subprocess.Popen(["node", str(program)], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            dry = bridge.whistle("楼道照明")
            bridge.until(lambda: len(bridge.answered()) == 4)
            bridge.carry()
            lines = [json.loads(process.stdout.readline()) for _ in range(8)]
        finally:
            process.terminate()
    assert sorted(bridge.answered()) == sorted(
        [(wet, WATER, "accepted"), (wet, WATER, "completed"), (dry, WATER, "accepted"), (dry, WATER, "declined")]
    )
    heard = [line["type"].removeprefix("gridwhistle.whistle.").removesuffix(".v1") for line in lines]
    assert heard.count("called") == 2
    assert heard.count("answer-taken") >= 3
    assert bridge.events("whistle-answered")[-1]["answered_by"] == "department.dept-water"


def test_the_guide_names_everything_of_the_contract_in_both_languages():
    """What a programmer of another language reads is what the code does."""
    for text in (GUIDE.read_text(encoding="utf-8"), GUIDE.with_suffix(".zh-CN.md").read_text(encoding="utf-8")):
        told = set(re.findall(r"`(gridwhistle\.whistle\.[a-z-]+\.v1)`", text))
        answers = set(re.findall(r"`(gridwhistle\.answer\.[a-z-]+\.v1)`", text))
        assert told == set(whistles.TOLD)
        assert answers == {whistles.answer_type(answer) for answer in whistles.ANSWERS}
        assert set(re.findall(r"`(answer\.[a-z-]+)`", text)) == set(whistles.ANSWER_KEYS)
        assert {cause for cause in whistles.CAUSES if f"`{cause}`" in text} == set(whistles.CAUSES)
        examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
        call, answer = examples
        telling = json.dumps({"id": "x", "type": "gridwhistle.whistle.called.v1", "data": call}).encode()
        assert isinstance(whistles.read_told(telling).message, whistles.Called)
        assert set(call) == set(whistles.Called.__dataclass_fields__), "the example shows every field"
        assert whistles.read_answer(json.dumps(answer).encode()).answer == "declined"
