"""Whole replicas, in memory: what they owe each other when leaders change and links break."""

import pytest

from coord.operations.batch import encode_bundle
from coord.replica.messages import BarrierRequest, Forward, PeerMessageError, encode
from coord.replica.transfers import CHUNKS_UNDER_WAY
from tests.replica.ensemble import Ensemble, Export


@pytest.fixture
def ensemble() -> Ensemble:
    ensemble = Ensemble(3)
    ensemble.run(2000)
    return ensemble


def test_a_write_at_every_replica_is_answered(ensemble: Ensemble) -> None:
    for number in (1, 2, 3):
        client = ensemble.client(number)
        client.create(f"/{number}")
        ensemble.run(100)
        assert client.xids() == [1]


def test_a_barrier_asked_of_a_leader_that_was_deposed_just_now_is_no_harm(
    ensemble: Ensemble,
) -> None:
    old = ensemble.leader
    ensemble.stopped.add(old)
    ensemble.run(3000)
    new = ensemble.leader
    (other,) = {1, 2, 3} - {old, new}
    ensemble.stopped.clear()
    # One round of the old leader's loop reads both the news of the other leader and the question.
    replica = ensemble[old].replica
    replica.wake(ensemble.now_ms)
    ensemble.deliver(old)
    replica.received(ensemble.ends[old, other], encode(BarrierRequest(1)))
    ensemble.run(1000)
    assert ensemble.leader == new


def test_a_replica_goes_on_after_a_snapshot_that_holds_writes_of_its_own_clients(
    ensemble: Ensemble,
) -> None:
    behind = ensemble.leader % 3 + 1
    client, other = ensemble.client(behind), ensemble.client(ensemble.leader)
    client.create("/sent-before")
    ensemble.step(behind)
    ensemble.stopped.add(behind)
    ensemble.run(200)
    other.exists("/sent-before")
    assert [error for _xid, error, _body in other.replies()] == [0]
    ensemble.stopped.clear()
    ensemble.install(behind)
    ensemble.run(500)
    fresh = ensemble.client(behind)
    fresh.create("/sent-after")
    ensemble.run(200)
    assert [error for _xid, error, _body in fresh.replies()] == [0]
    assert not ensemble[behind].clients.origin.pending


def test_a_transfer_ends_when_its_link_is_replaced(ensemble: Ensemble) -> None:
    leader = ensemble[1]
    export = Export(chunks=100)
    leader.stock.exports.append(export)
    leader.transfers.send(3, leader.node.epoch)
    assert leader.transfers.lowest_index == export.point.index
    # Replica 3 lost the link and dials again; replica 1 has not noticed the loss.
    ensemble.ends[3, 1].transport.close()
    ensemble[3].replica.unlinked(ensemble.ends[3, 1])
    ensemble.link(3, 1)
    ensemble.run(500)
    assert export.closed
    assert leader.transfers.lowest_index is None


def test_a_transfer_that_another_one_replaces_ends_at_its_sender(ensemble: Ensemble) -> None:
    exports = {}
    for sender in (1, 2):
        exports[sender] = Export(chunks=100)
        ensemble[sender].stock.exports.append(exports[sender])
        ensemble[sender].transfers.send(3, ensemble[sender].node.epoch)
        ensemble.run(100)
    assert exports[1].closed
    assert not exports[2].closed
    first, second = ensemble[3].stock.imports
    assert first.abandoned
    # Both transfers have the same number: chunks of the old sender are not taken for the new one's.
    assert len(second.waiting) == CHUNKS_UNDER_WAY
    assert not second.abandoned


@pytest.mark.parametrize("bundle", [b"", b"short", encode_bundle(1, 1, 1, [b"x"]) + b"more"])
def test_a_forward_that_is_no_bundle_of_its_sender_ends_the_link_only(
    ensemble: Ensemble, bundle: bytes
) -> None:
    leader = ensemble.leader
    peer = leader % 3 + 1
    with pytest.raises(PeerMessageError):
        ensemble[leader].replica.received(ensemble.ends[leader, peer], encode(Forward(bundle)))
    foreign = encode_bundle(leader, 1, 1, [b"x"])
    with pytest.raises(PeerMessageError):
        ensemble[leader].replica.received(ensemble.ends[leader, peer], encode(Forward(foreign)))


def test_a_leader_whose_disk_is_stuck_does_not_gather_without_bound(ensemble: Ensemble) -> None:
    leader = ensemble.leader
    client = ensemble.client(leader)
    member = ensemble[leader]
    member.is_disk_stuck = True
    client.create("/large")
    for _ in range(40):
        client.set("/large", b"x" * 1_000_000)
        ensemble.run(50)
        client.received_frames()
    assert member.node.last_index - member.disk.last_index < 30
    member.is_disk_stuck = False
    ensemble.run(5000)
    assert not member.clients.origin.pending
