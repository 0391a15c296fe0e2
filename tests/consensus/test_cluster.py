"""The simulation itself."""

import pytest

from coord.consensus.configuration import MemberRole
from coord.consensus.progress import Flow
from tests.consensus.chaos import Run
from tests.consensus.disk import Violation
from tests.consensus.scenario import (
    started,
)


def test_one_seed_is_one_run() -> None:
    traces = []
    for _ in range(2):
        run = Run(3)
        run.to_the_end(duration_ms=500.0)
        traces.append("\n".join(run.cluster.trace))
    assert traces[0] == traces[1]


def test_no_progress_is_a_failure() -> None:
    cluster = started(3)
    cluster.wipe(1)
    cluster.wipe(2)
    with pytest.raises(Violation, match="no progress"):
        cluster.demand_progress()


def test_everything_that_flows_to_a_member_is_shown() -> None:
    cluster = started(4, observers=[4])
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.run(50.0)
    leader = cluster.await_leader()
    for status in cluster.node(leader).peers:
        assert status.flow is Flow.ENTRIES
        assert status.stored == cluster.node(leader).last_index
        member = cluster.members[status.peer - 1]
        assert status.counts == (member.role == MemberRole.VOTER)
