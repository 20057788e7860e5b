"""What the demo shows at the end: one matter's timeline, the week's figures, each with its sample, and the addresses.

Every figure is read from oversight's report, all else from a service's answer. It must never compute a figure itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from deploy.launcher.demo.case import Case, Office
from deploy.launcher.demo.week import Week
from deploy.launcher.scenario import doors, timeline
from deploy.launcher.scenario.stage import Happening
from shared.contracts.topology import SERVICES
from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.hashing import link_token
from shared.kernel.wording import say
from shared.runtime.auth import Gatekeeper
from shared.runtime.settings import Settings

#: Rows of a matter's timeline fetched at once.
_PAGE = 200
#: Breakdowns of the report shown.
_BREAKDOWNS = ("response_class", "level")
#: How long a token for trying lasts.
_LASTING = timedelta(days=1)
_EVALUATE = "evaluate"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the demo found to show."""

    report: Mapping[str, Any]
    #: Id of the report once published; the page bears it.
    report_id: str
    #: The most eventful matter with a whistle, its number and events.
    case: Case
    number: str
    happenings: tuple[Happening, ...]
    #: A matter still in hand, for the status link.
    followed: Case
    #: An evaluation that waits for its answer, if any.
    evaluation: str | None


def gather(office: Office, week: Week) -> Shown:
    """Ask the services for everything shown; publishes the week's report as the highest desk. Raises Refusal."""
    desk = office.cast.desk(office.suite.jurisdiction.levels[-1])
    period = {"period_from": rfc3339(week.start), "period_to": rfc3339(office.now)}
    report = office.ask("oversight", doors.REPORT, **period)
    published = office.execute("oversight.publish-report", desk, **period)
    whistled = [case for case in week.cases if case.view()["whistles"]] or week.cases
    stories = {case.matter: _story(office, case) for case in whistled if not case.demand.private}
    chosen = max((case for case in whistled if case.matter in stories), key=lambda case: len(stories[case.matter]))
    followed = next((case for case in week.cases if case.state == "in-progress"), week.cases[-1])
    return Shown(
        report=report, report_id=str(published["report"]), case=chosen, number=str(chosen.view()["number"]),
        happenings=tuple(stories[chosen.matter]), followed=followed, evaluation=_unanswered(office, week.cases),
    )  # fmt: skip


def _story(office: Office, case: Case) -> list[Happening]:
    happenings: list[Happening] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = office.ask("oversight", doors.TIMELINE, matter=case.matter, cursor=cursor, limit=str(_PAGE))
        happenings += [doors.from_timeline(row, case.matter) for row in page["items"]]
        cursor = page["next"]
    return happenings


def _unanswered(office: Office, cases: Iterable[Case]) -> str | None:
    for case in cases:
        for row in office.ask("oversight", doors.EVALUATIONS, matter=case.matter)["items"]:
            if row["answered_at"] is None and parse_instant(str(row["expires_at"])) > office.now:
                return str(row["evaluation_id"])
    return None


# -- the figures ---------------------------------------------------------------------------------------------------


def figures(report: Mapping[str, Any]) -> Group:
    """The summary: figures, then the same by class and by level."""
    period = report["period"]
    span = {"from_local": period["from_local"], "to_local": period["to_local"]}
    shown = Table(box=box.SIMPLE_HEAD)
    shown.add_column(_both("demo.figure"))
    shown.add_column(_both("demo.value"), justify="right")
    shown.add_column(_both("demo.sample"), justify="right")
    for figure in report["figures"]:
        shown.add_row(_label(figure["label"]), _value(figure), str(figure["sample"]))
    tables = [_breakdown(one) for one in report["breakdowns"] if one["by"] in _BREAKDOWNS]
    position = report["trace"]["position"]
    notes = f"[dim]{_both('demo.levels_note')}\n{_both('demo.source', position=position)}[/]"
    return Group(f"[bold]{_both('demo.summary', **span)}[/]", shown, *tables, notes)


def _breakdown(one: Mapping[str, Any]) -> Table:
    # Chinese above English, so that seven columns stand in a window of eighty.
    shown = Table(title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    shown.add_column(_label(one["label"], between="\n"), no_wrap=True)
    counts = ("opened", "closed", "open", "escalated", "whistled")
    for count in counts:
        shown.add_column(_both(f"demo.{count}", between="\n"), justify="right", no_wrap=True)
    shown.add_column(_both("demo.on_time", between="\n"), justify="right", no_wrap=True)
    for row in one["rows"]:
        on_time = row["on_time"]
        share = "-" if on_time["percent"] is None else f"{on_time['percent']}%"
        sample = f"{on_time['numerator']}/{on_time['denominator']}"
        shown.add_row(_label(row["label"]), *(str(row[count]) for count in counts), f"{share} {sample}")
    return shown


def _value(figure: Mapping[str, Any]) -> str:
    if "percent" not in figure:
        return str(figure["value"])
    if figure["suppressed"] or figure["percent"] is None:
        return "-"
    return f"{figure['percent']}% ({figure['numerator']}/{figure['denominator']})"


def _label(label: Mapping[str, str], *, between: str = " ") -> str:
    return f"{escape(label['zh'])}{between}[dim]{escape(label['en'])}[/]"


def _both(key: str, *, between: str = " ", **values: object) -> str:
    english = say(key, locale="en", **values)
    return f"{escape(say(key, locale='zh_CN', **values))}{between}[dim]{escape(english)}[/]"


# -- the matter and the addresses ----------------------------------------------------------------------------------


def story(shown: Shown, office: Office) -> Table:
    """The timeline of the chosen matter."""
    title = _both("demo.timeline", number=shown.number)
    return timeline.table(shown.happenings, office.suite.jurisdiction, title=title)


def addresses(console: Console, shown: Shown, office: Office, settings: Settings, gatekeeper: Gatekeeper) -> None:
    """Print where to look, and as whom."""
    base = {name: f"http://{settings.host}:{settings.port_for(name, SERVICES)}" for name in SERVICES}
    code = shown.followed.code
    console.print(f"[bold]{_both('demo.addresses')}[/]")
    _lines(console, {_both(f"demo.service.{name}"): address for name, address in base.items()})
    more = {
        _both("demo.metrics"): f"{base['dispatch']}/metrics",
        _both("demo.report"): f"{base['oversight']}/reports/{shown.report_id}.html",
        _both("demo.status", code=code): f"{base['intake']}/status/{code}",
    }
    if shown.evaluation is not None:
        token = link_token(settings.link_secret, _EVALUATE, shown.evaluation)
        more[_both("demo.evaluation")] = f"{base['oversight']}/evaluate/{shown.evaluation}?t={token}"
    _lines(console, more | {_both("demo.letters"): str(settings.data_dir / "letters.jsonl")}, apart=True)
    console.print()
    console.print(f"[bold]{_both('demo.people')}[/]")
    for command in _tries(shown, office, base, gatekeeper):
        console.print(command, highlight=False, markup=False, soft_wrap=True)


def _lines(console: Console, rows: Mapping[str, str], *, apart: bool = False) -> None:
    """Addresses, each on a line of its own when `apart`: a folded address cannot be opened."""
    for label, address in rows.items():
        console.print(f"  {label}" if apart else f"  {address}  {label}", soft_wrap=True)
        if apart:
            console.print(f"    {address}", markup=False, soft_wrap=True)


def _tries(shown: Shown, office: Office, base: Mapping[str, str], gatekeeper: Gatekeeper) -> list[str]:
    pack, cast = office.suite.jurisdiction, office.cast
    unit = shown.followed.unit
    community = next((one.id for one in pack.ladder(unit) if one.level == "community"), unit)
    looks = (
        (cast.handler(community), f"{base['dispatch']}/api/v1/matters"),
        (cast.desk("street"), f"{base['dispatch']}/api/v1/matters?state=in-progress"),
        (cast.supervisor("street"), f"{base['oversight']}/api/v1/matters/{shown.case.matter}/timeline"),
        (cast.officer(shown.case.demand.department or "dept-water"), f"{base['dispatch']}/api/v1/whistles"),
    )
    lines = []
    for actor, address in looks:
        token = gatekeeper.issue(subject=actor.id, roles=actor.roles, unit=actor.unit, lasting=_LASTING)
        title = timeline.person_name(actor.id, pack)
        where = timeline.unit_name(actor.unit or "", pack)
        lines += [f"# {where} {title} {actor.id}", f"curl -s -H 'Authorization: Bearer {token}' '{address}'"]
    return lines
