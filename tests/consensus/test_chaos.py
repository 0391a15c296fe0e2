"""A fixed number of seeds of the simulation; `python -m tests.consensus.cluster` runs more."""

import pytest

from tests.consensus.chaos import Run
from tests.consensus.cluster import Cluster
from tests.consensus.world import Faults


@pytest.mark.parametrize("first", range(0, 20, 4))
def test_seeds_keep_every_rule_and_end_in_progress(first: int) -> None:
    """AT-1: one value a slot, with loss, duplicates, reordering and restarts at any boundary."""
    for seed in range(first, first + 4):
        print(f"seed {seed}")  # repeat with: python -m tests.consensus.cluster --seeds N:N+1
        Run(seed).to_the_end()


def lead_and_follow(crash_at_boundary: int) -> int:
    """Found, commit, trim, change the leader, catch up; return how many boundaries there were."""
    cluster = Cluster(3, "majority", faults=Faults(crash_at_boundary=crash_at_boundary))
    cluster.start()
    cluster.commit()
    behind = next(n for n in cluster.numbers if n != cluster.leader)
    cluster.crash(behind)
    for _ in range(3):
        cluster.commit()
    for number in cluster.numbers:
        cluster.replicas[number].flush(keep=0)
    cluster.start(behind)
    cluster.run(60.0)
    cluster.commit()
    cluster.restart(cluster.await_leader())
    cluster.commit()
    cluster.run(60.0)
    boundaries = cluster.boundaries
    cluster.demand_progress()
    return boundaries


@pytest.mark.parametrize("remainder", range(4))
def test_a_crash_between_any_two_effects_of_a_short_life_loses_nothing(remainder: int) -> None:
    """AT-1 and AT-2: before and after each durable write and each message, one at a time."""
    boundaries = lead_and_follow(0)
    assert boundaries > 300
    for number in range(remainder + 1, boundaries, 4 * STRIDE):
        print(f"boundary {number}")
        lead_and_follow(number)


STRIDE = 8
"""Each eighth boundary is tried; 1 tries them all."""
