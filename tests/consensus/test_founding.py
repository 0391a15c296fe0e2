"""How an ensemble is founded, and what flexible quorums give it."""

import pytest

from coord.consensus.log import EntryKind
from coord.consensus.node import NotLeading
from tests.consensus.cluster import Cluster
from tests.consensus.scenario import (
    followers_of,
    started,
    stays_without_leader,
)
from tests.consensus.world import Faults


def test_a_single_replica_leads_at_once_after_its_own_writes() -> None:
    cluster = Cluster(1, "majority")
    cluster.start()
    cluster.run(30.0)
    assert cluster.leader == 1
    cluster.commit()
    cluster.restart(1)
    cluster.run(30.0)
    assert cluster.leader == 1
    assert cluster.is_level()


def test_the_founding_needs_all_configured_voters() -> None:
    cluster = Cluster(3, "majority")
    cluster.start(1, 2)
    assert stays_without_leader(cluster)
    assert all(cluster.node(n).configuration is None for n in (1, 2))
    cluster.start(3)
    cluster.await_leader()
    genesis = cluster.checkers.applied[0]
    assert genesis.kind == EntryKind.CONFIGURATION


def test_the_first_entry_names_the_members_with_the_births_of_their_disks() -> None:
    cluster = started(4, observers=[4])
    cluster.run_until(cluster.is_level, 1000.0)
    configuration = cluster.node(4).configuration
    assert configuration is not None
    births = [member.birth for member in configuration.members]
    assert births == [cluster.replicas[n].disk.birth for n in (1, 2, 3)] + [0]
    assert configuration.voters() == (1, 2, 3)
    assert configuration.quorums == "majority"
    assert configuration.settings == b"genesis"
    assert configuration.ensemble > 0


def test_an_observer_lets_go_of_the_first_entry_of_a_founding_that_failed() -> None:
    cluster = Cluster(4, "majority", observers=[4], faults=Faults(disk_ms=0.5))
    cluster.faults.slow_disks = frozenset({1, 2, 3})
    cluster.start()
    cluster.run_until(lambda: cluster.replicas[4].disk.last_index == 1, 3000.0)
    for number in (1, 2, 3):
        cluster.replicas[number].disk.under_way.clear()
        cluster.restart(number)
    cluster.faults = Faults()
    cluster.demand_progress()


def test_nothing_is_founded_a_second_time_while_somebody_has_a_history() -> None:
    cluster = started(3)
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.wipe(1)
    cluster.wipe(2)
    for number in (1, 2, 3):
        cluster.restart(number)
    assert stays_without_leader(cluster)
    assert cluster.node(3).commit_index >= 1


def test_four_elect_and_two_replicate_of_five() -> None:
    """AT-4: three die one by one and two go on; then nothing, until four are up."""
    cluster = started(5, "simple L=4 R=2")
    acknowledged = [cluster.commit()]
    epoch = cluster.node(cluster.await_leader()).epoch
    for number in followers_of(cluster)[:3]:
        cluster.crash(number)
        cluster.run(500.0)
        acknowledged.append(cluster.commit())
    leader = cluster.await_leader()
    assert cluster.node(leader).epoch == epoch
    cluster.crash(leader)
    assert stays_without_leader(cluster)
    down = [n for n, replica in cluster.replicas.items() if replica.node is None]
    cluster.start(*[n for n in down if n != leader][:2])
    assert stays_without_leader(cluster)
    cluster.start(*[n for n in down if n != leader][2:])
    cluster.await_leader()
    cluster.commit()
    assert all(payload in cluster.checkers.positions for payload in acknowledged)


def test_a_leader_goes_on_in_its_epoch_when_its_replication_quorum_comes_back() -> None:
    """With no election quorum left, giving up for good would turn a pause into an outage."""
    cluster = started(5, "simple L=4 R=2")
    cluster.commit()
    leader = cluster.await_leader()
    epoch = cluster.node(leader).epoch
    others = followers_of(cluster)
    for number in others:
        cluster.crash(number)
    cluster.run(2000.0)
    assert cluster.leader is None
    with pytest.raises(NotLeading):
        cluster.node(leader).propose(b"to nobody")
    cluster.start(others[0])
    assert cluster.await_leader() == leader
    assert cluster.node(leader).epoch == epoch
    cluster.commit()


@pytest.mark.parametrize(("quorums", "serves"), [("majority even", True), ("majority", False)])
def test_half_of_four_with_the_leader_serve_if_half_replicate(quorums: str, serves: bool) -> None:
    cluster = started(4, quorums)
    cluster.commit()
    for number in followers_of(cluster)[:2]:
        cluster.crash(number)
    cluster.run(1000.0)
    assert (cluster.leader is not None) == serves
