"""Fixtures: an ensemble in memory on a clock that jumps, and real servers.

    python -m pytest tests/client --servers zookeeper

runs everything against an ensemble of three real servers, but for what only the fake can do.
"""

import uuid
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import client
from tests.client.fake import FakeEnsemble, fake_ensemble
from tests.client.hand import OnlyTheFakeError
from tests.client.relay import Relay, relayed
from tests.client.replicas import Replicas, are_wanted, replicas
from tests.ensemble.conftest import require_zookeeper
from tests.ensemble.servers import JVM_QUICK, CoordEnsemble, Ensemble, ZooKeeperEnsemble

PATIENCE_SECONDS = 300
"""On the clock that jumps: a test that hangs fails in no time."""


TICK_MS = 2000
"""Of three servers, whose sessions last as long as `tests.client.hand` asks for: 20 ticks."""


MET = "servers"
"""The property of a test that has met the servers asked for."""


class Fake(FakeEnsemble):
    """The fake ensemble, with a short way to connect to it."""

    def connect(
        self, hosts: str = "one:1,two:2,three:3", **options: Any
    ) -> AbstractAsyncContextManager[client.Client]:
        settings = {"open_stream": self.open_stream, "clock": trio.current_time, **options}
        return client.connect(hosts, **settings)


class CoordWithTtl(CoordEnsemble):
    """coord, founded with znodes that have a time to live."""

    def command(self, replica: int) -> Sequence[str]:
        command = super().command(replica)
        config = Path(command[-1])
        config.write_text("ttl = true\n" + config.read_text())
        return command


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Part of the protocol of pytest: which real servers there are."""
    if "real_server" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--servers")
        kinds = ["zookeeper", "coord"] if asked is None else [asked]
        metafunc.parametrize("real_server", kinds, indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Part of the protocol of pytest: tell how many tests have met the servers asked for."""
    kind = terminalreporter.config.getoption("--servers")
    if kind is not None:
        reports = terminalreporter.stats.get("passed", ())
        met = sum((MET, kind) in each.user_properties for each in reports)
        terminalreporter.write_line(f"{met} tests have passed against three servers of {kind}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Generator[None, object, object]:
    """Part of the protocol of pytest: skip what only the fake can do."""
    if {"fake", "real_server"} & set(item.fixturenames):
        item.user_properties.append((MET, item.config.getoption("--servers")))
    try:
        return (yield)
    except OnlyTheFakeError as error:
        pytest.skip(str(error))
    except BaseExceptionGroup as group:
        found, rest = group.split(OnlyTheFakeError)
        if found is None or rest is not None:
            raise
        pytest.skip(_sentence(found))


def _sentence(group: BaseExceptionGroup[OnlyTheFakeError]) -> str:
    first = group.exceptions[0]
    return _sentence(first) if isinstance(first, BaseExceptionGroup) else str(first)


@pytest.fixture
def autojump_clock(request: pytest.FixtureRequest) -> trio.testing.MockClock:
    """With real servers it does not jump by itself: see `tests.client.quiet`."""
    if "fake" in request.fixturenames and request.config.getoption("--servers"):
        return trio.testing.MockClock()
    return trio.testing.MockClock(autojump_threshold=0)


@pytest.fixture
async def fake(
    request: pytest.FixtureRequest, autojump_clock: trio.testing.MockClock
) -> AsyncIterator[Fake | Replicas | Relay]:
    with trio.fail_after(PATIENCE_SECONDS):
        if request.config.getoption("--servers"):
            async with relayed(request.getfixturevalue("three_servers"), autojump_clock) as relay:
                yield relay
            return
        if are_wanted(request):
            async with replicas() as ensemble:
                yield ensemble
            return
        async with fake_ensemble(Fake) as ensemble:
            yield ensemble


@pytest.fixture
async def zk(fake: Fake) -> AsyncIterator[client.Client]:
    async with fake.connect() as connected:
        yield connected


def ensemble_of(kind: str, folder: Path, size: int) -> Ensemble:
    """Real servers that know znodes with a time to live."""
    tick_ms = 1000 if size == 1 else TICK_MS
    if kind == "zookeeper":
        require_zookeeper()
        jvm = (*JVM_QUICK, "-Dzookeeper.extendedTypesEnabled=true")
        return ZooKeeperEnsemble(folder, size, jvm=jvm, tick_ms=tick_ms)
    return CoordWithTtl(folder, size, tick_ms=tick_ms)


@pytest.fixture(scope="session")
def three_servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ensemble]:
    """Three real servers of the kind that was asked for."""
    kind: str = request.config.getoption("--servers")
    with ensemble_of(kind, tmp_path_factory.mktemp(kind), 3) as ensemble:
        yield ensemble


@pytest.fixture(scope="session")
def real_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ensemble]:
    """One real server, shared by all tests; the three if they were asked for."""
    kind: str = request.param
    if request.config.getoption("--servers"):
        yield request.getfixturevalue("three_servers")
        return
    with ensemble_of(kind, tmp_path_factory.mktemp(kind), 1) as ensemble:
        yield ensemble


@pytest.fixture
async def hosts(real_server: Ensemble) -> AsyncIterator[str]:
    """A connection string with a chroot for this test alone."""
    chroot = f"/test-{uuid.uuid4().hex}"
    with trio.fail_after(20):
        async with client.connect(real_server.hosts) as root:
            await root.create(chroot)
            yield real_server.hosts + chroot
            await root.delete(chroot, recursive=True)
