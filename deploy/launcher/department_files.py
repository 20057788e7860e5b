"""What each department is handed to connect: a file with its user, password and address, for its eyes only.

Passwords enter and leave the suite by files alone: never by a command line, a log or the screen.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import yaml

from shared.kernel.errors import Misconfigured
from shared.wire.department_users import Made

#: Shortest password that may be given.
SHORTEST = 16


def passwords_in(path: Path) -> dict[str, str]:
    """Department -> password, from a YAML file that only its owner may read. Raises Misconfigured."""
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            message = f"{path} may be read by others than its owner; run: chmod 600 {path}"
            raise Misconfigured(message)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # The error of a YAML file quotes it.
        message = f"{path} cannot be read as YAML ({type(error).__name__}); write lines like `dept-water: password`"
        raise Misconfigured(message) from None
    if not isinstance(content, Mapping) or not all(isinstance(one, str) for pair in content.items() for one in pair):
        message = f"{path} is no list of `department: password`; quote passwords that are numbers"
        raise Misconfigured(message)
    short = sorted(name for name, password in content.items() if len(password) < SHORTEST)
    if short:
        message = f"{path}: the password of {', '.join(short)} is shorter than {SHORTEST} characters"
        raise Misconfigured(message)
    return dict(content)


def write(folder: Path, broker_url: str, made: Iterable[Made]) -> tuple[Path, ...]:
    """One file for each department whose password was set now; returns where they lie. Raises Misconfigured."""
    written = []
    for one in made:
        if one.password is None:
            continue
        path = folder / f"{one.department}.env"
        lines = (
            f"# {one.department}: for the department's program alone 仅供该部门程序使用 (docs/department-guide.md)",
            f"DEPARTMENT={one.department}",
            f"DEPARTMENT_BROKER_URL={_address(broker_url, one)}",
        )
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.unlink(missing_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror}; the password is set: run again with --new-password"
            raise Misconfigured(message) from error
        written.append(path)
    return tuple(written)


def _address(broker_url: str, one: Made) -> str:
    parts = urlsplit(broker_url)
    host = parts.netloc.rpartition("@")[2]
    own = f"{quote(one.user, safe='')}:{quote(one.password or '', safe='')}@{host}"
    return urlunsplit((parts.scheme, own, parts.path, parts.query, ""))
