"""Downtime: for how much of a long time nothing can be committed, elections included.

Replicas fail and are repaired one by one, at random, independently of each other. While there is a
leader and a replication quorum is up, the ensemble serves. It stops serving when the leader fails,
or when no replication quorum is left; then a new leader needs both quorums up, and some time.
Whoever is up is equally likely to be the leader.

Who is up does not depend on who leads, so how often each state of the classes occurs is known, and
only for how much of that there is a leader is to be solved for: one equation a state, which settle
when they are gone through again and again, the full states first.
"""

from collections.abc import Mapping

from coord.quorums.planning.classes import Classes, State, above, below

SWEEPS_MAX = 20_000
PRECISION = 1e-10
"""Relative change of the result at which it is settled."""


def share_without_service(
    classes: Classes,
    commits: set[State],
    elects: set[State],
    *,
    fails: float,
    repairs: float,
    leads: float,
) -> float:
    """Return the share of time without service, by the rates of failure, repair and election.

    `fails` and `repairs` are for one replica, all three per the same unit of time.
    """
    up = repairs / (fails + repairs)
    occurs = {s: _occurs(classes, s, up) for s in classes.states()}
    order = sorted(commits, key=sum, reverse=True)
    equations = [
        _equation(classes, state, commits, fails, repairs, leads if state in elects else 0.0)
        for state in order
    ]
    served = dict.fromkeys(order, 0.0)
    known = 0.0
    for _ in range(SWEEPS_MAX):
        for state, (rate, inflow, begins) in zip(order, equations, strict=True):
            found = begins * occurs[state]
            for other, share in inflow:
                found += share * served[other]
            served[state] = found / rate
        total = _sum(served)
        if abs(total - known) <= PRECISION * abs(1 - total):
            break
        known = total
    return max(0.0, 1 - total)


def _occurs(classes: Classes, state: State, up: float) -> float:
    count = sum(state)
    return classes.ways(state) * up**count * (1 - up) ** (sum(classes.sizes) - count)


def _equation(
    classes: Classes,
    state: State,
    commits: set[State],
    fails: float,
    repairs: float,
    begins: float,
) -> tuple[float, list[tuple[State, float]], float]:
    """Return how fast a served state ends, from where it comes how fast, and how fast it begins."""
    count = sum(state)
    rate = count * fails + (sum(classes.sizes) - count) * repairs + begins
    inflow = [
        (more, more[place] * fails * count / (count + 1))  # somebody else than the leader fails
        for place, more in above(state, classes.sizes)
        if more in commits
    ]
    for less in below(state):
        if less in commits:
            down = sum(
                s - n for s, n, now in zip(classes.sizes, less, state, strict=True) if n != now
            )
            inflow.append((less, down * repairs))
    return rate, inflow, begins


def _sum(served: Mapping[State, float]) -> float:
    return sum(sorted(served.values()))
