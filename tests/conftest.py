"""What every test may ask for: private servers, and a clean corner of them.

Servers are started once a session and only when a test asks; installed from Debian when they are absent and
we are root. Never a server that was running before: tests may stop and kill what they are given.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ

#: Folders whose tests carry a marker of the same name.
MARKED_FOLDERS = ("integration", "chaos", "browser")
#: Seconds a test that starts or kills servers may take, unless it says otherwise.
SERVER_TEST_TIMEOUT_S = 300

#: The longest files with servers, begun first: nobody has to wait for them at the end.
LONGEST_FIRST = (
    "scenarios/test_jianwai.py", "integration/full/test_replay_and_rebuild.py", "integration/growth/test_plans.py",
)  # fmt: skip

# No deadline per example: two cores are shared with servers. In CI the same examples every time.
hypothesis.settings.register_profile(
    "gridwhistle", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True
)
hypothesis.settings.load_profile("gridwhistle")

_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder, so that nobody forgets to; give those with servers more time."""
    here = Path(__file__).parent
    for item in items:
        area = item.path.relative_to(here).parts[0] if item.path.is_relative_to(here) else ""
        if area in MARKED_FOLDERS:
            item.add_marker(area)
        needs_time = any(item.get_closest_marker(name) for name in MARKED_FOLDERS)
        if needs_time and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SERVER_TEST_TIMEOUT_S))
    longest = {here / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: longest.get(item.path, len(longest)))


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for servers' data; not below pytest's own, which is closed to PostgreSQL's account."""
    folder = Path(tempfile.mkdtemp(prefix="gridwhistle-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def rabbitmq(server_folder: Path) -> Iterator[PrivateRabbitMQ]:
    """A running RabbitMQ of our own. A test that stops it starts it again."""
    broker = PrivateRabbitMQ(server_folder / "rabbitmq")
    broker.start()
    yield broker
    broker.kill()  # its data is thrown away; a clean stop takes 6 s


@pytest.fixture(scope="session")
def postgresql(server_folder: Path) -> Iterator[PrivatePostgreSQL]:
    """A running PostgreSQL of our own, as durable as in production. A test that stops it starts it again."""
    with PrivatePostgreSQL(server_folder / "postgresql") as server:
        yield server


@pytest.fixture
def vhost(rabbitmq: PrivateRabbitMQ) -> Iterator[str]:
    """AMQP address of a virtual host with nothing in it, for this test alone."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    yield rabbitmq.url_for(name)
    if rabbitmq.running:
        rabbitmq.drop(name)


@pytest.fixture
def database(postgresql: PrivatePostgreSQL) -> Iterator[str]:
    """SQLAlchemy URL of an empty PostgreSQL database, for this test alone."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield postgresql.url_for(name)
    if postgresql.running:
        postgresql.drop(name)
