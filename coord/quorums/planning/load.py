"""Load: how busy the busiest replica is when quorums are chosen as well as can be.

A strategy picks each quorum with some probability; its load is the greatest probability with which
a replica is picked, and the load of a system is that of its best strategy (Naor and Wool, The load,
capacity and availability of quorum systems, 1998). One over it is the capacity: how many times the
work of one replica the system can do. In a state of the classes each replica of a class is picked
alike, which no strategy can improve on.

Finding it is a linear program: the most x with A x <= 1, where A holds the share of each class that
a quorum takes; the load is one over the sum of x. It begins with x = 0, which is allowed, so the
plain simplex method does.
"""

from collections.abc import Sequence

from coord.quorums.planning.classes import State

EPSILON = 1e-9
PIVOTS_MAX = 10_000
"""By Bland's rule it ends; this is for numbers too close to call."""


def load(minimal: Sequence[State], sizes: State) -> float:
    """Return the load of a side with these minimal quorums: 1/N to 1."""
    rows = [
        [state[place] / size for state in minimal] + [float(r == place) for r in range(len(sizes))]
        for place, size in enumerate(sizes)
    ]
    return 1 / greatest_sum(rows, len(minimal))


def greatest_sum(rows: list[list[float]], count: int) -> float:
    """Return the most that the first variables sum to while each row is at most 1.

    A row holds a coefficient for each variable, then for each row's slack.
    """
    tableau = [[*row, 1.0] for row in rows]
    goal = [-1.0] * count + [0.0] * (len(rows) + 1)
    basis = list(range(count, count + len(rows)))
    for _ in range(PIVOTS_MAX):
        entering = next((n for n, value in enumerate(goal[:-1]) if value < -EPSILON), None)
        if entering is None:
            break
        ratios = [
            (row[-1] / row[entering], basis[place], place)
            for place, row in enumerate(tableau)
            if row[entering] > EPSILON
        ]
        place = min(ratios)[2]
        basis[place] = entering
        _pivot(tableau, goal, place, entering)
    return goal[-1]


def _pivot(tableau: list[list[float]], goal: list[float], place: int, entering: int) -> None:
    pivot = tableau[place][entering]
    leaving = tableau[place] = [value / pivot for value in tableau[place]]
    for row in [*tableau, goal]:
        factor = row[entering]
        if row is not leaving and factor:
            row[:] = [value - factor * other for value, other in zip(row, leaving, strict=True)]
