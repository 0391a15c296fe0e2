"""Explicit quorums: an expression for each side.

`replication=(1+2)*(3+4)` alone: the election side is the dual, here 1*2+3*4. `election=` alone: the
other way round. With both given, they are checked against each other. `fast=` is for the fast path.
A voter that no expression names has a copy of everything, but nobody waits for it.
"""

from coord.quorums.expression import Expression
from coord.quorums.grammar import Tokens, excerpt, read_expression
from coord.quorums.system import QuorumError, QuorumSystem

SIDES = ("replication", "election", "fast")


def read_explicit(tokens: Tokens, voters: tuple[int, ...]) -> QuorumSystem:
    """Read the whole text: sides with an expression each."""
    sides: dict[str, Expression] = {}
    while tokens.next:
        name = tokens.take()
        if name not in SIDES or name in sides:
            raise QuorumError(
                f"replication=, election= and fast= stand once each, not {excerpt(name)}"
            )
        tokens.expect("=")
        sides[name] = read_expression(tokens)
    replicates = sides.get("replication")
    elects = sides.get("election")
    if replicates is None:
        if elects is None:
            raise QuorumError("replication= or election= is needed beside fast=")
        replicates = elects.dual()
    return QuorumSystem(
        " ".join(f"{name}={sides[name]}" for name in SIDES if name in sides),
        voters,
        elects=replicates.dual() if elects is None else elects,
        replicates=replicates,
        fast=sides.get("fast"),
    )
