"""Put a bug in and run seeds until the checkers find it."""

import time
from collections.abc import Callable
from itertools import combinations

import attrs
import pytest

from coord.consensus.invariants import BrokenInvariant
from coord.quorums import parse
from tests.simulation.bank import disks, quorums, replicas
from tests.simulation.invariants import Violation
from tests.simulation.plan import Plan, draw_plan
from tests.simulation.run import Run

Bug = Callable[[pytest.MonkeyPatch], None]

BANK: tuple[Bug, ...] = (*quorums.BUGS, *disks.BUGS, *replicas.BUGS)


def _majority_misses_an_election(plan: Plan) -> bool:
    """Whether a new leader may be elected beside a majority."""
    voters = range(1, plan.voters + 1)
    system = parse(plan.quorums, voters)
    majorities = combinations(voters, plan.voters // 2 + 1)
    return any(not system.meets_every_election_quorum(set(each)) for each in majorities)


def _election_quorums_may_miss_each_other(plan: Plan) -> bool:
    voters = set(range(1, plan.voters + 1))
    system = parse(plan.quorums, voters)
    sets = (set(each) for count in voters for each in combinations(voters, count))
    elect = system.is_election_quorum
    return any(elect(each) and elect(voters - each) for each in sets)


NEEDS: dict[Bug, Callable[[Plan], bool]] = {
    quorums.reads_confirmed_by_a_majority: _majority_misses_an_election,
    quorums.epochs_that_nobody_owns: _election_quorums_may_miss_each_other,
    quorums.a_wiped_replica_votes: lambda plan: bool(plan.faults.wipe),
    disks.damaged_entries_taken_for_missing: lambda plan: bool(plan.faults.rot),
    replicas.a_resumed_leader_expires_before_it_reads: lambda plan: bool(plan.faults.pause),
}
"""What a seed must bring along for a bug to show at all; other seeds are passed over."""


FOUND = (Violation, BrokenInvariant, AssertionError)
"""A rule of the checkers, of consensus, or of other modules is broken; nothing else is a find."""


@attrs.frozen
class Catch:
    """How a bug was found."""

    seed: int
    what: str
    """The rule that was broken, or what the code under test raised."""
    seconds: float
    """CPU time that it took."""


def hunt(bug: Bug, seeds: range, seconds_max: float) -> Catch | None:
    """Run seeds with a bug until something is broken; None when nothing is, or time is up."""
    begun = time.process_time()
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        for seed in seeds:
            plan = draw_plan(seed)
            if bug in NEEDS and not NEEDS[bug](plan):
                continue
            try:
                Run(plan).to_the_end()
            except FOUND as error:
                what = f"{type(error).__name__}: {error}"
                return Catch(seed, what, time.process_time() - begun)
            if time.process_time() - begun > seconds_max:
                break
    return None
