"""What every quorum system answers.

An *election quorum* (Q1) promises a new leader its epoch; a *replication quorum* (Q2) holds what
is committed. The one rule: every election quorum meets every replication quorum. Nothing else
needs to intersect, because epochs are owned: grids and two election quorums without a common
replica are safe. Where the fast path is used, an election quorum also meets every two *fast
quorums* in one replica.

A system is an expression for each side. Everything is derived from these, for any kind of system.

Every predicate is monotone: what holds for a set holds for each set that contains it. Replicas
outside the system are ignored, so a caller may pass observers and strangers along.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from coord.quorums.expression import Expression, mask_of, replicas_of
from coord.quorums.intersection import listed, missing_pair, missing_triple
from coord.quorums.lack import lack
from coord.quorums.minimal import TooManyQuorumsError


class QuorumError(ValueError):
    """A quorum system that is not one: bad text, or two quorums that miss each other."""


class QuorumSystem:
    """The election quorums and the replication quorums over a set of voters."""

    text: str
    """The form in which this system is configured and stored; `parse` reads it back."""

    members: tuple[int, ...]
    """The voters, ascending."""

    elects: Expression
    """What an election quorum is."""

    replicates: Expression
    """What a replication quorum is."""

    replicates_fast: Expression | None
    """What a fast quorum is; None where the fast path is not used."""

    def __init__(
        self,
        text: str,
        members: Iterable[int],
        *,
        elects: Expression,
        replicates: Expression,
        fast: Expression | None = None,
        rules: tuple[str, str] = ("", ""),
    ) -> None:
        """Make a system, or raise QuorumError where quorums miss each other.

        `rules` are appended to the two complaints: what the sizes must fulfil, where sizes say it;
        the second for the fast path.
        """
        self.text = text
        self.members = tuple(sorted(set(members)))
        self.elects = elects
        self.replicates = replicates
        self.replicates_fast = fast
        self.meets_elections = elects.dual()
        """What holds for the sets that meet every election quorum."""
        self.meets_replications = replicates.dual()
        """What holds for the sets that meet every replication quorum."""
        self._check_members()
        self._check_intersection(rules)

    def is_election_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether the set contains an election quorum."""
        return self.elects.holds(mask_of(replicas))

    def is_replication_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether the set contains a replication quorum."""
        return self.replicates.holds(mask_of(replicas))

    def meets_every_election_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether no election can succeed without a member of the set."""
        return self.meets_elections.holds(mask_of(replicas))

    def meets_every_replication_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether nothing can be committed without a member of the set."""
        return self.meets_replications.holds(mask_of(replicas))

    def missing_for_election(self, replicas: AbstractSet[int]) -> str:
        """Say in a few words what the set lacks of an election quorum; "" when nothing."""
        return lack(self.elects, mask_of(replicas))

    def missing_for_replication(self, replicas: AbstractSet[int]) -> str:
        """Say in a few words what the set lacks of a replication quorum; "" when nothing."""
        return lack(self.replicates, mask_of(replicas))

    def highest_replicated(self, positions: Mapping[int, int]) -> int:
        """Return the greatest position that a replication quorum has reached, or -1."""
        return self.replicates.highest(positions)

    def highest_confirmed(self, positions: Mapping[int, int]) -> int:
        """Return the greatest position reached by a set that meets every election quorum, or -1."""
        return self.meets_elections.highest(positions)

    def __str__(self) -> str:
        return self.text

    def _check_members(self) -> None:
        voters = mask_of(self.members)
        for expression in (self.elects, self.replicates, self.replicates_fast):
            if expression is not None and (strangers := expression.support & ~voters):
                names = ", ".join(map(str, replicas_of(strangers)[:5]))
                raise QuorumError(
                    f"replica {names} is not among the voters ({', '.join(map(str, self.members))})"
                )

    def _check_intersection(self, rules: tuple[str, str]) -> None:
        try:
            if pair := missing_pair(self.elects, self.replicates):
                raise QuorumError(
                    f"unsafe: election quorum {listed(pair[0])} and replication quorum "
                    f"{listed(pair[1])} miss each other{rules[0]}"
                )
            fast = self.replicates_fast
            if fast is not None and (triple := missing_triple(self.elects, fast)):
                elects, one, other = map(listed, triple)
                raise QuorumError(
                    f"unsafe: election quorum {elects} and the fast quorums {one} and {other} "
                    f"share no voter{rules[1]}"
                )
        except TooManyQuorumsError:
            raise QuorumError(
                "it has too many quorums to show that all of them meet; "
                "leave the election side out, and it is the one that fits"
            ) from None
