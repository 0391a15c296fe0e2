"""The planner's figures by brute force: over all sets, orders, states and corners."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, permutations
from math import inf
from statistics import fmean

from hypothesis import strategies as st

from coord.quorums import QuorumError, QuorumSystem, parse
from tests.quorums import drawn


@st.composite
def systems(draw: st.DrawFn, replicas: int = drawn.REPLICAS_MAX) -> QuorumSystem:
    """Any legal system: the other side is the dual, or a weaker one that still meets it."""
    count = draw(st.integers(1, replicas))
    replicates = draw(drawn.expressions(count))
    other = draw(drawn.expressions(count))
    text = f"replication={replicates}"
    try:
        return parse(f"{text} election=({other})*({replicates.dual()})", range(1, count + 1))
    except QuorumError:
        return parse(text, range(1, count + 1))


def unavailable(expression: object, count: int, p: float) -> float:
    up = drawn.sufficient(expression, count)
    return sum(
        p ** (count - mask.bit_count()) * (1 - p) ** mask.bit_count()
        for mask in drawn.subsets(count)
        if mask not in up
    )


def resilience(expression: object, count: int) -> int:
    """The most replicas that may be down, whichever they are."""
    everybody = drawn.subsets(count)[-1]
    return max(
        size
        for size in range(-1, count + 1)
        if all(
            drawn.meaning(expression, everybody & ~gone)
            for gone in drawn.subsets(count)
            if gone.bit_count() <= size
        )
    )


def load(quorums: Sequence[int], count: int) -> Fraction:
    """The load by trying every corner of the linear program, exactly."""
    columns = [[Fraction(quorum >> row & 1) for row in range(1, count + 1)] for quorum in quorums]
    columns += [[Fraction(row == slack) for row in range(count)] for slack in range(count)]
    best = Fraction(0)
    for basis in combinations(range(len(columns)), count):
        found = solve(
            [[columns[n][row] for n in basis] for row in range(count)], [Fraction(1)] * count
        )
        if found is not None and min(found) >= 0:
            best = max(best, sum(x for n, x in zip(basis, found, strict=True) if n < len(quorums)))
    return 1 / best


def solve(rows: list[list], right: list) -> list | None:
    """Solve a square system of equations by elimination; None where there is no one solution."""
    size = len(rows)
    table = [[*row, value] for row, value in zip(rows, right, strict=True)]
    for place in range(size):
        pivot = max(range(place, size), key=lambda row: abs(table[row][place]))
        if not table[pivot][place]:
            return None
        table[place], table[pivot] = table[pivot], table[place]
        table[place] = [value / table[place][place] for value in table[place]]
        for row in range(size):
            if row != place and table[row][place]:
                factor = table[row][place]
                table[row] = [
                    value - factor * other
                    for value, other in zip(table[row], table[place], strict=True)
                ]
    return [row[-1] for row in table]


def downtime(system: QuorumSystem, fails: float, repairs: float, leads: float) -> float:
    """The share of time without service: all sets of replicas, with and without a leader."""
    count = len(system.members)
    sets = drawn.subsets(count)
    states = [(mask, led) for mask in sets for led in (False, True)]
    states = [s for s in states if not s[1] or system.replicates.holds(s[0])]
    place = {state: n for n, state in enumerate(states)}
    flow = [[0.0] * len(states) for _ in states]

    def move(source: tuple[int, bool], mask: int, led: bool, rate: float) -> None:
        target = (mask, led and system.replicates.holds(mask))
        flow[place[target]][place[source]] += rate
        flow[place[source]][place[source]] -= rate

    for mask, led in states:
        up = mask.bit_count()
        for replica in system.members:
            bit = 1 << replica
            if mask & bit:
                move((mask, led), mask & ~bit, False, fails / up if led else fails)
                if led and up > 1:
                    move((mask, led), mask & ~bit, True, fails * (up - 1) / up)
            else:
                move((mask, led), mask | bit, led, repairs)
        if not led and system.replicates.holds(mask) and system.elects.holds(mask):
            move((mask, led), mask, True, leads)
    flow[-1] = [1.0] * len(states)
    shares = solve(flow, [0.0] * (len(states) - 1) + [1.0])
    assert shares is not None
    return sum(share for (_, led), share in zip(states, shares, strict=True) if not led)


def mean_wait(side: object, own: int, others: Sequence[int]) -> float:
    """The mean over all orders in which random replies can come."""
    waits = []
    for order in permutations(others):
        mask, wait, left = 1 << own, 0.0, len(order)
        for replica in order:
            if drawn.meaning(side, mask):
                break
            wait += 1 / left
            left -= 1
            mask |= 1 << replica
        waits.append(wait if drawn.meaning(side, mask) else inf)
    return fmean(waits)
