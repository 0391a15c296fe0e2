"""Latency: how long a commit waits for its quorum, and a new leader for both.

With measured delays, the reply of each replica comes at a known time, and the quorum is there when
those that have replied suffice. Without, the replies come at random times (exponential, mean 1),
and what is given is the mean time in units of that mean.

A fail-over waits, after the silence that starts it, for two rounds with an election quorum (the
pre-vote and the promises) and one with a replication quorum (the synchronisation), while the old
leader is gone.
"""

from collections.abc import Iterable
from itertools import product
from math import comb, inf
from statistics import fmean

import attrs

from coord.quorums.expression import Expression
from coord.quorums.planning.classes import Classes, State, ways
from coord.quorums.system import QuorumSystem


def _is_square(_instance: object, _attribute: object, rows: tuple[tuple[float, ...], ...]) -> None:
    if not rows or any(len(row) != len(rows) for row in rows):
        raise ValueError(f"{len(rows)} rows of delays must be as long as there are rows")
    if any(not 0 <= delay < inf for row in rows for delay in row):
        raise ValueError("delays must be numbers of ms, 0 or more")


@attrs.frozen
class Delays:
    """How long messages take."""

    ms: tuple[tuple[float, ...], ...] = attrs.field(validator=_is_square)
    """Row i, column j: from the i-th voter to the j-th, one way. On the diagonal: its disk."""

    @property
    def count(self) -> int:
        """Between how many replicas."""
        return len(self.ms)

    def reply_ms(self, asker: int, other: int) -> float:
        """Return when the asker has a reply that rests on the other's disk, its own included."""
        there = self.ms[asker][other] + self.ms[other][asker] if asker != other else 0.0
        return there + self.ms[other][other]


@attrs.frozen
class Waits:
    """Means over all leaders, each as likely as the others."""

    commit: float
    """From the proposal until a replication quorum has replied."""
    failover: float
    """From the election's start until the new leader is established; infinite: it cannot be."""


def measured_waits(system: QuorumSystem, delays: Delays) -> Waits:
    """Return the waits in ms."""
    voters = range(len(system.members))
    commits = [_reached_ms(system, delays, leader, voters, system.replicates) for leader in voters]
    failovers = []
    for dead in voters:
        alive = [voter for voter in voters if voter != dead]
        for candidate in alive:
            elects = _reached_ms(system, delays, candidate, alive, system.elects)
            synchronised = _reached_ms(system, delays, candidate, alive, system.replicates)
            failovers.append(2 * elects + synchronised)
    return Waits(fmean(commits), fmean(failovers) if failovers else inf)


def _reached_ms(
    system: QuorumSystem, delays: Delays, asker: int, alive: Iterable[int], side: Expression
) -> float:
    mask = 0
    for reply_ms, other in sorted((delays.reply_ms(asker, other), other) for other in alive):
        mask |= 1 << system.members[other]
        if side.holds(mask):
            return reply_ms
    return inf


def random_waits(classes: Classes, elects: set[State], commits: set[State]) -> Waits:
    """Return the waits in units of the mean delay of a reply."""
    sizes = classes.sizes
    count = sum(sizes)
    commit = failover = 0.0
    for leader in range(len(sizes)):
        weight = sizes[leader] / count
        commit += weight * _mean_wait(_one(sizes, leader), sizes, commits)
        for dead in range(len(sizes)):
            alive = _less(sizes, dead)
            if not alive[leader] or count == 1:
                continue
            weight = sizes[dead] / count * alive[leader] / (count - 1)
            own = _one(sizes, leader)
            failover += weight * 2 * _mean_wait(own, alive, elects)
            failover += weight * _mean_wait(own, alive, commits)
    return Waits(commit, failover if count > 1 else inf)


def _mean_wait(own: State, alive: State, suffices: set[State]) -> float:
    """Return how long it takes until one's own vote and the replies to it suffice."""
    if alive not in suffices:
        return inf
    others = tuple([a - o for a, o in zip(alive, own, strict=True)])
    total = sum(others)
    wait = 0.0
    for state in product(*[range(other + 1) for other in others]):
        if tuple([s + o for s, o in zip(state, own, strict=True)]) in suffices:
            continue
        replied = sum(state)
        share = ways(others, state) / comb(total, replied)
        wait += share / (total - replied)
    return wait


def _one(sizes: State, place: int) -> State:
    return tuple([int(n == place) for n in range(len(sizes))])


def _less(sizes: State, place: int) -> State:
    return tuple([size - (n == place) for n, size in enumerate(sizes)])
