"""Writes wait for the others of their group, but never for long and never in vain for long."""

import pytest

from coord.replica.gathering import (
    CROWD,
    LAPSE_MAX,
    LEADER_PATIENCE_MS,
    PATIENCE_MS,
    Gathering,
)


def test_the_first_write_and_a_single_client_never_wait() -> None:
    gathering = Gathering()
    assert gathering.suffices(1, 0)
    gathering.answered(1, 0, 5)
    assert gathering.suffices(1, 5)


def test_writes_wait_until_most_of_those_that_were_answered_have_come_again() -> None:
    gathering = Gathering()
    gathering.answered(32, 32, 5)
    assert not gathering.suffices(32, 5)
    assert not gathering.suffices(57, 5)
    assert gathering.suffices(58, 5)


def test_the_wait_ends_when_patience_does() -> None:
    gathering = Gathering()
    gathering.answered(10, 0, 5)
    assert not gathering.suffices(1, 5 + PATIENCE_MS)
    assert gathering.suffices(1, 6 + PATIENCE_MS)


def test_a_leader_waits_longer_for_a_crowd_at_several_replicas() -> None:
    gathering = Gathering()
    gathering.answered(CROWD, 0, 5, foreign=1)
    assert not gathering.suffices(1, 5 + LEADER_PATIENCE_MS)
    assert gathering.suffices(1, 6 + LEADER_PATIENCE_MS)
    assert LEADER_PATIENCE_MS > 2 * PATIENCE_MS


@pytest.mark.parametrize(("count", "foreign"), [(CROWD - 1, 5), (CROWD, 0)])
def test_one_slow_client_does_not_hold_up_a_few_or_those_of_one_replica(
    count: int, foreign: int
) -> None:
    gathering = Gathering()
    gathering.answered(count, 0, 5, foreign)
    assert gathering.suffices(1, 6 + PATIENCE_MS)


def test_waits_that_do_not_pay_become_rare() -> None:
    gathering = Gathering()
    waits = []
    for entry in range(1000):
        gathering.answered(10, 0, 10 * entry)
        if not gathering.suffices(1, 10 * entry):
            waits.append(entry)
            assert gathering.suffices(1, 10 * entry + PATIENCE_MS + 1)
    assert waits[-1] - waits[-2] == LAPSE_MAX + 1
    assert len(waits) < 25


def test_a_wait_that_paid_makes_the_next_ones_likely_again() -> None:
    gathering = Gathering()
    gathering.answered(10, 0, 0)
    assert gathering.suffices(1, 10)
    gathering.answered(10, 0, 20)
    assert gathering.suffices(1, 20)
    gathering.answered(10, 0, 30)
    assert not gathering.suffices(8, 30)
    assert gathering.suffices(9, 30)
    gathering.answered(10, 0, 40)
    assert not gathering.suffices(1, 40)
