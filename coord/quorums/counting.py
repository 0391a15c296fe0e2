"""Quorum systems that only count: any L voters elect, any R replicate.

Majority is L = R = N // 2 + 1; for an even N, N / 2 replicas may replicate. With L + R > N any two
such sets share a replica. The fast path (F voters at once, without the leader) needs that an
election quorum meets any two fast quorums in one replica: L + 2 F > 2 N.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

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
        self.members = tuple(sorted(set(members)))
        self.election = election
        self.replication = replication
        self.fast = fast
        self.text = text or _text(election, replication, fast)
        self._voters = frozenset(self.members)
        self._blocking = len(self.members) - election + 1
        self._check_ranges()
        self._check_intersection()

    def is_election_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether at least L voters are in the set."""
        return len(self._voters & replicas) >= self.election

    def is_replication_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether at least R voters are in the set."""
        return len(self._voters & replicas) >= self.replication

    def meets_every_election_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether fewer than L voters are outside the set."""
        return len(self._voters & replicas) >= self._blocking

    def meets_every_replication_quorum(self, replicas: AbstractSet[int]) -> bool:
        """Tell whether fewer than R voters are outside the set."""
        return len(self._voters - replicas) < self.replication

    def missing_for_election(self, replicas: AbstractSet[int]) -> str:
        """Say how many voters are lacking to L, and who could be them."""
        return self._missing(replicas, self.election)

    def missing_for_replication(self, replicas: AbstractSet[int]) -> str:
        """Say how many voters are lacking to R, and who could be them."""
        return self._missing(replicas, self.replication)

    def highest_replicated(self, positions: Mapping[int, int]) -> int:
        """Return the R-th greatest position."""
        return self._nth(positions, self.replication)

    def highest_confirmed(self, positions: Mapping[int, int]) -> int:
        """Return the (N - L + 1)-th greatest position."""
        return self._nth(positions, self._blocking)

    def _nth(self, positions: Mapping[int, int], count: int) -> int:
        return sorted([positions.get(member, -1) for member in self.members])[-count]

    def _missing(self, replicas: AbstractSet[int], needed: int) -> str:
        absent = sorted(self._voters - replicas)
        lacking = needed - (len(self.members) - len(absent))
        if lacking <= 0:
            return ""
        return f"{lacking} of {', '.join(map(str, absent))}"

    def _check_ranges(self) -> None:
        count = len(self.members)
        if not count:
            raise QuorumError("a quorum system needs at least one voter")
        sizes = [("L", self.election), ("R", self.replication)]
        if self.fast is not None:
            sizes.append(("F", self.fast))
        for name, size in sizes:
            if not 1 <= size <= count:
                raise QuorumError(f"{name}={size} must be between 1 and {count}, the voters")

    def _check_intersection(self) -> None:
        count = len(self.members)
        if self.election + self.replication <= count:
            elects = _set(self.members[: self.election])
            replicates = _set(self.members[-self.replication :])
            raise QuorumError(
                f"L={self.election} and R={self.replication} of {count} voters are unsafe: "
                f"election quorum {elects} and replication quorum {replicates} miss each other "
                f"(L + R must be more than {count})"
            )
        if self.fast is not None and self.election + 2 * self.fast <= 2 * count:
            raise QuorumError(
                f"L={self.election} and F={self.fast} of {count} voters are unsafe: two fast "
                f"quorums and an election quorum need not share a voter "
                f"(L + 2 F must be more than {2 * count})"
            )


def _text(election: int, replication: int, fast: int | None) -> str:
    tail = "" if fast is None else f" F={fast}"
    return f"simple L={election} R={replication}{tail}"


def _set(replicas: Iterable[int]) -> str:
    return "{" + ", ".join(map(str, replicas)) + "}"
