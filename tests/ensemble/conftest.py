"""Fixtures: an ensemble of three for the tests that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.ensemble.probe import Probe, remove_tree
from tests.ensemble.servers import (
    CoordEnsemble,
    Ensemble,
    ZooKeeperEnsemble,
    zookeeper_missing,
)

KINDS = ("coord", "zookeeper")


def require_zookeeper() -> None:
    """Skip when there is no ZooKeeper here."""
    missing = zookeeper_missing()
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def coord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    """Three coord replicas that all tests share."""
    with CoordEnsemble(tmp_path_factory.mktemp("coord")) as ensemble:
        yield ensemble


@pytest.fixture(scope="session")
def zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    """Three ZooKeeper servers that all tests share."""
    require_zookeeper()
    with ZooKeeperEnsemble(tmp_path_factory.mktemp("zookeeper")) as ensemble:
        yield ensemble


@pytest.fixture(params=KINDS)
def ensemble(request: pytest.FixtureRequest) -> Ensemble:
    """Each kind of server in turn, three of them; no test kills one of these."""
    shared: Ensemble = request.getfixturevalue(request.param)
    return shared


@pytest.fixture
def probe(ensemble: Ensemble) -> Iterator[Probe]:
    """A client of a follower."""
    with Probe(ensemble.address(ensemble.followers()[0])) as opened:
        yield opened


@pytest.fixture
def other(ensemble: Ensemble) -> Iterator[Probe]:
    """A client of the leader."""
    with Probe(ensemble.address(ensemble.leader())) as opened:
        yield opened


@pytest.fixture
def base(ensemble: Ensemble, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty node for one test, removed with all below it afterwards."""
    path = "/" + request.node.originalname
    with Probe(ensemble.address(ensemble.leader())) as housekeeper:
        housekeeper.create(path)
    yield path
    with Probe(ensemble.address(ensemble.leader())) as housekeeper:
        remove_tree(housekeeper, path)
