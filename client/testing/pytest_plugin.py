"""A fixture for pytest with pytest-trio: `servers`, an ensemble in memory on an autojump clock.

Load it in the topmost conftest.py:

    pytest_plugins = ["client.testing.pytest_plugin"]

or, where a test needs other replicas, latency or quorums, write a fixture of your own:

    @pytest.fixture
    async def servers(autojump_clock):
        async with client.testing.ensemble(replicas=5, latency=0.002) as servers:
            yield servers

A test that has `autojump_clock` through its fixtures only runs on it, too; pytest-trio alone asks
for it among the test's own arguments.

`pytest --ensemble-seed 7` runs the same tests with other elections, delays and orders of tasks.
"""

from collections.abc import AsyncIterator, Callable, Generator
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from client.testing.servers import Ensemble, ensemble

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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Part of pytest: run a test on the autojump clock that one of its fixtures has asked for."""
    own: trio.testing.MockClock | None = getattr(item, "funcargs", {}).get("autojump_clock")
    marker = item.get_closest_marker("trio")
    if own is not None and marker is not None:
        run = partial(_run_on, own, marker.kwargs.get("run", trio.run))
        item.add_marker(pytest.mark.trio(run=run), append=False)
    return (yield)


def _run_on(
    own: trio.testing.MockClock,
    run: Callable[..., object],
    test: Callable[..., object],
    *,
    clock: trio.abc.Clock | None,
    **options: Any,
) -> object:
    return run(test, clock=clock or own, **options)


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
