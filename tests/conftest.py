"""What holds for all tests: sources or compiled modules, and which worker runs what."""

import os

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.pure import run_sources

if not os.environ.get("COORD_TEST_COMPILED"):
    run_sources()  # all tests run these, unless the compiled modules themselves are tested

# No deadline: a machine that stands still is no fault. Each run draws other examples.
hypothesis.settings.register_profile("suite", deadline=None, max_examples=40, print_blob=True)
hypothesis.settings.load_profile("suite")

pytest_plugins = ["client.testing.pytest_plugin"]

SERVERS = ("[coord", "[zookeeper")
"""What the ids of tests tell that are run with servers of each kind."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Part of the protocol of pytest."""
    parser.addoption(
        "--in-memory",
        choices=("fake", "replicas"),
        default="fake",
        help="what the tests of the client that need no process run against",
    )
    parser.addoption(
        "--servers",
        choices=("coord", "zookeeper"),
        help="run the tests of the client against three real servers of this kind",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Part of the protocol of pytest: mark what needs Debian's package."""
    for item in items:
        if config.getoption("--servers") == "zookeeper" or "[zookeeper" in item.nodeid:
            item.add_marker("zookeeper")


class Scopes(LoadScopeScheduling):
    """A file goes to one worker as a whole, and so does all that shares the same servers."""

    def _split_scope(self, nodeid: str) -> str:
        if self.config.getoption("--servers") or any(part in nodeid for part in SERVERS):
            return "servers"
        return nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scopes:
    """Part of the protocol of pytest-xdist."""
    return Scopes(config, log)
