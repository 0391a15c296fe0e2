"""What every quorum system answers.

An *election quorum* (Q1) promises a new leader its epoch; a *replication quorum* (Q2) holds what
is committed. The one rule: every election quorum meets every replication quorum. Nothing else
needs to intersect, because epochs are owned.

Every predicate is monotone: what holds for a set holds for each set that contains it. Replicas
outside the system are ignored, so a caller may pass observers and strangers along.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet


class QuorumError(ValueError):
    """A quorum system that is not one: bad text, or two quorums that miss each other."""


class QuorumSystem(ABC):
    """The election quorums and the replication quorums over a set of voters."""

    text: str
    """The form in which this system is configured and stored; `parse` reads it back."""

    members: tuple[int, ...]
    """The voters, ascending."""

    @abstractmethod
    def is_election_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether the set contains an election quorum."""

    @abstractmethod
    def is_replication_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether the set contains a replication quorum."""

    @abstractmethod
    def meets_every_election_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether no election can succeed without a member of the set."""

    @abstractmethod
    def meets_every_replication_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether nothing can be committed without a member of the set."""

    @abstractmethod
    def missing_for_election(self, replicas: AbstractSet[int]) -> str:
        """Say in a few words what the set lacks of an election quorum; "" when nothing."""

    @abstractmethod
    def missing_for_replication(self, replicas: AbstractSet[int]) -> str:
        """Say in a few words what the set lacks of a replication quorum; "" when nothing."""

    def highest_replicated(self, positions: Mapping[int, int]) -> int:
        """Return the greatest position that a replication quorum has reached, or -1."""
        return self._highest(positions, self.is_replication_quorum)

    def highest_confirmed(self, positions: Mapping[int, int]) -> int:
        """Return the greatest position reached by a set that meets every election quorum, or -1."""
        return self._highest(positions, self.meets_every_election_quorum)

    def _highest(
        self, positions: Mapping[int, int], suffices: Callable[[AbstractSet[int]], bool]
    ) -> int:
        reached: set[int] = set()
        for position, replica in sorted(
            ((positions.get(member, -1), member) for member in self.members), reverse=True
        ):
            reached.add(replica)
            if suffices(reached):
                return position
        return -1

    def __str__(self) -> str:
        return self.text
