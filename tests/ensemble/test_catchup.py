"""A follower stands still while many znodes are written, and catches up while writes go on."""

from collections.abc import Iterator

import pytest

from tests.ensemble.catchup import CatchUp, run
from tests.ensemble.servers import CoordEnsemble

ZNODES = 120_000
WRITES_MIN = 40
"""A seventh of what is usual: where the machine itself stands still, the gap tells nothing."""
GAP_S_MAX = 2.0


@pytest.fixture(scope="module")
def caught_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatchUp]:
    """One catch-up, in which every watcher saw each change and all digests came out equal."""
    with CoordEnsemble(tmp_path_factory.mktemp("catchup"), tick_ms=2000) as ensemble:
        yield run(ensemble, ZNODES, watcher_timeout_ms=10_000)


def test_writes_go_on_while_a_replica_catches_up(caught_up: CatchUp) -> None:
    assert caught_up.writes >= WRITES_MIN or caught_up.gap_s < GAP_S_MAX


def test_a_replica_that_is_far_behind_gets_a_snapshot(caught_up: CatchUp) -> None:
    assert caught_up.by_snapshot
