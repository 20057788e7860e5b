"""From a pack's folder to a `Jurisdiction`, or to everything that is wrong with it at once.

It must never load half a pack, and never read `demo/`, `scenarios/` or any file it does not name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from marshmallow import Schema, ValidationError

from shared.jurisdiction import schema
from shared.jurisdiction.faults import InvalidPack, PackNotFound, Problem
from shared.jurisdiction.fields import Fault, closest
from shared.jurisdiction.links import Draft, Item, check_links
from shared.jurisdiction.pack import Jurisdiction
from shared.jurisdiction.policy import Policy
from shared.jurisdiction.reading import parse, read
from shared.kernel.worktime import CalendarPlan, InvalidCalendar, national_days

_T = TypeVar("_T")

#: File -> schema of the file, or of one item of its list.
_MAPPINGS: Final[Mapping[str, type[Schema]]] = MappingProxyType(
    {
        "jurisdiction.yaml": schema.JurisdictionSchema,
        "calendar.yaml": schema.CalendarSchema,
        "policy.yaml": schema.PolicySchema,
    }
)
_LISTS: Final[Mapping[str, type[Schema]]] = MappingProxyType(
    {
        "units.yaml": schema.UnitSchema,
        "staff.yaml": schema.PersonSchema,
        "categories.yaml": schema.CategorySchema,
        "templates.yaml": schema.TemplateSchema,
    }
)
_RULES: Final[Mapping[str, type[Schema]]] = MappingProxyType(
    {
        "classes": schema.ResponseClassSchema,
        "classification": schema.ClassificationSchema,
        "routing": schema.RoutingSchema,
    }
)
#: The pack's files in the order in which problems are reported.
FILES: Final = (
    "jurisdiction.yaml",
    "units.yaml",
    "staff.yaml",
    "categories.yaml",
    "calendar.yaml",
    "policy.yaml",
    "templates.yaml",
)
_OPTIONAL: Final = frozenset({"templates.yaml"})


def find(name_or_path: str | Path, folder: Path | None = None) -> Path:
    """Return the folder of a pack: a path that holds a jurisdiction.yaml, else that name in `folder`.

    Raises PackNotFound naming the packs that are there.
    """
    given = Path(name_or_path)
    candidates = [given] if folder is None else [given, folder / given]
    for candidate in candidates:
        if (candidate / "jurisdiction.yaml").is_file():
            return candidate
    there = [] if folder is None else sorted(path.parent.name for path in folder.glob("*/jurisdiction.yaml"))
    known = (
        f"the packs there are: {', '.join(there)}" if there else "give the path of a folder with a jurisdiction.yaml"
    )
    raise PackNotFound(f"There is no jurisdiction pack {str(name_or_path)!r}; {known}.")


def load(path: str | Path) -> Jurisdiction:
    """Return the jurisdiction of a pack's folder.

    Raises InvalidPack with every problem found: files, shapes and what one file says about another.
    """
    folder = Path(path)
    problems: list[Problem] = []
    contents: dict[str, bytes] = {}
    values: dict[str, Any] = {}
    for file in FILES:
        if file in _OPTIONAL and not (folder / file).exists():
            continue
        content, problem = read(folder, file)
        if content is not None:
            contents[file] = content
            values[file], problem = parse(content, file)
            if problem is not None:
                del values[file]
        if problem is not None:
            problems.append(problem)
    draft = _draft(values, problems)
    problems += check_links(draft)
    plans = _plans(draft, problems)
    if problems or not plans:
        order = {file: index for index, file in enumerate(FILES)}
        raise InvalidPack(folder.name, sorted(problems, key=lambda problem: order[problem.file]))
    return _assemble(draft, plans, _digest(contents))


def _draft(values: Mapping[str, Any], problems: list[Problem]) -> Draft:
    """Return what could be read of each file; what could not is in `problems` and absent from the draft."""
    mappings = {
        file: _mapping(values[file], file, kind(), problems) if file in values else None
        for file, kind in _MAPPINGS.items()
    }
    lists = {
        file: _items(values[file], file, "", kind(), problems) if file in values else None
        for file, kind in _LISTS.items()
    }
    policy = mappings["policy.yaml"]
    rules = {
        name: None if policy is None else _items(policy.get(name), "policy.yaml", name, kind(), problems)
        for name, kind in _RULES.items()
    }
    return Draft(
        jurisdiction=mappings["jurisdiction.yaml"],
        calendar=mappings["calendar.yaml"],
        policy=policy,
        units=lists["units.yaml"],
        staff=lists["staff.yaml"],
        categories=lists["categories.yaml"],
        templates=lists["templates.yaml"] if "templates.yaml" in values else [],
        **rules,
    )


def _mapping(value: object, file: str, kind: Schema, problems: list[Problem]) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        problems.append(Problem("wrong-type", file, "", "it is not a mapping", "write `name: value` lines"))
        return None
    try:
        return dict(kind.load(value))
    except ValidationError as error:
        problems += _problems(error.messages, file, "", kind)
        # What is right is kept, so that the links to it can still be checked.
        valid = error.valid_data if isinstance(error.valid_data, dict) else {}
        return {**valid, "": True}


def _items(value: object, file: str, at: str, kind: Schema, problems: list[Problem]) -> list[Item[Any]] | None:
    if value is None and at:
        return None
    if not isinstance(value, list):
        problems.append(Problem("wrong-type", file, at, "it is not a list", "write `- …` items, or [] for none"))
        return None
    items: list[Item[Any]] = []
    for index, raw in enumerate(value):
        place = f"{at}[{index}]"
        named = raw.get("id") if isinstance(raw, Mapping) else None
        ident = named if isinstance(named, str) else None
        try:
            items.append(Item(place, ident, kind.load(raw)))
        except ValidationError as error:
            problems += _problems(error.messages, file, place, kind)
            items.append(Item(place, ident, None))
    return items


def _problems(messages: Any, file: str, at: str, kind: Schema) -> list[Problem]:
    """Return a marshmallow tree of messages as problems with their places."""
    if isinstance(messages, Mapping):
        found: list[Problem] = []
        for key, below in messages.items():
            # "_schema", "key" and "value" are marshmallow's own levels, no fields and no places in the file.
            own = key in {"_schema", "value"} or (key == "key" and isinstance(below, list))
            step = "" if own else f"[{key}]" if isinstance(key, int) else f".{key}" if at else str(key)
            found += _problems(below, file, at + step, kind)
        return found
    listed = messages if isinstance(messages, list) else [messages]
    return [_problem(message, file, at, kind) for message in listed]


def _problem(message: object, file: str, at: str, kind: Schema) -> Problem:
    if isinstance(message, Fault):
        return Problem(message.code, file, at, str(message), message.remedy)
    text = str(message)
    field = at.rpartition(".")[2]
    if text.startswith("Unknown field"):
        known = [one.data_key or name for name, one in kind.fields.items()]
        remedy = closest(field, known) if at.count(".") <= 1 else "remove it or correct its name"
        return Problem("unknown-field", file, at, "there is no such field", remedy)
    if text.startswith("Missing data"):
        return Problem("missing-field", file, at, "it is missing", f"add {field}")
    if text.startswith("Field may not be null"):
        return Problem("missing-field", file, at, "it is empty", f"give {field} a value")
    remedy = "write a list: [one, two]" if "list" in text else "write a mapping: {name: value}"
    return Problem("wrong-type", file, at, text.rstrip("."), remedy)


def _plans(draft: Draft, problems: list[Problem]) -> dict[str, CalendarPlan]:
    """Return how the pack's calendars are built, its own under ""; none when one of them cannot be meant."""
    if draft.calendar is None or draft.jurisdiction is None or "" in draft.calendar or "" in draft.jurisdiction:
        return {}
    top, own = draft.jurisdiction, draft.calendar
    plans = {"": _plan(own, top["name"], top["timezone"], top, "", problems)}
    for name, other in own["others"].items():
        zone = other["timezone"] or top["timezone"]
        plans[name] = _plan(other, f"{top['name']}.{name}", zone, top, f"others.{name}.", problems)
    return {name: plan for name, plan in plans.items() if plan is not None} if all(plans.values()) else {}


def _plan(
    said: Mapping[str, Any], name: str, timezone: str, top: Mapping[str, Any], at: str, problems: list[Problem]
) -> CalendarPlan | None:
    off, makeup = frozenset(said["extra_days_off"]), frozenset(said["extra_makeup_days"])
    if both := sorted(off & makeup):
        what = f"{both[0]} is also an extra day off"
        path = f"{at}extra_makeup_days"
        problems.append(Problem("contradicting-days", "calendar.yaml", path, what, "keep one of the two"))
        return None
    plan = CalendarPlan(
        name=name, timezone=timezone, week=said["week"], national=national_days(said["national"]), days_off=off,
        makeup_days=makeup, version=f"{name}.{top['version']}", shifts=said["shifts"],
    )  # fmt: skip
    try:
        plan.calendar()
    except InvalidCalendar as error:
        own_zone = error.where == "timezone" and timezone == top["timezone"]
        file, path = ("jurisdiction.yaml", "timezone") if own_zone else ("calendar.yaml", f"{at}{error.where}")
        problems.append(Problem(error.code, file, path, error.what, error.remedy))
        return None
    return plan


def _assemble(draft: Draft, plans: Mapping[str, CalendarPlan], digest: str) -> Jurisdiction:
    top, policy = draft.jurisdiction or {}, draft.policy or {}
    calendars = {name: plan.calendar() for name, plan in plans.items()}
    return Jurisdiction(
        name=top["name"],
        title=top["title"],
        timezone=top["timezone"],
        levels=top["levels"],
        version=top["version"],
        units=_by_id(draft.units),
        staff=_by_id(draft.staff),
        categories=_by_id(draft.categories),
        calendar=calendars[""],
        calendars=MappingProxyType(calendars),
        plans=MappingProxyType(dict(plans)),
        policy=Policy(
            classes=_by_id(draft.classes),
            classification=_values(draft.classification),
            routing=_values(draft.routing),
            **{name: value for name, value in policy.items() if name not in _RULES},
        ),
        templates=_values(draft.templates),
        digest=digest,
    )


def _values(items: list[Item[_T]] | None) -> tuple[_T, ...]:
    return tuple(item.value for item in items or () if item.value is not None)


def _by_id(items: list[Item[Any]] | None) -> Mapping[str, Any]:
    return MappingProxyType({value.id: value for value in _values(items)})


def _digest(contents: Mapping[str, bytes]) -> str:
    """Return the sha256 of the files' names and hashes, so moving a line between files changes it too."""
    whole = hashlib.sha256()
    for file in sorted(contents):
        whole.update(f"{file}:{hashlib.sha256(contents[file]).hexdigest()}\n".encode())
    return whole.hexdigest()
