"""Fixtures: an ensemble in memory on a clock that jumps, and real servers."""

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import client
from tests.client.fake import FakeEnsemble, fake_ensemble
from tests.client.replicas import Replicas, are_wanted, replicas
from tests.ensemble.conftest import require_zookeeper
from tests.ensemble.servers import JVM_QUICK, CoordEnsemble, Ensemble, ZooKeeperEnsemble

PATIENCE_SECONDS = 300
"""On the clock that jumps: a test that hangs fails in no time."""


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


@pytest.fixture
async def fake(
    request: pytest.FixtureRequest, autojump_clock: trio.testing.MockClock
) -> AsyncIterator[Fake | Replicas]:
    with trio.fail_after(PATIENCE_SECONDS):
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


@pytest.fixture(scope="session", params=["zookeeper", "coord"])
def real_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ensemble]:
    """One real server, shared by all tests."""
    kind: str = request.param
    if kind == "zookeeper":
        require_zookeeper()
    folder = tmp_path_factory.mktemp(kind)
    ensemble: Ensemble
    if kind == "zookeeper":
        jvm = (*JVM_QUICK, "-Dzookeeper.extendedTypesEnabled=true")
        ensemble = ZooKeeperEnsemble(folder, 1, jvm=jvm)
    else:
        ensemble = CoordWithTtl(folder, 1)
    with ensemble:
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
