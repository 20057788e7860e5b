"""Samples where a process spends its CPU time, from its first to its last moment; found by Python through PYTHONPATH.

A signal every few milliseconds of CPU time looks at the frame at work: works under eventlet, whose green threads all
live in the main thread. Writes `<folder>/<name>.json` when the process ends and now and then before.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

_EVERY_S = 0.004
_WRITE_EVERY = 1_000
_FOLDER = os.environ.get("BENCH_SAMPLES", "")
_own: Counter[str] = Counter()
_below: Counter[str] = Counter()
_taken = 0


def _name(frame: FrameType) -> str:
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-3:])}:{code.co_qualname}"


def _sample(_number: int, frame: FrameType | None) -> None:
    global _taken  # noqa: PLW0603 -- a signal handler has nowhere else
    if frame is None:
        return
    _own[_name(frame)] += 1
    seen = set()
    while frame is not None:
        seen.add(_name(frame))
        frame = frame.f_back
    _below.update(seen)
    _taken += 1
    if _taken % _WRITE_EVERY == 0:
        _write()


def _write() -> None:
    # A sample taken meanwhile would change what is being written.
    kept = signal.signal(signal.SIGPROF, signal.SIG_IGN)
    name = sys.argv[sys.argv.index("--name") + 1] if "--name" in sys.argv else f"process-{os.getpid()}"
    content = {"samples": _taken, "own": _own.most_common(80), "below": _below.most_common(300)}
    Path(_FOLDER, f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    signal.signal(signal.SIGPROF, kept)


if _FOLDER and "deploy.launcher.process" in " ".join(sys.orig_argv):
    signal.signal(signal.SIGPROF, _sample)
    signal.siginterrupt(signal.SIGPROF, False)  # noqa: FBT003 -- system calls go on: libpq takes EINTR for an error
    signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)
    atexit.register(_write)
