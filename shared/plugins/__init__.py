"""Plugins: what other packages may add by entry points, and the loader that keeps the suite alive when one fails.

A third-party package names a factory under one of `GROUPS` in its own metadata; nothing here has to be touched:

    [project.entry-points."gridwhistle.notifiers"]
    pigeon = "pigeon_post:make"

The factory takes `PluginSettings` and gives the plugin, or None when the plugin is not configured. It must never be
given the database, and never be trusted: whatever it raises is counted and shown, and the service goes on.
"""

from __future__ import annotations

from shared.plugins.loader import GROUPS, Plugin, PluginBroken, Plugins, load
from shared.plugins.notifiers import (
    Contact,
    Message,
    Notifier,
    PermanentFailure,
    Receipt,
    SettlingNotifier,
    TemporaryFailure,
)
from shared.plugins.settings import PluginSettings

__all__ = [
    "GROUPS",
    "Contact",
    "Message",
    "Notifier",
    "PermanentFailure",
    "Plugin",
    "PluginBroken",
    "PluginSettings",
    "Plugins",
    "Receipt",
    "SettlingNotifier",
    "TemporaryFailure",
    "load",
]
