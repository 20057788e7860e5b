"""Who may do what is what docs/roles.md says, and administration stays separate from the town's business."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.launcher import services
from deploy.launcher.documents.catalogue import ROOT
from shared.kernel.actor import PERMISSIONS, ROLE_PERMISSIONS, Actor
from shared.runtime.definition import Query, Route
from shared.runtime.operations import COMMON_ROUTES

DEFINITIONS = services.definitions()
COMMANDS = {name: command for one in DEFINITIONS.values() for name, command in one.commands.items()}
ROUTES = [*COMMON_ROUTES, *(route for one in DEFINITIONS.values() for route in one.routes)]


def written():
    """Role -> permissions, as the page's table has them."""
    page = (ROOT / "docs" / "roles.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ([^|]*) \|$", page, flags=re.MULTILINE)
    return {role: set(re.findall(r"`([a-z-]+)`", cell)) for role, cell in rows}


def test_the_page_says_what_the_code_grants():
    assert written() == {role: set(granted) for role, granted in ROLE_PERMISSIONS.items()}


def test_every_permission_named_anywhere_exists():
    needed = {command.needs for command in COMMANDS.values()}
    needed |= {route.needs for route in ROUTES} | {route.query.needs for route in ROUTES if route.query}
    assert needed - {None} <= PERMISSIONS
    for file in [*Path(ROOT / "services").rglob("*.py"), *Path(ROOT / "shared").rglob("*.py")]:
        asked = set(re.findall(r"""\.may\(["']([a-z-]+)["']\)""", file.read_text(encoding="utf-8")))
        assert asked <= PERMISSIONS, file


@pytest.mark.parametrize(
    "make",
    [
        lambda: Route(method="GET", path="/x", needs="raed-reports"),
        lambda: Query(name="x", run=lambda _work, _parameters: {}, needs="raed-reports", about=""),
    ],
)
def test_a_misspelt_permission_is_a_start_up_error(make):
    with pytest.raises(ValueError, match="raed-reports"):
        make()


#: Commands that need no permission because the handler checks a code or a link, or who the asker is.
BY_CODE = {"intake.supplement-demand", "intake.withdraw-demand", "oversight.evaluate"}


def changes(role):
    """The commands that a role may give."""
    actor = Actor(id="x", roles=frozenset({role}))
    return {name for name, command in COMMANDS.items() if command.needs is not None and actor.may(command.needs)}


def test_only_these_commands_are_open():
    assert {name for name, command in COMMANDS.items() if command.needs is None} == BY_CODE


def test_who_audits_and_who_issues_tokens_changes_nothing():
    assert changes("audit-admin") == changes("security-admin") == set()
    assert changes("system-admin") == {"dispatch.import-calendar", "intake.import-demands"}


def test_supervision_inspects_follows_and_joins_acceptance_but_handles_and_publishes_nothing():
    """J6: on-site and cloud inspections, every process traceable, fault finders join acceptance."""
    assert {"inspect", "read-trace", "verify-matter", "order-rectification"} <= ROLE_PERMISSIONS["supervisor"]
    assert changes("supervisor") == {
        "oversight.record-inspection", "oversight.order-rectification", "oversight.withdraw-rectification",
        "dispatch.verify", "dispatch.close", "dispatch.reopen", "dispatch.verify-rectification",
        "notify.mark-notice-read",
    }  # fmt: skip


def test_publishing_is_the_desks_of_street_and_district():
    assert {role for role in ROLE_PERMISSIONS if "oversight.publish-report" in changes(role)} == {
        "street-clerk",
        "district-clerk",
    }


def test_no_role_is_without_a_use():
    assert all(ROLE_PERMISSIONS.values())
