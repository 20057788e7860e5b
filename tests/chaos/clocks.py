"""Each process of a suite reads the time through a name of its own, so that one clock alone can be wrong.

The name is a link to the suite's clock file; stepping one process puts a file of its own in the link's place.
"""

from __future__ import annotations

from dataclasses import replace

#: Folder of the links, below the data folder.
CLOCKS = "clocks"


def with_own_clock(settings, name):
    """Settings for one process. Unchanged when the suite has no clock file."""
    if settings.clock_file is None:
        return settings
    path = settings.data_dir / CLOCKS / name
    path.parent.mkdir(exist_ok=True)
    if not path.is_symlink() and not path.exists():
        path.symlink_to(settings.clock_file)
    return replace(settings, clock_file=path)


def step_alone(settings, name, offset):
    """Let one process believe that many seconds more than the machine's clock says."""
    draft = settings.data_dir / CLOCKS / f"{name}.draft"
    draft.write_text(repr(offset), encoding="ascii")
    draft.replace(settings.data_dir / CLOCKS / name)


def rejoin(settings, name):
    """Let it read the suite's clock again."""
    draft = settings.data_dir / CLOCKS / f"{name}.draft"
    draft.unlink(missing_ok=True)
    draft.symlink_to(settings.clock_file)
    draft.replace(settings.data_dir / CLOCKS / name)
