"""Intersection: do the quorums meet that must, and if not, which ones miss each other.

For a commit every election quorum must meet every replication quorum. For the fast path, where a
recovery sees only part of a fast quorum, it must meet every two fast quorums in one replica.

An election side that is the dual of the replication side is safe as it stands; so are two
thresholds over the same weights that together need more than there is. Else each minimal
replication quorum is tried against the dual of the election side.
"""

from coord.quorums.expression import Expression, Threshold, replicas_of
from coord.quorums.minimal import TooManyQuorumsError, minimal_quorums, smallest_within

FAST_QUORUMS_MAX = 1000
"""Fast quorums are looked at in pairs: half a second for so many."""


def missing_pair(elects: Expression, replicates: Expression) -> tuple[int, int] | None:
    """Return an election and a replication quorum without a common replica; None if all meet.

    Raises TooManyQuorumsError when it takes too long to say.
    """
    meets = elects.dual()
    if meets == replicates or _outweigh(elects, replicates, times=1):
        return None
    for quorum in minimal_quorums(replicates):
        if not meets.holds(quorum):
            return smallest_within(elects, elects.support & ~quorum), quorum
    return None


def missing_triple(elects: Expression, fast: Expression) -> tuple[int, int, int] | None:
    """Return an election quorum and two fast ones that share no replica; None if all do.

    Raises TooManyQuorumsError when it takes too long to say.
    """
    meets = elects.dual()
    if _outweigh(elects, fast, times=2):
        return None
    quorums = []
    for quorum in minimal_quorums(fast):
        quorums.append(quorum)
        if len(quorums) > FAST_QUORUMS_MAX:
            raise TooManyQuorumsError
        for other in quorums:
            if not meets.holds(quorum & other):
                return smallest_within(elects, elects.support & ~(quorum & other)), other, quorum
    return None


def _outweigh(elects: Expression, other: Expression, *, times: int) -> bool:
    """Tell whether an election quorum and so many others weigh too much to share no replica."""
    if not isinstance(elects, Threshold) or not isinstance(other, Threshold):
        return False
    is_alike = (elects.parts, elects.weights) == (other.parts, other.weights)
    is_flat = len(elects.parts) == elects.support.bit_count() == sum(1 for _ in elects.leaves())
    total = sum(elects.weights)
    return is_alike and is_flat and elects.need + times * other.need > times * total


def listed(mask: int) -> str:
    """Write a set as `{1, 2}`."""
    return "{" + ", ".join(map(str, replicas_of(mask))) + "}"
