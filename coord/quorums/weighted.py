"""Weighted quorums: each voter has a weight, and so much weight elects, so much replicates.

`weighted 1=3 2=1 3=1 R=3`: replica 1 alone replicates, or nobody without it. L is the least that is
safe with R when it is left out, and the other way round: L + R = the whole weight + 1. Weight 0 is
a voter that never counts.
"""

from coord.quorums.expression import Expression, Single, Threshold
from coord.quorums.grammar import Tokens
from coord.quorums.system import QuorumError, QuorumSystem


def read_weighted(tokens: Tokens, voters: tuple[int, ...]) -> QuorumSystem:
    """Read what follows `weighted`: a weight for each voter, then `L=`, `R=` and `F=`."""
    weights: dict[int, int] = {}
    while tokens.next.isdecimal():
        replica = tokens.number("a replica's id")
        tokens.expect("=")
        if replica in weights or replica not in voters:
            why = "has two weights" if replica in weights else "is not among the voters"
            raise QuorumError(f"replica {replica} {why}")
        weights[replica] = tokens.number("a weight")
    if without := [voter for voter in voters if voter not in weights]:
        raise QuorumError(f"replica {without[0]} has no weight; write {without[0]}=0 for none")
    sizes = tokens.sizes("weighted", "LRF")
    if "L" not in sizes and "R" not in sizes:
        raise QuorumError("weighted needs L= or R=")
    total = sum(weights.values())
    elects = sizes.get("L", total - sizes.get("R", 0) + 1)
    replicates = sizes.get("R", total - elects + 1)
    sizes |= {"L": elects, "R": replicates}
    for name, size in sizes.items():
        if not 1 <= size <= total:
            raise QuorumError(f"{name}={size} must be between 1 and {total}, the whole weight")
    listed = [f"{replica}={weight}" for replica, weight in sorted(weights.items())]
    listed += [f"{name}={sizes[name]}" for name in "LRF" if name in sizes]
    return QuorumSystem(
        f"weighted {' '.join(listed)}",
        voters,
        elects=weighing(elects, weights),
        replicates=weighing(replicates, weights),
        fast=weighing(sizes["F"], weights) if "F" in sizes else None,
        rules=(
            f"; L={elects} + R={replicates} is safe above {total}, the whole weight",
            f"; L={elects} + 2 x F={sizes.get('F')} is safe above {2 * total}, twice the weight",
        ),
    )


def weighing(need: int, weights: dict[int, int]) -> Expression:
    """Return "replicas of so much weight"; need is from 1 to the whole weight."""
    heavy = {replica: weight for replica, weight in sorted(weights.items()) if weight}
    if len(heavy) == 1:
        return Single(next(iter(heavy)))
    parts = tuple([Single(replica) for replica in heavy])
    return Threshold(need, parts, tuple(heavy.values()))
