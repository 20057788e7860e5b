"""`python -m tests.chaos.builds NAME serve|relay SERVICE --port N`: a process of the suite, of the build NAME."""

from __future__ import annotations

import sys

if sys.argv[2:3] == ["serve"]:
    import shared.runtime.green  # noqa: F401 -- must be first in a serving process

from deploy.launcher.process import main
from tests.chaos.builds import planted

with planted(sys.argv[1]):
    code = main(sys.argv[2:])
sys.exit(code)
