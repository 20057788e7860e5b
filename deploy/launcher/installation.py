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
from shared.runtime.settings import Settings

#: The packs that ship with the project.
PACKS = Path(__file__).parents[1] / "jurisdictions"
_SECRETS = "secrets.json"


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
