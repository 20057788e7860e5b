"""A published report as CSV: one line per figure, so that every value stands beside its formula and sample."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.oversight.domain.breakdowns import ROW_COUNTS

_HEADER = (
    "section", "key", "label_zh", "label_en", "measure", "value", "numerator", "denominator", "sample", "formula_zh",
    "formula_en", "left_out_zh", "left_out_en",
)  # fmt: skip
#: A spreadsheet takes text that starts with one of these for a formula, some the full-width ones too.
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")


def parsed(document: bytes) -> dict[str, Any]:
    """The stored JSON as an object."""
    content: dict[str, Any] = json.loads(document)
    return content


def as_csv(report: Mapping[str, Any]) -> bytes:
    """The report as CSV in UTF-8 with a byte order mark, which spreadsheets need to read Chinese."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _HEADER, restval="", lineterminator="\r\n")
    writer.writeheader()
    for line in _lines(report):
        writer.writerow({name: _safe(value) for name, value in line.items()})
    return text.getvalue().encode("utf-8-sig")


def _lines(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    period = report["period"]
    yield {"section": "report", "key": report["jurisdiction"]["name"], **_label(report["jurisdiction"]["title"])}
    yield {"section": "report", "key": "period_from", "value": period["from"]}
    yield {"section": "report", "key": "period_to", "value": period["to"]}
    if report["unit"] is not None:
        yield {"section": "report", "key": "unit", "value": report["unit"]["id"], **_label(report["unit"]["name"])}
    for figure in report["figures"]:
        yield {
            "section": "figures", "key": figure["figure"], **_label(figure["label"]), "measure": figure["figure"],
            "value": figure["value"], "numerator": figure.get("numerator"), "denominator": figure.get("denominator"),
            "sample": figure["sample"], "formula_zh": figure["formula"]["zh"], "formula_en": figure["formula"]["en"],
            "left_out_zh": figure["left_out"]["zh"], "left_out_en": figure["left_out"]["en"],
        }  # fmt: skip
    for table in report["breakdowns"]:
        for row in table["rows"]:
            yield from _row_lines(f"by_{table['by']}", row)
    for number, matter in enumerate(report["closed_matters"], start=1):
        for name in report["fields"]:
            yield {"section": "closed_matters", "key": number, "measure": name, **_value(matter[name])}


def _row_lines(section: str, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    about = {"section": section, "key": row["key"], **_label(row["label"]), "sample": row["matters"]}
    for name in ROW_COUNTS:
        yield {**about, "measure": name, "value": row[name]}
    share = row["on_time"]
    yield {
        **about, "measure": "on_time_share", "value": share["value"], "numerator": share["numerator"],
        "denominator": share["denominator"], "sample": share["denominator"],
    }  # fmt: skip


def _label(label: Mapping[str, str]) -> dict[str, str]:
    return {"label_zh": label["zh"], "label_en": label["en"]}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping) and "zh" in value:
        return {"value": value["zh"], **_label({"zh": value["zh"], "en": value["en"]})}
    if isinstance(value, Mapping):
        return {"value": f"{value['satisfied']}/{value['answers']}"}
    return {"value": value}


def _safe(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
