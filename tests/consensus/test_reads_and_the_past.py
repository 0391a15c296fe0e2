"""Reads are confirmed afresh, and what comes late or twice changes nothing."""

from coord.consensus.messages import Alive, Message
from tests.consensus.disk import Disk
from tests.consensus.scenario import (
    followers_of,
    started,
)


def test_a_read_is_confirmed_by_a_fresh_round_and_never_by_a_leader_that_is_cut_off() -> None:
    """AT-30."""
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
    """AT-30: those who meet every election quorum, which need not be a majority."""
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


def test_the_whole_past_delivered_again_changes_nothing() -> None:
    cluster = started(3)
    past: list[tuple[int, int, Message]] = []
    kept = cluster.send

    def record(sender: int, disk: Disk, peer: int, message: Message) -> None:
        past.append((sender, peer, message))
        kept(sender, disk, peer, message)

    cluster.send = record  # type: ignore[method-assign]
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
        cluster.replicas[peer].perform(node)
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
