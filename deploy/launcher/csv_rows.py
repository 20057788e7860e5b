"""From the rows of somebody else's CSV file to the content of `intake.register-demand`.

A mapping says which column, or which pattern of columns, gives which field (deploy/mappings/default.yaml;
docs/importing.md). Nothing here knows any particular file.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from shared.kernel.clock import parse_local_instant, rfc3339
from shared.kernel.errors import Refusal
from shared.kernel.hashing import sha256_hex

DEFAULT_MAPPING = Path(__file__).parents[1] / "mappings" / "default.yaml"
#: Fields that a mapping may fill; dotted ones are nested.
FIELDS = (
    "text", "source_ref", "occurred_at", "category", "channel", "private", "location.grid", "location.address",
    "location.longitude", "location.latitude", "asker.kind", "asker.name", "asker.phone", "asker.mail",
    "asker.anonymous",
)  # fmt: skip
_NUMBERS = ("location.longitude", "location.latitude")
_FLAGS = ("private", "asker.anonymous")
_COLUMN = re.compile(r"\{([^{}]+)\}")
#: Longest single CSV field read, characters.
_FIELD_LIMIT = 2_000_000


class UnusableFile(Refusal):
    """The file as a whole cannot be imported; nothing was sent. Mend the file or the mapping."""

    code = "unusable-file"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the file: either content to send, or the faults that make it unusable."""

    #: Line on which the row begins; the header is line 1.
    line: int
    content: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)


def read_mapping(path: Path) -> dict[str, list[str]]:
    """A mapping file: field -> columns or patterns. Raises UnusableFile."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"The mapping {path} cannot be read: {error}"
        raise UnusableFile(message, where=str(path)) from error
    if not isinstance(content, dict):
        message = f"The mapping {path} is no list of fields."
        raise UnusableFile(message, where=str(path), remedy=f"Start from {DEFAULT_MAPPING.name}.")
    mapping = {
        str(name): [str(item) for item in (given if isinstance(given, list) else [given])]
        for name, given in content.items()
    }
    _check_fields(mapping)
    return mapping


def with_overrides(mapping: Mapping[str, list[str]], pairs: tuple[str, ...]) -> dict[str, list[str]]:
    """Put `field=column` pairs of the command line before the mapping's own. Raises UnusableFile."""
    changed = dict(mapping)
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not equals or not column:
            message = f"--map {pair!r} is not FIELD=COLUMN."
            raise UnusableFile(message, remedy="For example --map text=body or --map 'text={title}。{body}'.")
        changed[name.strip()] = [column.strip()]
    _check_fields(changed)
    return changed


def _check_fields(mapping: Mapping[str, list[str]]) -> None:
    unknown = sorted(mapping.keys() - set(FIELDS))
    if unknown:
        message = f"The mapping names unknown field(s): {', '.join(unknown)}."
        raise UnusableFile(message, remedy=f"Fields are {', '.join(FIELDS)}.")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads one file."""

    path: Path
    mapping: Mapping[str, list[str]]
    encoding: str = "utf-8-sig"
    #: Zone of times that carry no offset.
    timezone: str = "Asia/Shanghai"

    def rows(self) -> Iterator[Row]:
        """Every data row. Raises UnusableFile when there is no header or no column for the text."""
        csv.field_size_limit(_FIELD_LIMIT)
        self._check_options()
        try:
            # Undecodable bytes become lone surrogates: the row is refused by name, the others go on.
            with self.path.open(encoding=self.encoding, errors="surrogateescape", newline="") as file:
                yield from self._rows(file)
        except OSError as error:
            message = f"{self.path} cannot be read: {error}"
            raise UnusableFile(message, where=str(self.path)) from error

    def _check_options(self) -> None:
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            message = f"There is no encoding {self.encoding!r}."
            raise UnusableFile(message, where="--encoding", remedy="For example utf-8 or gb18030.") from error
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"There is no time zone {self.timezone!r}."
            raise UnusableFile(message, where="--timezone", remedy="For example Asia/Shanghai.") from error

    def _rows(self, file: Any) -> Iterator[Row]:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        chosen = self._choose(header)
        seen: dict[str, int] = {}
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield Row(line=line, faults={"": [f"Not CSV: {error}."]})
                continue
            if cells is None:
                return
            if not cells:
                continue
            if any("\ud800" <= sign <= "\udfff" for cell in cells for sign in cell):
                yield Row(line=line, faults={"": [f"Not {self.encoding} text; is the file in another --encoding?"]})
                continue
            if len(cells) != len(header):
                fault = f"Has {len(cells)} columns, the header has {len(header)}."
                if reader.line_num > line:
                    fault += f" It reaches to line {reader.line_num}: is a quotation mark left open?"
                yield Row(line=line, faults={"": [fault]})
                continue
            yield self._row(line, dict(zip(header, cells, strict=True)), chosen, seen)

    def _choose(self, header: list[str]) -> dict[str, str]:
        chosen: dict[str, str] = {}
        for name, candidates in self.mapping.items():
            for candidate in candidates:
                needed = _COLUMN.findall(candidate) or [candidate]
                if all(column in header for column in needed):
                    chosen[name] = candidate
                    break
        if "text" not in chosen:
            message = (
                f"No column of {self.path.name} is known to hold the text; it has {', '.join(header) or 'no header'}."
            )
            raise UnusableFile(message, where="text", remedy="Say which: --map text=COLUMN (docs/importing.md).")
        return chosen

    def _row(self, line: int, cells: dict[str, str], chosen: Mapping[str, str], seen: dict[str, int]) -> Row:
        content: dict[str, Any] = {"location": {}}
        faults: dict[str, list[str]] = {}
        for name, source in chosen.items():
            given = _filled(source, cells)
            if not given:
                continue
            try:
                value = self._typed(name, given)
            except ValueError as error:
                faults[name] = [f"{given[:80]!r}: {error}"]
                continue
            parent, _, leaf = name.rpartition(".")
            (content.setdefault(parent, {}) if parent else content)[leaf] = value
        if "source_ref" not in content:
            # No id in the file: the row's own content stands for it, counted where rows are equal.
            digest = sha256_hex("\x1f".join(cells.values()).encode("utf-8", "surrogateescape"))
            seen[digest] = seen.get(digest, 0) + 1
            content["source_ref"] = f"{digest}:{seen[digest]}"
        return Row(line=line, content=content, faults=faults)

    def _typed(self, name: str, given: str) -> Any:
        if name == "occurred_at":
            return rfc3339(parse_local_instant(given, ZoneInfo(self.timezone)))
        if name in _NUMBERS:
            return float(given)
        if name in _FLAGS:
            if given.lower() not in ("true", "false", "1", "0", "yes", "no", "是", "否"):
                message = "not true or false"
                raise ValueError(message)
            return given.lower() in ("true", "1", "yes", "是")
        return given


def _filled(source: str, cells: Mapping[str, str]) -> str:
    """What a column or pattern gives for a row.

    Nothing when all its columns are blank, whatever stands between them.
    """
    columns = _COLUMN.findall(source)
    if not columns:
        return cells[source].strip()
    if not any(cells[column].strip() for column in columns):
        return ""
    return _COLUMN.sub(lambda found: cells[found.group(1)], source).strip()
