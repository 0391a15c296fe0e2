"""Two of five replicate: the others lag a little, hold nobody up, and catch up by themselves."""

from coord.replica.survey import majority_lag
from tests.consensus.cluster import Cluster
from tests.consensus.scenario import followers_of, started
from tests.consensus.world import Faults

STALL_MS = 60.0
"""Far less than the disks of those who lag take for a window of entries."""


def lag_of(cluster: Cluster) -> int:
    leader = cluster.leader
    return 0 if leader is None else majority_lag(cluster.node(leader))


def test_a_majority_with_slow_disks_lags_by_little_and_stalls_no_commit() -> None:
    """AT-33: all that is committed by two goes to the others at once, and the lag is bounded."""
    cluster = started(5, "simple L=4 R=2", faults=Faults(disk_ms=1.0))
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    leader = cluster.await_leader()
    cluster.faults.slow_disks = frozenset(followers_of(cluster)[:3])
    lags = []
    for _ in range(300):
        began = cluster.now
        cluster.commit(limit_ms=STALL_MS)
        cluster.run(max(0.0, began + 5.0 - cluster.now))
        lags.append(lag_of(cluster))
    assert cluster.leader == leader
    assert max(lags) > 1
    # Their disks take 20 ms on the mean, in which four entries come; now and then five times that.
    assert max(lags) < 20
    assert sum(lags[150:]) < 2 * sum(lags[:150])


def test_those_whom_the_leader_lost_get_a_snapshot_while_it_goes_on_committing() -> None:
    """AT-33: the lag says what only two have; it ends when the others are back, by snapshot."""
    cluster = started(5, "simple L=4 R=2")
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    leader = cluster.await_leader()
    *far, near = followers_of(cluster)
    cluster.isolate(*far)
    shared = cluster.node(leader).commit_index
    for _ in range(30):
        cluster.commit(limit_ms=STALL_MS)
        assert lag_of(cluster) == cluster.node(leader).commit_index - shared
    cluster.run_until(lambda: cluster.is_level(leader, near), 100.0)
    for number in (leader, near):
        cluster.replicas[number].flush(keep=0)
    cluster.heal()
    for _ in range(20):
        cluster.commit(limit_ms=STALL_MS)
        cluster.run(10.0)
    cluster.run_until(cluster.is_level, 500.0)
    assert cluster.leader == leader
    assert all(cluster.replicas[number].disk.base.index > 30 for number in far)
    cluster.run(50.0)
    assert lag_of(cluster) == 0
