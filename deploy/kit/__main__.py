"""Build `gridwhistle_kit-<version>-py3-none-any.whl` from the modules that `import shared.kit` needs, and only those.

A department installs that file. It must never hold a module that reaches into the suite.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement

_ROOT = Path(__file__).parents[2]
_DEPENDENCIES = ("marshmallow", "pika")
_LISTING = (
    "import sys; import shared.kit; "
    "print('\\n'.join(sorted(module.__file__ for name, module in sys.modules.items() if name.startswith('shared'))))"
)
_PROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "gridwhistle-kit"
version = "{version}"
description = "Gridwhistle 网格哨: receive whistle calls and answer them from a department's own program"
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = {dependencies}

[tool.setuptools]
packages = {packages}
"""


def build(folder: Path) -> Path:
    """Build the wheel into a folder; returns it. Raises subprocess.CalledProcessError with what pip said."""
    listed = subprocess.run(
        [sys.executable, "-c", _LISTING], cwd=_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    modules = [Path(line).relative_to(_ROOT) for line in listed]
    packages = sorted({".".join(module.parent.parts) for module in modules})
    with tempfile.TemporaryDirectory(prefix="gridwhistle-kit-") as temporary:
        source = Path(temporary)
        for module in modules:
            (source / module.parent).mkdir(parents=True, exist_ok=True)
            shutil.copy(_ROOT / module, source / module)
        text = _PROJECT.format(version=version("gridwhistle"), dependencies=_dependencies(), packages=packages)
        (source / "pyproject.toml").write_text(text, encoding="utf-8")
        subprocess.run(
            [
                sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir",
                str(folder.resolve()), str(source),
            ],
            check=True,
        )  # fmt: skip
    return next(iter(sorted(folder.glob("gridwhistle_kit-*.whl"))))


def _dependencies() -> list[str]:
    """With the bounds of the suite's own pyproject.toml."""
    own = [Requirement(each) for each in requires("gridwhistle") or ()]
    return [f"{each.name}{each.specifier}" for each in own if each.name in _DEPENDENCIES and each.marker is None]


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))  # noqa: T201 -- a command's answer
