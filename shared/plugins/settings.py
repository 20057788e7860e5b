"""What a plugin's factory is told about the installation: nothing it has no business with, no database, no keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class PluginSettings:
    """A plugin that needs more reads variables of its own (not GRIDWHISTLE_*: unknown ones of those are an error)."""

    #: Folder for files that outlive the process.
    data_dir: Path
    #: `smtp://user:password@host:port`, or empty.
    smtp_url: str = field(default="", repr=False)
    #: TOML file that says how departments are reached, or None.
    departments: Path | None = None
