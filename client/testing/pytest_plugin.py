"""A fixture for pytest with pytest-trio: `servers`, an ensemble in memory on an autojump clock.

Load it in the topmost conftest.py:

    pytest_plugins = ["client.testing.pytest_plugin"]

or, where a test needs other replicas, latency or quorums, write a fixture of your own:

    @pytest.fixture
    async def servers(autojump_clock):
        async with client.testing.ensemble(replicas=5, latency=0.002) as servers:
            yield servers

`pytest --ensemble-seed 7` runs the same tests with other elections, delays and orders of tasks.
"""

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from client.testing.ensemble import Ensemble, ensemble

PATIENCE_SECONDS = 300.0
"""On the clock that jumps: a test that waits for what never comes fails soon."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Part of pytest."""
    parser.addoption(
        "--ensemble-seed",
        type=int,
        default=0,
        help="seed of the ensembles in memory that client.testing runs",
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Part of pytest."""
    return f"ensemble seed: {config.getoption('--ensemble-seed')}"


@pytest.fixture
async def servers(
    request: pytest.FixtureRequest,
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - it sets the test's clock
) -> AsyncIterator[Ensemble]:
    """Three replicas in memory."""
    seed = request.config.getoption("--ensemble-seed")
    with trio.fail_after(PATIENCE_SECONDS):
        async with ensemble(seed=seed) as servers:
            yield servers
