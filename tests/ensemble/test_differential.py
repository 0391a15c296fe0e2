"""coord answers random requests as a real ZooKeeper does, byte for byte less ids and times."""

from collections.abc import Iterator

import pytest

from tests.ensemble.conftest import require_zookeeper
from tests.ensemble.differential import run
from tests.ensemble.servers import CoordEnsemble, ZooKeeperEnsemble

STEPS = 300


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str, int]]]:
    """A coord and a ZooKeeper of their own: a stranger's session that ends would take a zxid."""
    require_zookeeper()
    folder = tmp_path_factory.mktemp("differential")
    with (
        CoordEnsemble(folder / "coord", 1) as ours,
        ZooKeeperEnsemble(folder / "zookeeper", 1) as theirs,
    ):
        yield {"coord": ours.address(1), "zookeeper": theirs.address(1)}


@pytest.mark.parametrize("seed", range(1, 5))
def test_random_requests_get_the_replies_that_zookeeper_gives(
    addresses: dict[str, tuple[str, int]], seed: int
) -> None:
    run(addresses, seed, STEPS)
