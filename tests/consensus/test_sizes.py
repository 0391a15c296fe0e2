"""Sizes that differ: what others got wrong with them, by leaving out, forgetting or shrinking."""

import pytest

from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.consensus.epochs import owner_of
from coord.consensus.membership import Membership
from coord.consensus.role import RoleName
from coord.consensus.settings import NodeSettings
from coord.quorums import QuorumError
from tests.consensus.cluster import Cluster
from tests.consensus.scenario import followers_of, started, stays_without_leader

FEW_REPLICATE = "simple L=4 R=2"
FEW_ELECT = "simple L=2 R=4"


def living(cluster: Cluster) -> list[int]:
    return [n for n, replica in cluster.replicas.items() if replica.node is not None]


def heads(cluster: Cluster) -> list[int]:
    """Who has won an election, established or not."""
    return [n for n in living(cluster) if cluster.node(n).role is RoleName.LEADER]


def test_a_majority_that_is_no_election_quorum_neither_elects_nor_raises_the_epoch() -> None:
    """AT-22 a: elections do not fall back on half of the voters."""
    cluster = started(5, FEW_REPLICATE)
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    leader = cluster.await_leader()
    epoch = cluster.node(leader).epoch
    cluster.crash(leader)
    cluster.crash(living(cluster)[0])
    assert stays_without_leader(cluster)
    assert {cluster.node(n).epoch for n in living(cluster)} == {epoch}


def test_an_election_quorum_that_is_no_majority_elects_though_one_of_it_is_behind() -> None:
    """AT-22 a: nor does it go round in circles: who is behind fetches what the other one has."""
    was_behind = []
    for seed in range(8):
        cluster = started(5, FEW_ELECT, seed=seed)
        behind = followers_of(cluster)[0]
        cluster.crash(behind)
        kept = cluster.commit()
        cluster.run_until(cluster.is_level, 1000.0)
        for number in living(cluster)[1:]:
            cluster.crash(number)
        cluster.start(behind)
        cluster.run_until(lambda: bool(heads(cluster)), 2000.0)  # noqa: B023 - used at once
        (head,) = heads(cluster)
        assert cluster.node(head).last_index > cluster.checkers.positions[kept]
        assert cluster.leader is None  # four replicate
        was_behind.append(head == behind)
    assert 0 < sum(was_behind) < len(was_behind)


def test_a_log_that_names_an_unsafe_system_is_not_followed() -> None:
    """AT-22 b: 4 and 3, which are right for six, are wrong for seven."""
    members = tuple(
        Member(n, 100 + n, MemberRole.VOTER, f"peer{n}:1", f"client{n}:1") for n in range(1, 8)
    )
    settings = NodeSettings(id=1, birth=101, members=members, quorums="majority")
    Membership(Configuration(7, b"", "simple L=4 R=3", members[:6]), settings)
    with pytest.raises(QuorumError, match="miss each other"):
        Membership(Configuration(7, b"", "simple L=4 R=3", members), settings)


def test_the_sizes_survive_restarts_snapshots_and_a_file_that_says_something_else() -> None:
    """AT-22 d: the log's configuration rules, whole, and nothing reverts to a default."""
    cluster = started(5, FEW_REPLICATE)
    cluster.commit()
    behind = followers_of(cluster)[0]
    cluster.crash(behind)
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    for number in living(cluster):
        cluster.replicas[number].flush(keep=0)
    cluster.quorums = "majority"  # in the files
    for number in cluster.numbers:
        cluster.restart(number)
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    assert cluster.replicas[behind].disk.base.index > 1  # by a snapshot
    for number in cluster.numbers:
        assert cluster.node(number).membership.system.text == FEW_REPLICATE
    for number in followers_of(cluster)[:3]:
        cluster.crash(number)
    cluster.commit()
    cluster.crash(cluster.await_leader())
    cluster.start(*[n for n in cluster.numbers if n not in living(cluster)][:1])
    assert stays_without_leader(cluster, 1000.0)  # two of five are up, and four elect


def test_a_leader_that_lost_its_replication_quorum_does_not_make_do_with_those_left() -> None:
    """AT-22 e: R never shrinks by itself."""
    cluster = started(5, "simple L=3 R=3")
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    leader = cluster.await_leader()
    for number in followers_of(cluster)[:3]:
        cluster.crash(number)
    payload = cluster.propose(leader)
    assert payload is not None
    count = len(cluster.checkers.applied)
    cluster.run(5000.0)
    assert len(cluster.checkers.applied) == count
    assert cluster.leader is None
    for number in living(cluster):
        assert cluster.node(number).membership.system.text == "simple L=3 R=3"
    cluster.demand_progress()


def test_two_who_are_elected_at_once_by_others_have_different_epochs() -> None:
    """AT-22 f: two election quorums need not meet, since an epoch belongs to one replica."""
    cluster = started(5, FEW_ELECT)
    cluster.commit()
    cluster.run_until(cluster.is_level, 1000.0)
    sides = ({1, 2}, {3, 4}, {5})
    cluster.partition(
        (a, b)
        for a in cluster.numbers
        for b in cluster.numbers
        if not any({a, b} <= side for side in sides)
    )
    cluster.run_until(lambda: len(set(heads(cluster)) - {5}) == 2, 5000.0)
    epochs = {n: cluster.node(n).epoch for n in heads(cluster)}
    assert len(set(epochs.values())) == len(epochs)
    assert all(owner_of(epoch) == number for number, epoch in epochs.items())
    cluster.demand_progress()


def test_who_comes_back_while_no_leader_could_be_elected_deposes_none() -> None:
    """AT-31: without an election quorum to be had, a raised epoch would be an outage for all."""
    cluster = started(5, FEW_REPLICATE)
    cluster.commit()
    leader = cluster.await_leader()
    epoch = cluster.node(leader).epoch
    gone, also_gone, alone, _near = followers_of(cluster)
    cluster.crash(gone)
    cluster.crash(also_gone)
    cluster.isolate(alone)
    for _ in range(5):
        cluster.run(600.0)
        cluster.commit(limit_ms=200.0)
    assert cluster.replicas[alone].disk.hard.promised == epoch
    cluster.heal()
    for _ in range(5):
        cluster.run(100.0)
        cluster.commit(limit_ms=200.0)
    assert cluster.leader == leader
    assert {cluster.node(n).epoch for n in living(cluster)} == {epoch}
