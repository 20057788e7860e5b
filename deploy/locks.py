"""Writes the lock files: every package with its version and hashes, and no address of where it came from.

`requirements.lock` is what a running suite needs; `requirements-dev.lock` adds what its checks need and agrees
with the first. Run by `make lock`, with `--upgrade` to take newer versions. Never edits pyproject.toml.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

#: Root of the repository.
ROOT = Path(__file__).parents[1]
#: Options of pip-compile that keep addresses, options and paths of this machine out of the files.
NEUTRAL = (
    "--generate-hashes", "--strip-extras", "--allow-unsafe", "--resolver=backtracking", "--no-header", "--quiet",
    "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options",
)  # fmt: skip
#: What a lock file may not hold: an address, a path, or an option that carries one.
FORBIDDEN = re.compile(r"://|^\s*--(?!hash=)|(?<![\w.])/\w", re.MULTILINE)
#: First lines of each file.
HEADER = "# {purpose}\n# Written by `make lock` for Python 3.11; not edited by hand.\n"


def main() -> int:
    """Write both files; returns 1 when one would hold an address."""
    extra = sys.argv[1:]
    runtime = _compile("requirements.lock", "What a running suite needs, with hashes.", extra)
    development = _compile(
        "requirements-dev.lock",
        "What a running suite and its checks need, with hashes.",
        ["--extra=dev", "--constraint=requirements.lock", *extra],
    )
    return int(runtime or development)


def _compile(name: str, purpose: str, options: list[str]) -> bool:
    environment = {key: value for key, value in os.environ.items() if key != "PIP_FIND_LINKS"}
    subprocess.run(
        [sys.executable, "-m", "piptools", "compile", *NEUTRAL, *options, "--output-file", name, "pyproject.toml"],
        cwd=ROOT,
        env=environment,
        check=True,
    )
    path = ROOT / name
    text = HEADER.format(purpose=purpose) + path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    found = FORBIDDEN.search(text)
    if found:
        line = text[: found.start()].count("\n") + 1
        sys.stderr.write(f"{name}, line {line}: holds an address, a path or an option; remove its cause\n")
    return found is not None


if __name__ == "__main__":
    sys.exit(main())
