"""Configuration: `GRIDWHISTLE_*` variables and one optional TOML file, read once into a frozen object.

Variables win over the file (`GRIDWHISTLE_CONFIG` names it). An unknown variable is an error, because a misspelt
one would otherwise be ignored in silence. Secrets have no default.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.kernel.errors import Misconfigured
from shared.ledger.retention import Retention

_PREFIX = "GRIDWHISTLE_"
#: Variables of the same prefix that are read elsewhere: the file's name, and a client's own token.
_ELSEWHERE = ("config", "token")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that may differ between two installations."""

    #: Database of each service; `{service}` is replaced by its name.
    database_url: str
    #: Folder of the jurisdiction pack.
    jurisdiction: Path
    #: `<id>:<base64 of 32 bytes>[,…]`; the first seals contact data, any opens it.
    contact_keys: str = dataclasses.field(repr=False)
    #: Signs local tokens (HS256), at least 32 characters.
    token_secret: str = dataclasses.field(repr=False)
    #: Signs links that residents get.
    link_secret: str = dataclasses.field(repr=False)
    #: AMQP address; None in embedded mode.
    broker_url: str | None = None
    #: `http://user:password@host:15672`, for `gridwhistle declare` and `doctor`; services never use it.
    broker_management_url: str | None = dataclasses.field(default=None, repr=False)
    #: Where the suite keeps files: logs, spools, the file notifier's letters.
    data_dir: Path = Path("var")
    #: Address the services listen on.
    host: str = "127.0.0.1"
    #: Intake listens on this + 1, deliberation + 2, dispatch + 3, oversight + 4, notify + 5, relays + 11 … + 15.
    port_base: int = 8700
    #: Address under which people reach oversight's pages, for links in messages; derived from host and port when empty.
    public_url: str = ""
    #: `smtp://user:password@host:port`; empty: no mail.
    smtp_url: str = dataclasses.field(default="", repr=False)
    #: TOML file (mode 600) that says which departments are reached by a connector, such as a webhook.
    departments: Path | None = None
    #: Expected `iss` and `aud` of tokens.
    token_issuer: str = "gridwhistle"  # noqa: S105 -- a name, not a secret
    token_audience: str = "gridwhistle"  # noqa: S105 -- a name, not a secret
    #: JSON logs at this level.
    log_level: str = "INFO"
    #: Workers (green threads) per service process; also the prefetch.
    workers: int = 10
    #: Seconds a service waits for its database to answer one statement; then it takes the connection for lost.
    database_deadline: float = 30.0
    #: Seconds a relay waits for the broker to confirm an event; then it connects anew and sends it again.
    confirm_deadline: float = 30.0
    #: Seconds between two signs of life on a connection to the broker; after two without any it counts as lost.
    broker_heartbeat: int = 20
    #: Seconds between two scans for due work.
    due_interval: float = 5.0
    #: Days for which published events stay in the outbox: as far back as `gridwhistle replay` reaches.
    keep_outbox_days: int = 35
    #: Days for which the ids of handled messages stay in the inbox; not less than the outbox.
    keep_inbox_days: int = 400
    #: Days for which the answer to an Idempotency-Key is kept.
    keep_replies_days: int = 35
    #: Days for which notes about failed attempts are kept, once the message was handled or decided about.
    keep_failures_days: int = 35
    #: Days for which a released or discarded message is kept with the decision.
    keep_quarantine_days: int = 400
    #: File with an offset in seconds that is added to the clock of every process; for scenarios and tests only.
    clock_file: Path | None = None

    def database_for(self, service: str) -> str:
        """The database URL of one service."""
        return self.database_url.replace("{service}", service)

    def port_for(self, service: str, order: tuple[str, ...]) -> int:
        """The HTTP port of a service's first replica."""
        return self.port_base + 1 + order.index(service)

    def retention(self) -> Retention:
        """For how long the ledger keeps what."""
        days = {field.name: getattr(self, f"keep_{field.name}_days") for field in dataclasses.fields(Retention)}
        return Retention(**{name: timedelta(days=number) for name, number in days.items()})

    def environment(self) -> dict[str, str]:
        """These settings as variables for a child process."""
        pairs = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {_PREFIX + name.upper(): str(value) for name, value in pairs if value is not None}


_REQUIRED = ("database_url", "jurisdiction", "contact_keys", "token_secret", "link_secret")
_MINIMUM_SECRET = 32
#: A hundred years: more cannot be subtracted from every date.
_MOST_DAYS = 36_500


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings; raises Misconfigured naming every fault at once."""
    given = os.environ if environment is None else environment
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    faults: list[str] = []
    values: dict[str, Any] = dict(_file(given.get(_PREFIX + "CONFIG")))
    origin = {name: f"{name} in {given.get(_PREFIX + 'CONFIG')}" for name in values}
    for variable, text in given.items():
        name = variable.removeprefix(_PREFIX).lower()
        if variable.startswith(_PREFIX) and name not in _ELSEWHERE:
            values[name] = text
            origin[name] = variable
    for name in sorted(values.keys() - fields.keys()):
        faults.append(f"{origin[name]} is not a setting; known are {', '.join(sorted(fields))}")
        del values[name]
    faults += [f"{_PREFIX}{name.upper()} is not set" for name in _REQUIRED if not values.get(name)]
    for name in list(values):
        try:
            values[name] = _typed(str(fields[name].type), values[name])
        except ValueError as error:
            faults.append(f"{origin[name]}: {error}")
    for name in ("token_secret", "link_secret"):
        if 0 < len(str(values.get(name, ""))) < _MINIMUM_SECRET:
            faults.append(f"{origin[name]} is shorter than {_MINIMUM_SECRET} characters")
    faults += _impossible_retention(values, fields, origin)
    if faults:
        raise Misconfigured("; ".join(faults))
    return Settings(**values)


def _impossible_retention(values: Mapping[str, Any], fields: Mapping[str, Any], origin: Mapping[str, str]) -> list[str]:
    days = {
        name: values.get(name, field.default)
        for name, field in fields.items()
        if name.startswith("keep_") and isinstance(values.get(name, field.default), int)
    }
    faults = [
        f"{origin.get(name, name)} is {number}; it has to be from 1 to {_MOST_DAYS} days"
        for name, number in days.items()
        if not 1 <= number <= _MOST_DAYS
    ]
    inbox, outbox = days.get("keep_inbox_days", 0), days.get("keep_outbox_days", 0)
    if not faults and inbox < outbox:
        # Otherwise an event could be published again of which nothing is known any more but its stream's position.
        faults.append(f"{_PREFIX}KEEP_INBOX_DAYS ({inbox}) is less than {_PREFIX}KEEP_OUTBOX_DAYS ({outbox})")
    return faults


def _file(path: str | None) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        content = Path(path).read_bytes()
        return tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"GRIDWHISTLE_CONFIG: {path} cannot be read: {error}"
        raise Misconfigured(message) from error


def _typed(kind: str, value: Any) -> Any:
    if kind.startswith("Path"):
        return Path(str(value)) if value else None
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    return str(value) if value is not None else None
