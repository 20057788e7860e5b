"""Where an installation's pack and secrets come from when a person just wants to try it.

`trial_settings` makes a self-contained installation in a folder: SQLite files and secrets made on first use,
kept readable by the owner only. Real installations set the GRIDWHISTLE_* variables themselves; nothing here has
a built-in secret.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from shared import jurisdiction as packs
from shared.kernel.sealing import new_key_text
from shared.runtime.settings import Settings, read

#: The packs that ship with the project.
PACKS = Path(__file__).parents[1] / "jurisdictions"
_SECRETS = "secrets.json"
_SETTINGS = "settings.json"


def pack_folder(name_or_path: str) -> Path:
    """The folder of a pack by name or path. Raises jurisdiction.PackNotFound."""
    return packs.find(name_or_path, PACKS)


def trial_secrets(folder: Path) -> dict[str, str]:
    """The secrets of the installation in `folder`, made on first use."""
    path = folder / _SECRETS
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = {
            "contact_keys": new_key_text(),
            "token_secret": secrets.token_urlsafe(48),
            "link_secret": secrets.token_urlsafe(48),
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(made), encoding="ascii")
    found: dict[str, str] = json.loads(path.read_text(encoding="ascii"))
    return found


def note_settings(settings: Settings) -> None:
    """Write down how the suite in `settings.data_dir` is set up, so that commands beside it find its databases."""
    path = settings.data_dir / _SETTINGS
    path.touch(mode=0o600)
    path.write_text(json.dumps(settings.environment()), encoding="utf-8")


def noted_settings(folder: Path) -> Settings | None:
    """The settings that `note_settings` wrote into the folder; None when there are none. Raises Misconfigured."""
    path = folder / _SETTINGS
    if not path.is_file():
        return None
    return read(json.loads(path.read_text(encoding="utf-8")))


def trial_settings(folder: Path, pack: str, *, port_base: int = 8700, host: str = "127.0.0.1") -> Settings:
    """Settings of a self-contained installation in `folder`."""
    made = trial_secrets(folder)
    return Settings(
        database_url=f"sqlite:///{folder.resolve()}/{{service}}.sqlite",
        jurisdiction=pack_folder(pack),
        data_dir=folder.resolve(),
        host=host,
        port_base=port_base,
        public_url=f"http://{host}:{port_base + 4}",
        contact_keys=made["contact_keys"],
        token_secret=made["token_secret"],
        link_secret=made["link_secret"],
    )
