"""A replica without a state to be trusted: what it still does, and how it comes back."""

import pytest

from coord.consensus.log import point_of
from coord.operations.machine import StateMachine
from coord.replica.survey import survey
from tests.replica.ensemble import Ensemble, Export
from tests.replica.served import Client


@pytest.fixture
def ensemble() -> Ensemble:
    ensemble = Ensemble(3)
    ensemble.run(2000)
    write(ensemble, "/before")
    return ensemble


def write(ensemble: Ensemble, path: str) -> None:
    client = ensemble.client(ensemble.leader)
    client.create(path)
    ensemble.run(200)
    assert [error for _xid, error, _body in client.replies()] == [0]


def follower(ensemble: Ensemble) -> int:
    return ensemble.leader % 3 + 1


def offer_tree(ensemble: Ensemble, number: int) -> None:
    """The leader flushes; the tree goes over; what the replica stores of it is stored."""
    leader, member = ensemble[ensemble.leader], ensemble[number]
    configuration = leader.node.configuration
    assert configuration is not None
    leader.stock.exports.append(Export(3, leader.replica.applied, configuration.encode()))
    member.next_machine = StateMachine(leader.machine_copy(), member.clients.watches)
    ensemble.run(800)
    deliver(ensemble, number)


def deliver(ensemble: Ensemble, number: int) -> None:
    (target,) = ensemble[number].stock.imports
    while target.waiting:
        target.waiting.popleft()(True)
        ensemble.run(50)


def test_it_asks_for_a_tree_and_applies_what_follows_that(ensemble: Ensemble) -> None:
    number = follower(ensemble)
    member = ensemble[number]
    member.lose_state()
    write(ensemble, "/meanwhile")
    assert member.clients.machine.zxid == 0
    last_index, base_index = member.node.last_index, member.node.base_index
    offer_tree(ensemble, number)
    assert member.named == ["tree.2"]
    write(ensemble, "/after")
    ensemble.run(500)
    assert member.clients.machine.digest == ensemble[ensemble.leader].clients.machine.digest
    assert member.node.last_index > last_index
    assert member.node.base_index == base_index  # the log stays as it was
    client = ensemble.client(number)
    client.get("/after")
    assert [error for _xid, error, _body in client.replies()] == [0]


def test_a_tree_is_not_trusted_before_the_log_has_its_entry_durably(ensemble: Ensemble) -> None:
    number = follower(ensemble)
    member = ensemble[number]
    member.lose_state()
    member.is_disk_stuck = True
    write(ensemble, "/not-durable-here")
    offer_tree(ensemble, number)
    ensemble.run(200)
    assert member.named == []
    member.is_disk_stuck = False
    ensemble.run(200)
    assert member.named == ["tree.2"]


def test_a_tree_from_before_the_log_begins_is_not_taken(ensemble: Ensemble) -> None:
    number = follower(ensemble)
    member = ensemble[number]
    point = ensemble[ensemble.leader].replica.applied
    write(ensemble, "/later")
    disk = member.disk
    disk.base = point_of(disk.entries[point.index])
    del disk.entries[: point.index + 1]
    member.lose_state()
    leader = ensemble[ensemble.leader]
    configuration = leader.node.configuration
    assert configuration is not None
    leader.stock.exports.append(Export(3, point, configuration.encode()))
    ensemble.run(800)
    deliver(ensemble, number)
    ensemble.run(200)
    assert member.named == []
    assert member.stock.discarded == ["tree.2"]


def test_it_asks_again_while_the_leader_has_nothing_to_offer(ensemble: Ensemble) -> None:
    ensemble[follower(ensemble)].lose_state()
    ensemble.run(2100)
    asked = ensemble[ensemble.leader].stock.asked
    assert 4 <= len(asked) <= 5
    assert set(asked) == {ensemble[follower(ensemble)].node.base_index}


def test_clients_are_turned_away_meanwhile(ensemble: Ensemble) -> None:
    number = follower(ensemble)
    attached = ensemble.client(number)
    ensemble[number].lose_state()
    ensemble.run(1500)
    assert attached.is_cut
    client = Client(ensemble[number])  # type: ignore[arg-type]
    client.connect()
    ensemble.run(100)
    assert client.is_cut
    status = survey(ensemble[number].replica, (), (), 0, 0, ())
    assert (status.mode, status.serving) == ("looking", False)
    assert status.warnings == ("it serves nobody: its state is fetched from the leader anew",)


def test_it_goes_on_to_vote_and_to_acknowledge(ensemble: Ensemble) -> None:
    number = follower(ensemble)
    (other,) = {1, 2, 3} - {number, ensemble.leader}
    ensemble[number].lose_state()
    ensemble.stopped.add(other)
    write(ensemble, "/two-of-three")
    ensemble.stopped = {ensemble.leader}
    ensemble.run(5000)
    assert ensemble.leader == other


def test_it_never_stands(ensemble: Ensemble) -> None:
    number = follower(ensemble)
    ensemble[number].lose_state()
    old = ensemble.leader
    (other,) = {1, 2, 3} - {number, old}
    ensemble.stopped = {old, other}
    ensemble.run(5000)
    promised = ensemble[number].node.epoch
    ensemble.run(5000)
    assert ensemble[number].node.epoch == promised
    assert not ensemble[number].node.established
