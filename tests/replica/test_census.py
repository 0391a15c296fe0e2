"""Whose state is wrong when states differ: who is believed, and when."""

import pytest

from coord.replica.census import WAIT_MS, Census
from coord.replica.sessions import StateDiffersError
from coord.state.record import HEAD_AT, sealed
from tests.replica.ensemble import Ensemble

OTHERS = {2, 3}


def census(agree: dict[int, int], differ: dict[int, int]) -> Census:
    """What a leader, replica 1, has compared: replica -> entry."""
    compared = Census()
    for replica, index in agree.items():
        compared.compared(replica, index, agrees=True)
    for replica, index in differ.items():
        compared.compared(replica, index, agrees=False)
    return compared


def test_a_replica_that_differs_from_the_leader_and_another_is_wrong() -> None:
    compared = census(agree={3: 7}, differ={2: 7})
    assert compared.judge(OTHERS, 0) == 0
    assert compared.wrong == {2: 7}


def test_a_leader_that_differs_from_most_is_wrong_and_tells_nobody_that_he_is() -> None:
    compared = census(agree={}, differ={2: 7, 3: 8})
    assert compared.judge(OTHERS, 0) == 7
    assert compared.wrong == {}


@pytest.mark.parametrize("agree", [{}, {3: 6}], ids=["unheard", "compared before"])
def test_nobody_is_judged_before_all_were_compared_after_that_entry(agree: dict[int, int]) -> None:
    compared = census(agree=agree, differ={2: 7})
    assert compared.judge(OTHERS, 1000) == 0
    assert compared.wrong == {}
    compared.compared(3, 9, agrees=False)
    assert compared.judge(OTHERS, 1100) == 7


def test_one_that_says_nothing_is_waited_for_no_longer_than_a_while() -> None:
    compared = census(agree={}, differ={2: 7})
    assert compared.judge(OTHERS, 1000) == 0
    compared.judge(OTHERS, 1000 + WAIT_MS - 1)
    assert compared.wrong == {}
    compared.judge(OTHERS, 1000 + WAIT_MS)
    assert compared.wrong == {2: 7}


def test_one_alone_does_not_tell_the_leader_that_it_is_wrong() -> None:
    compared = census(agree={}, differ={2: 7})
    assert compared.judge({2}, 0) == 0
    assert compared.wrong == {2: 7}


def test_one_that_is_gone_has_no_vote() -> None:
    compared = census(agree={}, differ={2: 7, 3: 7})
    assert compared.judge({3}, 0) == 0
    assert compared.wrong == {3: 7}


def test_one_that_has_another_state_is_not_wrong_any_more() -> None:
    compared = census(agree={3: 7}, differ={2: 7})
    compared.judge(OTHERS, 0)
    compared.forget(2)
    assert compared.judge(OTHERS, 100) == 0
    assert compared.wrong == {}


# ---------------------------------------------------------------------------- of an ensemble


@pytest.fixture
def ensemble() -> Ensemble:
    ensemble = Ensemble(3)
    ensemble.run(2000)
    client = ensemble.client(ensemble.leader)
    client.create("/a", b"value")
    ensemble.run(500)
    return ensemble


def spoil(ensemble: Ensemble, number: int) -> None:
    """One znode is another one, whole by its checksum; then all replicas change it."""
    store = ensemble[number].clients.machine.store
    record = store.get(b"/a")
    assert record is not None
    store.put(b"/a", sealed(b"/a", record[HEAD_AT:].replace(b"value", b"wrong")))
    writer = ensemble.client(ensemble.leader)
    writer.set("/a", b"after")


@pytest.mark.parametrize("offset", [1, 2])
def test_a_follower_whose_state_is_wrong_finds_out(ensemble: Ensemble, offset: int) -> None:
    wrong = (ensemble.leader + offset - 1) % 3 + 1
    spoil(ensemble, wrong)
    with pytest.raises(StateDiffersError, match=f"replica {wrong} differs from the leader's"):
        ensemble.run(1000)


def test_a_leader_whose_state_is_wrong_finds_out_and_no_follower_reloads(
    ensemble: Ensemble,
) -> None:
    spoil(ensemble, ensemble.leader)
    with pytest.raises(StateDiffersError, match=f"replica {ensemble.leader}, the leader, differs"):
        ensemble.run(1000)
