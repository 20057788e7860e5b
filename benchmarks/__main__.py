"""`python -m benchmarks`: what `make bench` runs; with `up` or `import-demands` it is that command of gridwhistle.

`lifecycle` drives whole lives over HTTP, `commands` says what each command costs intake and dispatch, `duetime` what a
due time costs, `worklists` what scans and lists cost among very many open matters, `whistles` how soon a call is in a
department's queue; without a word, the bulk import is measured.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("up", "import-demands"):
        from deploy.launcher.cli import main as gridwhistle

        gridwhistle()
    elif sys.argv[1:2] == ["lifecycle"]:
        from benchmarks.lifecycle.command import main as lifecycle

        lifecycle(sys.argv[2:])
    elif sys.argv[1:2] == ["commands"]:
        from benchmarks.commands import main as commands

        commands(sys.argv[2:])
    elif sys.argv[1:2] == ["duetime"]:
        from benchmarks.duetime import main as duetime

        duetime(sys.argv[2:])
    elif sys.argv[1:2] == ["worklists"]:
        from benchmarks.worklists import main as worklists

        worklists(sys.argv[2:])
    elif sys.argv[1:2] == ["whistles"]:
        from benchmarks.whistles import main as whistles

        whistles(sys.argv[2:])
    else:
        from benchmarks.import_beside_raw import main

        main()
