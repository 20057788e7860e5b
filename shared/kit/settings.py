"""What a department's program has to know: who it is, where the broker is, where its spool lies. From its environment.

`gridwhistle declare` writes a file with these variables for each department (docs/department-guide.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class SettingsMissing(Exception):
    """The environment lacks something. Set the variables named and start again."""


@dataclass(frozen=True, kw_only=True)
class KitSettings:
    """Where everything is."""

    #: Id of the department in the pack.
    department: str
    #: `amqp://user:password@host:5672/vhost`, or amqps:// with TLS.
    broker_url: str = field(repr=False)
    spool: Path
    #: Certificate authority of the broker, where it is not a public one.
    ca_file: Path | None = None
    #: Our own certificate and key, where the broker asks for them.
    certificate: Path | None = None
    key: Path | None = None
    #: Seconds that a handler may take to come to its end when the program is told to stop.
    grace_s: float = 20.0


def read(environment: Mapping[str, str] | None = None) -> KitSettings:
    """From DEPARTMENT, DEPARTMENT_BROKER_URL, DEPARTMENT_SPOOL (default ./spool), DEPARTMENT_CA_FILE,
    DEPARTMENT_CERTIFICATE, DEPARTMENT_KEY, DEPARTMENT_GRACE_S. Raises SettingsMissing.
    """  # noqa: D205 -- the list is the summary
    given = os.environ if environment is None else environment
    missing = [name for name in ("DEPARTMENT", "DEPARTMENT_BROKER_URL") if not given.get(name)]
    if missing:
        message = f"not set: {', '.join(missing)}; `gridwhistle declare` writes a file with them for your department"
        raise SettingsMissing(message)

    def path(name: str) -> Path | None:
        return Path(given[name]) if given.get(name) else None

    try:
        grace_s = float(given.get("DEPARTMENT_GRACE_S") or 20.0)
    except ValueError as error:
        message = "DEPARTMENT_GRACE_S is no number of seconds"
        raise SettingsMissing(message) from error
    return KitSettings(
        department=given["DEPARTMENT"], broker_url=given["DEPARTMENT_BROKER_URL"],
        spool=path("DEPARTMENT_SPOOL") or Path("spool"), ca_file=path("DEPARTMENT_CA_FILE"),
        certificate=path("DEPARTMENT_CERTIFICATE"), key=path("DEPARTMENT_KEY"), grace_s=grace_s,
    )  # fmt: skip
