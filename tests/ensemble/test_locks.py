"""Bodies under one kazoo lock never overlap while the leader is killed and stopped.

Two rounds here; `python -m tests.ensemble.locks` makes as many as one likes, also with our own
lock, of which `test_exclusion` shows more.
"""

from collections.abc import Iterator

import pytest

from tests.ensemble.locks import CONTENDER_KINDS, Contention, verify
from tests.ensemble.servers import CoordEnsemble, Ensemble


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    with CoordEnsemble(tmp_path_factory.mktemp("locks"), tick_ms=1000) as three:
        yield three


def test_no_two_holders_at_once_over_a_kill_and_a_stop_of_the_leader(ensemble: Ensemble) -> None:
    with Contention(ensemble, CONTENDER_KINDS["kazoo"], timeout_s=2.0) as contention:
        contention.kill(ensemble.leader())
        contention.stop(ensemble.leader())
    verify(contention.bodies)
    assert len(contention.bodies) >= 4 * len(contention.contenders)
