"""Who leads when, and with which history."""

import pytest

from coord.consensus.messages import Candidacy, TakeOver
from coord.consensus.role import RoleName
from tests.consensus.cluster import Cluster
from tests.consensus.scenario import (
    followers_of,
    newest_history_wins,
    started,
)
from tests.consensus.world import Faults


def test_a_replica_that_was_cut_off_neither_raises_the_epoch_nor_deposes_the_leader() -> None:
    """AT-31, with an election quorum at hand."""
    cluster = started(3)
    leader = cluster.await_leader()
    epoch = cluster.node(leader).epoch
    cluster.isolate(followers_of(cluster)[0])
    cluster.run(3000.0)
    cluster.heal()
    cluster.run(1000.0)
    assert cluster.leader == leader
    assert {cluster.node(n).epoch for n in cluster.replicas} == {epoch}


def test_a_leader_that_was_cut_off_drops_what_was_never_committed() -> None:
    cluster = started(3)
    old = cluster.await_leader()
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.isolate(old)
    lost = [cluster.propose(old) for _ in range(3)]
    cluster.run(20.0)
    assert cluster.node(old).last_index > cluster.node(old).commit_index
    cluster.run(1000.0)
    assert cluster.leader not in (None, old)
    kept = cluster.commit()
    cluster.heal()
    cluster.run_until(lambda: cluster.replicas[old].node is not None and cluster.is_level(), 3000.0)
    assert cluster.node(old).role is RoleName.FOLLOWER
    assert kept in cluster.checkers.positions
    assert not any(payload in cluster.checkers.positions for payload in lost if payload)


def test_a_leader_that_is_heard_but_hears_nobody_is_replaced() -> None:
    cluster = started(3)
    deaf = cluster.await_leader()
    cluster.partition((n, deaf) for n in cluster.replicas if n != deaf)
    cluster.run_until(lambda: cluster.leader not in (None, deaf), 5000.0)
    cluster.commit()


def test_a_member_that_promised_a_later_epoch_is_taken_back_by_a_new_epoch_of_the_leader() -> None:
    cluster = started(3)
    leader = cluster.await_leader()
    epoch = cluster.node(leader).epoch
    lost = followers_of(cluster)[0]
    stray = Candidacy(
        ensemble=0, epoch=(100 << 16) | (lost << 8), birth=cluster.replicas[lost].disk.birth
    )
    other = followers_of(cluster)[1]
    cluster.node(other).receive(lost, stray)
    cluster.run(1000.0)
    assert cluster.leader == leader
    assert cluster.node(leader).epoch > stray.epoch > epoch
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)


@pytest.mark.parametrize("count", [3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_a_new_leader_is_there_soon_after_the_old_one_closes_its_connections(
    count: int, seed: int
) -> None:
    """With heartbeats of 100 ms and elections of 1 s, on loopback and with a disk of 1 ms."""
    cluster = Cluster(count, "majority", seed=seed, faults=Faults(delay_ms=0.1, disk_ms=1.0))
    cluster.heartbeat_ms, cluster.election_ms = 100, 1000
    cluster.start()
    old = cluster.await_leader()
    cluster.commit()
    cluster.crash(old)
    began = cluster.now
    cluster.run_until(lambda: cluster.leader is not None, 1000.0)
    assert cluster.now - began < 80.0


def test_a_hand_over_passes_the_leadership_on_without_a_silence() -> None:
    cluster = started(5)
    old = cluster.await_leader()
    cluster.run_until(cluster.is_level, 1000.0)
    began = cluster.now
    cluster.resign(old)
    cluster.run_until(lambda: cluster.leader not in (None, old), 1000.0)
    assert cluster.now - began < cluster.election_ms
    assert not cluster.node(old).is_resigning
    cluster.commit()


def test_a_hand_over_without_an_election_quorum_changes_nothing() -> None:
    cluster = started(5, "simple L=4 R=2")
    leader = cluster.await_leader()
    for number in followers_of(cluster)[:2]:
        cluster.crash(number)
    epoch = cluster.node(leader).epoch
    cluster.resign(leader)
    cluster.run(1.0)
    assert cluster.node(leader).is_resigning
    assert not cluster.node(leader).can_propose
    cluster.run(2000.0)
    assert cluster.leader == leader
    assert cluster.node(leader).epoch == epoch
    cluster.commit()


def test_a_candidate_fetches_the_best_history_before_it_leads() -> None:
    cluster = started(3)
    leader = cluster.await_leader()
    behind, best = followers_of(cluster)
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.isolate(behind)
    acknowledged = [cluster.commit() for _ in range(3)]
    epoch = cluster.node(leader).epoch
    cluster.faults.says_connections = 0.0
    cluster.crash(leader)
    cluster.heal()
    cluster.node(behind).receive(leader, TakeOver(epoch))  # it stands first
    cluster.run_until(lambda: cluster.leader is not None, 1000.0)
    assert cluster.leader == behind
    assert all(payload in cluster.checkers.positions for payload in acknowledged)
    cluster.run_until(lambda: cluster.is_level(behind, best), 1000.0)


@pytest.mark.parametrize("seed", range(4))
def test_the_history_of_the_newest_epoch_wins_an_election(seed: int) -> None:
    newest_history_wins(started(3, seed=seed))
