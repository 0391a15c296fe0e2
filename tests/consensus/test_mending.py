"""Entries that were stored and cannot be read any more: they are mended, and never denied."""

import pytest

from tests.consensus.scenario import followers_of, started, stays_without_leader

LOST = 2


def test_another_one_sends_what_was_lost_though_there_is_no_leader() -> None:
    cluster = started(3)
    for _ in range(5):
        cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    damaged, other = followers_of(cluster)
    for number in cluster.numbers:
        cluster.crash(number)
    cluster.replicas[damaged].disk.lose_end(LOST)
    cluster.start(damaged)
    cluster.run(1000.0)
    assert cluster.node(damaged).owes
    cluster.start(other)  # a quorum of two, which needs the damaged one
    cluster.await_leader()
    assert not cluster.node(damaged).owes
    cluster.commit()
    cluster.demand_progress()


def test_a_leader_sends_what_was_lost_like_anything_that_a_follower_lacks() -> None:
    cluster = started(3)
    for _ in range(5):
        cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    damaged, _other = followers_of(cluster)
    cluster.crash(damaged)
    cluster.replicas[damaged].disk.lose_end(LOST)
    cluster.start(damaged)
    cluster.run_until(cluster.is_level, 2000.0)
    assert not cluster.node(damaged).owes
    cluster.demand_progress()


def test_a_committed_entry_that_cannot_be_read_is_not_voted_away() -> None:
    """The third never had it: these two are a quorum, and must not lead without it."""
    cluster = started(3)
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    leader = cluster.await_leader()
    damaged, late = followers_of(cluster)
    cluster.crash(late)
    payload = cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    cluster.crash(leader)
    cluster.crash(damaged)
    cluster.replicas[damaged].disk.lose_end(1)
    cluster.start(damaged, late)
    assert stays_without_leader(cluster)
    assert cluster.node(damaged).owes
    cluster.start(leader)
    cluster.commit()
    assert payload in cluster.checkers.positions
    cluster.demand_progress()
    assert not cluster.node(damaged).owes


@pytest.mark.parametrize("lost", [1, 2])
def test_what_nobody_else_has_gives_way_to_the_history_of_the_next_leader(lost: int) -> None:
    cluster = started(3)
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    first = cluster.await_leader()
    cluster.isolate(first)
    cluster.propose(first)
    cluster.propose(first)
    cluster.run(20.0)
    cluster.crash(first)
    cluster.replicas[first].disk.lose_end(lost)
    cluster.heal()
    cluster.await_leader()
    cluster.start(first)
    cluster.demand_progress()
    assert not cluster.node(first).owes


def test_what_is_still_owed_is_known_after_the_next_start() -> None:
    cluster = started(3)
    for _ in range(4):
        cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    damaged, _other = followers_of(cluster)
    for number in cluster.numbers:
        cluster.crash(number)
    cluster.replicas[damaged].disk.lose_end(LOST)
    for _ in range(3):
        cluster.start(damaged)
        cluster.run(500.0)
        assert cluster.node(damaged).owes
        cluster.crash(damaged)
    cluster.demand_progress()
