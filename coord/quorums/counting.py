"""Quorum systems that only count: any L voters elect, any R replicate.

Majority is L = R = N // 2 + 1; for an even N, N / 2 replicas may replicate. With L + R > N any two
such sets share a replica. The fast path (F voters at once, without the leader) needs that an
election quorum meets any two fast quorums in one replica: L + 2 F > 2 N.
"""

from collections.abc import Iterable

from coord.quorums.expression import count_of
from coord.quorums.grammar import Tokens
from coord.quorums.system import QuorumError, QuorumSystem


class Counting(QuorumSystem):
    """Any `election` voters are an election quorum, any `replication` a replication quorum."""

    def __init__(
        self,
        members: Iterable[int],
        *,
        election: int,
        replication: int,
        fast: int | None = None,
        text: str = "",
    ) -> None:
        voters = tuple(sorted(set(members)))
        count = len(voters)
        if not count:
            raise QuorumError("a quorum system needs at least one voter")
        for name, size in (("L", election), ("R", replication), ("F", fast)):
            if size is not None and not 1 <= size <= count:
                raise QuorumError(f"{name}={size} must be between 1 and {count}, the voters")
        self.election = election
        self.replication = replication
        self.fast = fast
        super().__init__(
            text or _text(election, replication, fast),
            voters,
            elects=count_of(election, voters),
            replicates=count_of(replication, voters),
            fast=None if fast is None else count_of(fast, voters),
            rules=(
                f"; L={election} + R={replication} must be more than {count}, the voters",
                f"; L={election} + 2 x F={fast} must be more than {2 * count}, twice the voters",
            ),
        )


def read_majority(tokens: Tokens, voters: tuple[int, ...]) -> QuorumSystem:
    """Read what follows `majority`: nothing, or `even`."""
    count = len(voters)
    half = count // 2 + 1
    if not tokens.next:
        return Counting(voters, election=half, replication=half, text="majority")
    if not tokens.accept("even") or tokens.next:
        raise QuorumError(f"majority takes nothing or 'even', not {tokens.found()}")
    if count % 2:
        raise QuorumError(f"'majority even' needs an even number of voters, not {count}")
    return Counting(voters, election=half, replication=count // 2, text="majority even")


def read_simple(tokens: Tokens, voters: tuple[int, ...]) -> QuorumSystem:
    """Read what follows `simple`: `L=4 R=2 F=4`, of which one of L and R is enough."""
    sizes = tokens.sizes("simple", "LRF")
    if "L" not in sizes and "R" not in sizes:
        raise QuorumError("simple needs L= or R=")
    count = len(voters)
    election = sizes.get("L", count - sizes.get("R", 0) + 1)
    replication = sizes.get("R", count - election + 1)
    return Counting(voters, election=election, replication=replication, fast=sizes.get("F"))


def _text(election: int, replication: int, fast: int | None) -> str:
    tail = "" if fast is None else f" F={fast}"
    return f"simple L={election} R={replication}{tail}"
