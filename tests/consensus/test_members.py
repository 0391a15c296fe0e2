"""Members that are slow, behind, observers, or have lost their disks."""

import pytest

from coord.consensus.node import Backlogged
from coord.consensus.role import RoleName
from coord.consensus.settings import Limits
from tests.consensus.scenario import (
    followers_of,
    started,
    stays_without_leader,
)
from tests.consensus.world import Faults


def test_a_replica_whose_place_is_trimmed_rejoins_by_a_snapshot() -> None:
    """AT-33."""
    cluster = started(3)
    leader = cluster.await_leader()
    behind, other = followers_of(cluster)
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.crash(behind)
    for _ in range(10):
        cluster.commit()
    cluster.run_until(lambda: cluster.is_level(leader, other), 1000.0)
    cluster.replicas[leader].flush(keep=0)
    cluster.replicas[other].flush(keep=0)
    assert cluster.replicas[leader].disk.base.index > cluster.replicas[behind].disk.last_index
    cluster.start(behind)
    cluster.run_until(cluster.is_level, 2000.0)
    assert cluster.replicas[behind].disk.base.index > 1
    cluster.restart(behind)
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)


def test_a_replica_far_behind_rejoins_from_the_log_in_pieces_under_a_new_leader() -> None:
    """What is committed is stored ahead of the new epoch, so no piece need be large."""
    cluster = started(3)
    behind = followers_of(cluster)[0]
    cluster.crash(behind)
    for _ in range(60):
        cluster.commit(size=200)
    cluster.resign(cluster.await_leader())
    cluster.run(300.0)
    cluster.commit()
    epoch = cluster.node(cluster.await_leader()).epoch
    cluster.start(behind)
    cluster.run_until(lambda: cluster.replicas[behind].applied.index > 20, 2000.0)
    assert cluster.replicas[behind].disk.hard.current_epoch < epoch
    cluster.run_until(cluster.is_level, 2000.0)
    cluster.run(50.0)
    assert cluster.replicas[behind].disk.hard.current_epoch == epoch


def test_a_slow_disk_outside_the_quorum_stalls_no_commit_and_costs_a_window() -> None:
    """AT-33."""
    cluster = started(3)
    leader = cluster.await_leader()
    slow = followers_of(cluster)[0]
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.faults.slow_disks = frozenset({slow})
    cluster.faults.disk_ms = 20.0
    for _ in range(60):
        cluster.commit(size=200, limit_ms=500.0)
    status = {peer.peer: peer for peer in cluster.node(leader).peers}
    assert status[slow].stored < cluster.node(leader).commit_index
    role = cluster.node(leader)._role
    assert role._progress[slow].window_bytes <= cluster.limits.window + 2 * 500  # type: ignore[attr-defined]
    cluster.faults = Faults()
    cluster.run_until(cluster.is_level, 5000.0)


def test_proposals_are_refused_beyond_what_may_be_uncommitted() -> None:
    cluster = started(3, limits=Limits(uncommitted=3000))
    leader = cluster.await_leader()
    cluster.isolate(leader)
    node = cluster.node(leader)
    while node.can_propose:
        node.propose(b"payload")
    with pytest.raises(Backlogged):
        node.propose(b"payload")
    assert node.last_index < 30


def test_proposals_are_refused_beyond_what_the_leaders_own_disk_takes() -> None:
    """The others commit without it, but what it has not stored stays in its memory."""
    cluster = started(3, limits=Limits(uncommitted=3000))
    leader = cluster.await_leader()
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.faults.slow_disks = frozenset({leader})
    cluster.faults.disk_ms = 10.0
    node = cluster.node(leader)
    cluster.run_until(lambda: cluster.propose(leader) is None, 1000.0)
    cluster.run(50.0)
    assert node.commit_index > node._journal.durable_index
    assert node._journal.unstored_bytes < 4000
    cluster.run_until(lambda: node.can_propose, 5000.0)


def test_an_observer_follows_and_never_counts() -> None:
    cluster = started(4, observers=[4])
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    for number in [n for n in followers_of(cluster) if n != 4]:
        cluster.crash(number)
    cluster.run(1000.0)
    assert cluster.leader is None
    leader = next(n for n in (1, 2, 3) if cluster.replicas[n].node is not None)
    cluster.crash(leader)
    assert stays_without_leader(cluster, 1000.0)
    assert cluster.node(4).role is RoleName.FOLLOWER


def test_a_replica_that_lost_its_disk_follows_and_does_not_vote() -> None:
    """AT-32: neither in elections nor in what is committed."""
    cluster = started(3)
    cluster.commit()
    leader = cluster.await_leader()
    wiped, other = followers_of(cluster)
    cluster.wipe(wiped)
    cluster.start(wiped)
    cluster.run_until(cluster.is_level, 2000.0)
    assert not cluster.node(wiped).membership.is_voter
    status = {peer.peer: peer for peer in cluster.node(leader).peers}
    assert not status[wiped].counts
    assert status[other].counts
    cluster.crash(other)
    cluster.run(1000.0)
    assert cluster.leader is None
    cluster.crash(leader)
    cluster.start(other)
    assert stays_without_leader(cluster)
    cluster.start(leader)
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)


def test_what_a_lost_disk_had_stored_is_no_longer_counted() -> None:
    """AT-32, for a leader that counted it before."""
    cluster = started(3)
    leader = cluster.await_leader()
    wiped, other = followers_of(cluster)
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.crash(other)
    cluster.wipe(wiped)
    cluster.start(wiped)
    cluster.run(100.0)
    payload = cluster.propose(leader)
    cluster.run(1000.0)
    assert payload not in cluster.checkers.positions
