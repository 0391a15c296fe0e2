"""Scenarios by name, on real nodes in a kind world, with the checkers of the simulation on."""

import pytest

from coord.consensus.configuration import MemberRole
from coord.consensus.log import EntryKind
from coord.consensus.messages import Alive, Candidacy, Message, TakeOver
from coord.consensus.node import Backlogged, NotLeading
from coord.consensus.progress import Flow
from coord.consensus.role import RoleName
from coord.consensus.settings import Limits
from tests.consensus.chaos import demand_progress, run_seed
from tests.consensus.cluster import Cluster, Faults
from tests.consensus.disk import Violation


def started(count: int, quorums: str = "majority", **options: object) -> Cluster:
    cluster = Cluster(count, quorums, **options)  # type: ignore[arg-type]
    cluster.start()
    cluster.await_leader()
    return cluster


def followers_of(cluster: Cluster) -> list[int]:
    return [n for n in cluster.replicas if n != cluster.leader]


def stays_without_leader(cluster: Cluster, duration_ms: float = 3000.0) -> bool:
    for _ in range(int(duration_ms / 50)):
        cluster.run(50.0)
        if cluster.leader is not None:
            return False
    return True


# Founding


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


# Flexible quorums


def test_four_elect_and_two_replicate_of_five() -> None:
    """Three die one by one and the two that are left go on; then nothing, until four are up."""
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


# Elections


def test_a_replica_that_was_cut_off_neither_raises_the_epoch_nor_deposes_the_leader() -> None:
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


def newest_history_wins(cluster: Cluster) -> None:
    """An entry of a newer epoch that nobody else saw must not win over a history that was chosen.

    Three replicas, three epochs: z is written by the first leader alone and x by the second alone;
    the third adopts one of the two histories without writing anything, and dies.
    """
    first = cluster.await_leader()
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.isolate(first)
    cluster.propose(first)  # z
    cluster.run(20.0)
    cluster.run_until(lambda: cluster.leader not in (None, first), 3000.0)
    second = cluster.await_leader()
    third = next(n for n in cluster.replicas if n not in (first, second))
    cluster.run(50.0)
    cluster.isolate(second)
    cluster.propose(second)  # x
    cluster.run(20.0)
    cluster.run_until(lambda: cluster.leader not in (None, second), 3000.0)
    last = cluster.await_leader()
    cluster.run(50.0)
    other = first if last == third else third
    cluster.crash(last)
    cluster.heal()
    cluster.run_until(lambda: cluster.leader in (second, other), 3000.0)
    cluster.run(100.0)
    cluster.start(last)
    demand_progress(cluster)


@pytest.mark.parametrize("seed", range(4))
def test_the_history_of_the_newest_epoch_wins_an_election(seed: int) -> None:
    newest_history_wins(started(3, seed=seed))


# Members that are behind


def test_a_replica_whose_place_is_trimmed_rejoins_by_a_snapshot() -> None:
    cluster = started(3)
    leader = cluster.await_leader()
    behind, other = followers_of(cluster)
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.crash(behind)
    for _ in range(10):
        cluster.commit()
    cluster.run_until(lambda: cluster.is_level(leader, other), 1000.0)
    cluster.flush(leader)
    cluster.flush(other)
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


# Lost disks


def test_a_replica_that_lost_its_disk_follows_and_does_not_vote() -> None:
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


# Reads


def test_a_read_is_confirmed_by_a_fresh_round_and_never_by_a_leader_that_is_cut_off() -> None:
    cluster = started(3)
    leader = cluster.await_leader()
    cluster.commit()
    cluster.barrier(leader)
    cluster.run(20.0)
    assert not cluster.replicas[leader].barriers
    cluster.isolate(leader)
    cluster.barrier(leader)
    cluster.run(cluster.election_ms / 2)
    assert cluster.replicas[leader].barriers
    cluster.run(1000.0)
    assert not cluster.replicas[leader].barriers  # failed: it no longer serves


def test_two_of_five_confirm_reads_where_four_elect() -> None:
    cluster = started(5, "simple L=4 R=2")
    cluster.commit()
    leader = cluster.await_leader()
    for number in followers_of(cluster)[:3]:
        cluster.crash(number)
    cluster.run(500.0)
    cluster.barrier(leader)
    contact = cluster.node(leader).contact_ms - cluster.replicas[leader].clock_offset
    assert cluster.now - contact < 2 * cluster.heartbeat_ms
    cluster.run(20.0)
    assert not cluster.replicas[leader].barriers


# The past


def test_the_whole_past_delivered_again_changes_nothing() -> None:
    cluster = started(3)
    past: list[tuple[int, int, Message]] = []
    kept = cluster._send

    def record(replica: object, peer: int, message: Message) -> None:
        past.append((replica.id, peer, message))  # type: ignore[attr-defined]
        kept(replica, peer, message)  # type: ignore[arg-type]

    cluster._send = record  # type: ignore[method-assign, assignment]
    for _ in range(3):
        cluster.commit()
        cluster.restart(cluster.await_leader())
        cluster.await_leader()
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    leader = cluster.await_leader()
    epoch = cluster.node(leader).epoch
    count = len(cluster.checkers.applied)
    cluster.random.shuffle(past)
    for sender, peer, message in past:
        node = cluster.node(peer)
        node.receive(sender, message)
        cluster._perform(cluster.replicas[peer], node)
    cluster.run(1000.0)
    assert cluster.leader == leader
    assert cluster.node(leader).epoch == epoch
    assert len(cluster.checkers.applied) == count
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)


def test_an_answer_from_an_epoch_that_is_over_is_not_counted() -> None:
    cluster = started(3)
    old = cluster.await_leader()
    epoch = cluster.node(old).epoch
    cluster.restart(old)
    leader = cluster.await_leader()
    cluster.isolate(leader)
    node = cluster.node(leader)
    index = node.propose(b"alone")
    for peer in followers_of(cluster):
        birth = cluster.replicas[peer].disk.birth
        node.receive(peer, Alive(epoch, 1, 0, birth, stored=index, gathered=index))
    cluster.run(50.0)
    assert node.commit_index < index


# The simulation itself


def test_one_seed_is_one_run() -> None:
    traces = []
    for _ in range(2):
        clusters: list[Cluster] = []
        run_seed(3, clusters, duration_ms=500.0)
        traces.append("\n".join(clusters[0].trace))
    assert traces[0] == traces[1]


def test_no_progress_is_a_failure() -> None:
    cluster = started(3)
    cluster.wipe(1)
    cluster.wipe(2)
    with pytest.raises(Violation, match="no progress"):
        demand_progress(cluster)


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
