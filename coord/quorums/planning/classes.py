"""Classes: replicas that can stand for each other, so that sets need only be counted.

Two replicas are in one class when both sides of the system stay what they are with the two
exchanged. Then it matters only how many of each class a set holds: a *state*. A majority of nine
has 10 states where there are 512 sets, a grid of three by three 64; where no two replicas are
alike, states are sets.
"""

from collections.abc import Iterator
from itertools import product
from math import comb, prod

from coord.quorums.expression import Expression, Single
from coord.quorums.system import QuorumSystem

STATES_MAX = 20_000
"""Figures of systems with more states are not computed: they would take minutes."""

State = tuple[int, ...]
"""How many replicas of each class."""


class TooLargeError(Exception):
    """The system has too many different replicas for its figures to be computed."""


class Classes:
    """The voters of a system in classes."""

    def __init__(self, system: QuorumSystem) -> None:
        sides = (system.elects, system.replicates)
        canonical = [_canonical(side, {}) for side in sides]
        classes: list[list[int]] = []
        for voter in system.members:
            for alike in classes:
                swapped = {voter: alike[0], alike[0]: voter}
                if [_canonical(side, swapped) for side in sides] == canonical:
                    alike.append(voter)
                    break
            else:
                classes.append([voter])
            if 2 ** len(classes) > STATES_MAX:
                raise TooLargeError
        self.members = tuple(map(tuple, classes))
        self.sizes: State = tuple(map(len, classes))
        if prod(size + 1 for size in self.sizes) > STATES_MAX:
            raise TooLargeError

    def states(self) -> Iterator[State]:
        """Give every state."""
        return product(*[range(size + 1) for size in self.sizes])

    def mask(self, state: State) -> int:
        """Return a set of this state."""
        mask = 0
        for alike, count in zip(self.members, state, strict=True):
            for replica in alike[:count]:
                mask |= 1 << replica
        return mask

    def sufficient(self, expression: Expression) -> set[State]:
        """Return the states for whose sets one side of the system, or its dual, holds."""
        return {state for state in self.states() if expression.holds(self.mask(state))}

    def minimal(self, expression: Expression) -> list[State]:
        """Return the states of the minimal quorums of a side."""
        found = self.sufficient(expression)
        return sorted(state for state in found if not any(less in found for less in below(state)))

    def ways(self, state: State) -> int:
        """Return how many sets have this state."""
        return ways(self.sizes, state)


def ways(sizes: State, state: State) -> int:
    """Return in how many ways so many can be taken out of classes of these sizes."""
    return prod([comb(size, count) for size, count in zip(sizes, state, strict=True)])


def below(state: State) -> Iterator[State]:
    """Give the states with one replica less."""
    for place, count in enumerate(state):
        if count:
            yield (*state[:place], count - 1, *state[place + 1 :])


def above(state: State, sizes: State) -> Iterator[tuple[int, State]]:
    """Give the states with one replica more, each with the place of that one's class."""
    for place, count in enumerate(state):
        if count < sizes[place]:
            yield place, (*state[:place], count + 1, *state[place + 1 :])


def _canonical(expression: Expression, names: dict[int, int]) -> str:
    """Write an expression with replicas renamed, the same for every order of its parts."""
    if isinstance(expression, Single):
        return str(names.get(expression.replica, expression.replica))
    parts = sorted(
        f"{_canonical(part, names)}={weight}"
        for part, weight in zip(expression.parts, expression.weights, strict=True)
    )
    return f"{expression.need}({','.join(parts)})"
