"""docs/trying-it.md works as it stands: its commands are run against a demo that serves."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from deploy.launcher.documents.catalogue import ROOT
from deploy.servers import debian
from deploy.servers.ports import free_block

#: What must stand in the output, in this order.
EXPECTED = (
    '"located":true', '"standing":"assigned"', 'Etag: "1"', '"state":"in-progress"', '"state":"resolved"',
    "verifier-is-handler", '"state":"verified"', '"state":"closed"', "/evaluate/", '"satisfied":true',
    "intake.matter-opened", "dispatch.matter-closed", '"position":', "invalid-input", "idempotency-key-reused",
    "stale-version", "invalid-token", "unauthenticated",
)  # fmt: skip
CURL = debian.ServerPackage("curl", "curl", lambda: Path(found).parent if (found := shutil.which("curl")) else None)
PROGRAM = "from deploy.launcher.cli import main; main()"


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}


@pytest.fixture
def demo(tmp_path):
    base = free_block(range(1, 6))
    folder = tmp_path / "demo"
    with (tmp_path / "demo.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "demo", "--data-dir", str(folder), "--port-base", str(base)],
            stdout=output, stderr=output, cwd=ROOT, env=environment(),
        )  # fmt: skip
        deadline = time.monotonic() + 280
        while not ready(base):
            assert process.poll() is None, (tmp_path / "demo.log").read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < deadline, (tmp_path / "demo.log").read_text(encoding="utf-8")[-3000:]
            time.sleep(0.3)  # noqa: TID251 -- waiting for another process
        yield base, folder
        process.send_signal(signal.SIGINT)
        process.wait(30)


def ready(base: int) -> bool:
    try:
        return all(requests.get(f"http://127.0.0.1:{base + n}/health/ready", timeout=2).ok for n in range(1, 6))
    except requests.RequestException:
        return False


@pytest.mark.integration
@pytest.mark.timeout(400)
def test_the_walk_through_works(demo):
    base, folder = demo
    debian.ensure(CURL)
    page = (ROOT / "docs" / "trying-it.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL))
    script = re.sub(r"127\.0\.0\.1:870(\d)", lambda found: f"127.0.0.1:{base + int(found[1])}", script)
    script = script.replace("$PWD/.venv/bin", str(Path(sys.executable).parent)).replace("var/demo", str(folder))
    done = subprocess.run(
        ["bash", "-eu", "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment(), check=False
    )
    at = 0
    for words in EXPECTED:
        found = done.stdout.find(words, at)
        assert found >= 0, (
            f"{words!r} is missing after:\n{done.stdout[:at][-800:]}\n…\n{done.stdout[at:]}\n{done.stderr}"
        )
        at = found
    assert done.returncode == 0, done.stderr
