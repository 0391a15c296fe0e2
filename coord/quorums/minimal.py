"""Minimal quorums: the sets that suffice while none of their parts does.

They are found by deciding replica after replica whether it is in. A branch ends where the set
suffices, or where all that is left would not; so each branch leads to a quorum, and time goes with
their number. There may be very many: the work is bounded.
"""

from collections.abc import Iterator

from coord.quorums.expression import Expression, replicas_of

WORK_MAX = 1_000_000
"""Replicas looked at in one enumeration: about half a second."""


class TooManyQuorumsError(Exception):
    """The minimal quorums are too many to be listed."""


def minimal_quorums(expression: Expression) -> Iterator[int]:
    """Give each minimal quorum once, as a mask; raise TooManyQuorumsError when it takes long."""
    replicas = replicas_of(expression.support)[::-1]
    left_over = [0] * (len(replicas) + 1)
    for place in range(len(replicas) - 1, -1, -1):
        left_over[place] = left_over[place + 1] | 1 << replicas[place]
    steps = WORK_MAX // sum(1 for _ in expression.leaves())
    branches = [(0, 0)]
    while branches:
        chosen, place = branches.pop()
        steps -= 1
        if steps < 0:
            raise TooManyQuorumsError
        if expression.holds(chosen):
            if _is_minimal(expression, chosen):
                yield chosen
        elif expression.holds(chosen | left_over[place]):
            branches.append((chosen, place + 1))
            branches.append((chosen | 1 << replicas[place], place + 1))


def smallest_within(expression: Expression, mask: int) -> int:
    """Return a minimal quorum of a set that contains one; it keeps the lowest ids it can."""
    for replica in replicas_of(mask)[::-1]:
        smaller = mask & ~(1 << replica)
        if expression.holds(smaller):
            mask = smaller
    return mask


def _is_minimal(expression: Expression, mask: int) -> bool:
    return not any(expression.holds(mask & ~(1 << replica)) for replica in replicas_of(mask))
