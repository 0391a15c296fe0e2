"""Expressions: which sets of replicas suffice, as thresholds within thresholds.

`1+2` is any of the two, `1*2` both, `choose(2, 1, 2, 3)` two of three; parts may have weights. All
are one thing: parts, their weights, and the weight that is needed. Rules:

X1. An expression is monotone: what holds for a set holds for each set that contains it.
X2. The dual holds for exactly the sets that meet every set for which the expression holds. Where
    the parts together weigh T and n is needed, the duals of the parts need T - n + 1: those which
    are left out must be too light to suffice. Nothing is enumerated for it.
X3. The highest position that a sufficient set has reached is found part by part: a threshold has
    reached what those of its parts have which together first weigh enough, the furthest first.

Sets are bit masks: replica r is bit r.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs


def mask_of(replicas: Iterable[int]) -> int:
    """Return the set as a bit mask."""
    mask = 0
    for replica in replicas:
        mask |= 1 << replica
    return mask


def replicas_of(mask: int) -> tuple[int, ...]:
    """Return the replicas of a bit mask, ascending."""
    return tuple([replica for replica in range(mask.bit_length()) if mask >> replica & 1])


@attrs.frozen
class Single:
    """One replica."""

    replica: int
    """Its id; 0 or more."""

    @property
    def support(self) -> int:
        """The replicas that the expression names, as a mask."""
        return 1 << self.replica

    def holds(self, mask: int) -> bool:
        """Tell whether the replica is in the set."""
        return mask >> self.replica & 1 == 1

    def highest(self, positions: Mapping[int, int]) -> int:
        """Return the replica's position; -1 where it has none."""
        return positions.get(self.replica, -1)

    def dual(self) -> "Expression":
        """Return the same: only itself meets it."""
        return self

    def leaves(self) -> Iterator[int]:
        """Give the replica."""
        yield self.replica

    def __str__(self) -> str:
        return str(self.replica)


@attrs.frozen
class Threshold:
    """Parts that suffice when those which hold weigh enough."""

    need: int
    """The weight that suffices; from 1 to that of all parts."""
    parts: "tuple[Expression, ...]"
    """At least one."""
    weights: tuple[int, ...]
    """One for each part, positive."""
    support: int = attrs.field(init=False, eq=False, repr=False)
    """The replicas that the expression names, as a mask."""
    counted: tuple[int, ...] = attrs.field(init=False, eq=False, repr=False)
    """The replicas, where it only counts different ones; else nothing."""

    def __attrs_post_init__(self) -> None:
        if not 1 <= self.need <= sum(self.weights) or min(self.weights) < 1:
            raise ValueError(f"{self.need} of {self.weights} is no threshold")
        support = 0
        for part in self.parts:
            support |= part.support
        singles = [part.replica for part in self.parts if isinstance(part, Single)]
        counts = len(set(singles)) == len(self.parts) == sum(self.weights)
        object.__setattr__(self, "support", support)
        object.__setattr__(self, "counted", tuple(singles) if counts else ())

    def holds(self, mask: int) -> bool:
        """Tell whether the set contains one that suffices."""
        if self.counted:
            return (mask & self.support).bit_count() >= self.need
        lacking = self.need
        for part, weight in zip(self.parts, self.weights, strict=True):
            if part.holds(mask):
                lacking -= weight
                if lacking <= 0:
                    return True
        return False

    def highest(self, positions: Mapping[int, int]) -> int:
        """Return the greatest position which a sufficient set has reached, or -1 (X3)."""
        if self.counted:
            return sorted([positions.get(r, -1) for r in self.counted])[-self.need]
        reached = [
            (part.highest(positions), weight)
            for part, weight in zip(self.parts, self.weights, strict=True)
        ]
        reached.sort(reverse=True)
        lacking = self.need
        for position, weight in reached:
            lacking -= weight
            if lacking <= 0:
                return position
        return -1

    def dual(self) -> "Expression":
        """Return what holds for exactly the sets that meet every sufficient one (X2)."""
        parts = tuple([part.dual() for part in self.parts])
        return Threshold(sum(self.weights) - self.need + 1, parts, self.weights)

    def leaves(self) -> Iterator[int]:
        """Give the replicas as often as they stand."""
        for part in self.parts:
            yield from part.leaves()

    @property
    def sign(self) -> str:
        """What stands between its parts: "+" for any, "*" for all; "" for any other choice."""
        if len(self.parts) != sum(self.weights):
            return ""
        return {1: "+", len(self.parts): "*"}.get(self.need, "")

    def __str__(self) -> str:
        if sign := self.sign:
            return sign.join([_bracketed(part, sign) for part in self.parts])
        items = [
            f"{part}={weight}" if weight > 1 else str(part)
            for part, weight in zip(self.parts, self.weights, strict=True)
        ]
        return f"choose({self.need}, {', '.join(items)})"


def _bracketed(part: "Expression", sign: str) -> str:
    """A part of a sum or product as it must be written there."""
    inner = part.sign if isinstance(part, Threshold) else ""
    is_apart = inner == "" or (inner == "*" and sign == "+")
    return str(part) if is_apart else f"({part})"


Expression = Single | Threshold


def choose(need: int, parts: Sequence[Expression]) -> Expression:
    """Return "so many of these"; raise ValueError where there are not so many."""
    if len(parts) == need == 1:
        return parts[0]
    return Threshold(need, tuple(parts), (1,) * len(parts))


def any_of(parts: Sequence[Expression]) -> Expression:
    """Return the sum: one of these is enough."""
    return choose(1, parts)


def all_of(parts: Sequence[Expression]) -> Expression:
    """Return the product: all of these are needed."""
    return choose(len(parts), parts)


def count_of(need: int, replicas: Iterable[int]) -> Expression:
    """Return "so many of these replicas"."""
    return choose(need, [Single(replica) for replica in replicas])


def names_each_once(expression: Expression) -> bool:
    """Tell whether no replica stands twice: then its parts have nothing to do with each other."""
    return expression.support.bit_count() == sum(1 for _ in expression.leaves())
