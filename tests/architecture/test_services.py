"""Who knows one service knows five: the same names in each, and each name a module or a package."""

from __future__ import annotations

import pytest

SERVICES = ("intake", "deliberation", "dispatch", "oversight", "notify")
#: What every service has; docs/architecture.md says what belongs in which.
MODULES = (
    "commands", "definition", "domain", "handlers", "repository", "service", "subscriptions", "tables",
)  # fmt: skip
FOLDERS = ("migrations", "web")


@pytest.mark.parametrize("service", SERVICES)
def test_the_same_names_in_every_service(root, service):
    folder = root / "services" / service
    missing = [
        name
        for name in MODULES
        if not (folder / f"{name}.py").is_file() and not (folder / name / "__init__.py").is_file()
    ]
    missing += [name for name in FOLDERS if not (folder / name).is_dir()]
    assert missing == []


def test_there_are_five_services(root):
    found = {path.parent.name for path in (root / "services").glob("*/__init__.py")}
    assert found == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_every_migration_is_numbered_and_none_is_left_out(root, service):
    numbers = sorted(
        int(path.name.split("_")[0]) for path in (root / "services" / service / "migrations").glob("[0-9]*.py")
    )
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers
