"""Consensus over quorum systems of every shape: what goes on, and what has to wait."""

import pytest

from tests.consensus.chaos import Run
from tests.consensus.cluster import Cluster
from tests.consensus.failures import difference
from tests.consensus.scenario import followers_of, started, stays_without_leader

GRIDS = [
    (4, "grid [[1,2],[3,4]]"),
    (4, "replication=1*3+2*4 election=1*2+3*4"),
    (6, "grid [[1,2,3],[4,5,6]]"),
    (6, "grid [[1,2],[3,4],[5,6]]"),
]


def commits(cluster: Cluster, duration_ms: float = 2000.0) -> bool:
    """Tell whether a proposal of the leader, if there is one, is applied."""
    leader = cluster.leader
    payload = None if leader is None else cluster.propose(leader)
    cluster.run(duration_ms)
    return payload in cluster.checkers.positions


@pytest.mark.parametrize(("quorums", "goes_on"), [("majority even", True), ("majority", False)])
def test_half_of_four_replicas_with_the_leader_go_on_where_half_replicates(
    quorums: str, goes_on: bool
) -> None:
    """AT-7: where the plain majority of the same trace does not."""
    cluster = started(4, quorums)
    cluster.commit()
    for number in followers_of(cluster)[:2]:
        cluster.crash(number)
    assert commits(cluster) == goes_on
    cluster.demand_progress()


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid[1])
def test_grids_are_safe_with_owned_epochs_though_their_election_quorums_miss_each_other(
    grid: tuple[int, str],
) -> None:
    """AT-9 and AT-35, with the real nodes: seeds of the simulation."""
    for seed in range(4):
        print(f"seed {seed} with systems [{grid}]")
        Run(seed, [grid]).to_the_end(2000.0)


def test_a_dead_column_stops_elections_while_the_other_column_goes_on_committing() -> None:
    """In rows and columns of two: failures count by place, not by number."""
    cluster = started(4, "replication=1*3+2*4 election=1*2+3*4")
    cluster.commit()
    while cluster.await_leader() in (2, 4):
        cluster.restart(cluster.await_leader())
        cluster.run(50.0)
    leader = cluster.await_leader()
    cluster.crash(2)
    cluster.crash(4)
    assert commits(cluster)
    cluster.restart(leader)
    assert stays_without_leader(cluster)
    cluster.start(2 if leader == 1 else 4)
    cluster.demand_progress()


def test_one_dead_of_each_column_stops_the_writes_though_a_new_leader_could_be_had() -> None:
    cluster = started(4, "replication=1*3+2*4 election=1*2+3*4")
    cluster.commit()
    while cluster.await_leader() not in (1, 2):
        cluster.restart(cluster.await_leader())
        cluster.run(50.0)
    cluster.crash(3)
    cluster.crash(4)
    assert not commits(cluster)
    system = cluster.node(1).membership.system
    assert system.missing_for_election({1, 2}) == ""
    assert system.missing_for_replication({1, 2}) == "3 or 4"
    cluster.demand_progress()


def test_a_heavy_replica_commits_alone_and_nobody_leads_without_it() -> None:
    cluster = started(3, "weighted 1=3 2=1 3=1 R=3")
    cluster.commit()
    cluster.crash(2)
    cluster.crash(3)
    cluster.run_until(lambda: cluster.leader == 1, 3000.0)
    assert commits(cluster)
    cluster.start(2, 3)
    cluster.run_until(cluster.is_level, 3000.0)
    cluster.crash(1)
    cluster.run(1000.0)
    assert stays_without_leader(cluster)
    cluster.demand_progress()


def test_a_leader_whose_own_disk_never_counts_commits_with_those_that_do() -> None:
    cluster = started(4, "replication=1*2 election=1+2")
    cluster.commit()
    while cluster.await_leader() not in (3, 4):
        cluster.restart(cluster.await_leader())
        cluster.run(50.0)
    cluster.crash(({3, 4} - {cluster.await_leader()}).pop())
    assert commits(cluster)
    cluster.demand_progress()


@pytest.mark.parametrize("first", range(0, 36, 12))
def test_with_replicas_down_the_ensemble_does_what_was_foretold(first: int) -> None:
    """AT-24; `python -m tests.consensus.failures --sets 1000` tries more."""
    assert [found for seed in range(first, first + 12) if (found := difference(seed))] == []


def test_entries_go_to_everybody_and_are_committed_at_the_fastest_quorum() -> None:
    """AT-11: a small replication quorum waits for few, and all have a copy in the end."""
    cluster = started(5, "simple L=4 R=2")
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    leader = cluster.await_leader()
    *slow, _ = followers_of(cluster)
    for number in slow:
        cluster.replicas[number].pause(400.0)
    began = cluster.now
    payload = cluster.propose(leader)
    cluster.run_until(lambda: payload in cluster.checkers.positions, 300.0)
    assert cluster.now - began < 100.0
    cluster.run_until(cluster.is_level, 3000.0)
