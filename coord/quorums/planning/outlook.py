"""Outlook: what an ensemble can do while replicas are down, and what the next failure means."""

from collections.abc import Iterable

import attrs

from coord.quorums.expression import mask_of
from coord.quorums.lack import lack
from coord.quorums.system import QuorumSystem


@attrs.frozen
class Ability:
    """What those who are up can do."""

    commits: bool
    """A leader that is up commits: a replication quorum is up."""
    reads: bool
    """A leader that is up confirms reads: those who are up meet every election quorum, and it
    goes on leading, for which it must hear a replication quorum."""
    elects: bool
    """A candidate has its promises: an election quorum is up."""

    @property
    def replaces(self) -> bool:
        """If the leader is down, a new one can be elected and established."""
        return self.elects and self.commits


@attrs.frozen
class NextFailure:
    """One more replica that fails."""

    replica: int
    """Which."""
    stops: tuple[str, ...]
    """What stops with it, which went on until then: "commits", "reads", "elections"."""


@attrs.frozen
class Outlook:
    """A system with some replicas down."""

    text: str
    """The system."""
    down: tuple[int, ...]
    """Who is down, ascending."""
    now: Ability
    """What the others can do."""
    missing_for_commits: str
    """What they lack, in words; empty: nothing."""
    missing_for_elections: str
    """Likewise."""
    next_failures: tuple[NextFailure, ...]
    """One for each replica that is up and whose loss stops something."""


def look_ahead(system: QuorumSystem, down: Iterable[int]) -> Outlook:
    """Say what is possible while these are down; raise ValueError for one that is no voter."""
    gone = set(down)
    if strangers := gone - set(system.members):
        raise ValueError(f"replica {min(strangers)} is not among the voters")
    up = set(system.members) - gone
    now = _ability(system, up)
    following = [_following(system, up, replica, now) for replica in sorted(up)]
    return Outlook(
        text=system.text,
        down=tuple(sorted(gone)),
        now=now,
        missing_for_commits=lack(system.replicates, mask_of(up)),
        missing_for_elections=lack(system.elects, mask_of(up)),
        next_failures=tuple(failure for failure in following if failure.stops),
    )


def _following(system: QuorumSystem, up: set[int], replica: int, now: Ability) -> NextFailure:
    then = _ability(system, up - {replica})
    stops = (
        ("commits", now.commits and not then.commits),
        ("reads", now.reads and not then.reads),
        ("elections", now.elects and not then.elects),
    )
    return NextFailure(replica, tuple(name for name, is_so in stops if is_so))


def _ability(system: QuorumSystem, up: set[int]) -> Ability:
    commits = system.is_replication_quorum(up)
    return Ability(
        commits=commits,
        reads=commits and system.meets_every_election_quorum(up),
        elects=system.is_election_quorum(up),
    )
