"""Analysis: the figures of one quorum system."""

from math import ceil

import attrs

from coord.quorums.expression import Expression
from coord.quorums.planning.classes import Classes, State, TooLargeError
from coord.quorums.planning.downtime import share_without_service
from coord.quorums.planning.latency import Delays, measured_waits, random_waits
from coord.quorums.planning.load import load
from coord.quorums.system import QuorumSystem

MINUTES_A_YEAR = 365.25 * 24 * 60

__all__ = ["Analysis", "Assumptions", "Side", "TooLargeError", "analyse"]


@attrs.frozen
class Assumptions:
    """What the figures rest on."""

    p: float = 0.01
    """Probability that a replica is down at a given moment, independently of the others."""
    mttf_h: float = 720.0
    """Mean time until a replica that is up fails, in hours."""
    mttr_h: float = 1.0
    """Mean time until a replica that failed is up again, in hours."""
    election_s: float = 1.5
    """Mean time from the loss of the leader until a new one serves, where one can be elected."""
    delays: Delays | None = None
    """Between the voters; None: replies come at random times, in units of their mean."""


@attrs.frozen
class Side:
    """The figures of the election side or of the replication side."""

    quorums: int
    """How many minimal quorums there are."""
    smallest: int
    """Replicas in the smallest."""
    resilience: int
    """So many replicas may be down, whichever they are, and a quorum is left."""
    load: float
    """Probability with which the busiest replica is asked, if quorums are chosen well; see load."""
    unavailable: float
    """Probability that no quorum is up."""

    @property
    def capacity(self) -> float:
        """How many times the work of one replica the quorums can take."""
        return 1 / self.load


@attrs.frozen
class Analysis:
    """The figures of a system under some assumptions."""

    text: str
    """The system."""
    voters: int
    """How many."""
    election: Side
    """For promises."""
    replication: Side
    """For commits. The leader's own log is written every time, so its own load is 1."""
    slack: int
    """So many replicas may have lost their disks without notice, and quorums still meet in one."""
    fast: int
    """The least number of voters that would do as fast quorums: F, with 2 F > 2 N - L."""
    commit_wait: float
    """Mean wait of a commit for its quorum: ms, or units of a reply's mean delay."""
    failover_wait: float
    """Mean wait of a new leader for its quorums, in the same unit; infinite: never."""
    downtime_min: float
    """Minutes a year without service."""

    @property
    def copies(self) -> int:
        """Replicas that hold an entry when it is committed, at least."""
        return self.replication.smallest


def analyse(system: QuorumSystem, assumptions: Assumptions) -> Analysis:
    """Compute the figures of a system; raise TooLargeError where that would take minutes.

    Raises ValueError where the delays are not those of as many replicas.
    """
    delays = assumptions.delays
    if delays is not None and delays.count != len(system.members):
        raise ValueError(
            f"delays of {delays.count} replicas do not fit {len(system.members)} voters"
        )
    classes = Classes(system)
    elects = classes.sufficient(system.elects)
    commits = classes.sufficient(system.replicates)
    waits = (
        random_waits(classes, elects, commits) if delays is None else measured_waits(system, delays)
    )
    election = _side(classes, system.elects, assumptions.p)
    down = share_without_service(
        classes,
        commits,
        elects,
        fails=1 / assumptions.mttf_h,
        repairs=1 / assumptions.mttr_h,
        leads=3600 / assumptions.election_s,
    )
    return Analysis(
        text=system.text,
        voters=len(system.members),
        election=election,
        replication=_side(classes, system.replicates, assumptions.p),
        slack=_least_common(classes, system) - 1,
        fast=len(system.members) - ceil(election.smallest / 2) + 1,
        commit_wait=waits.commit,
        failover_wait=waits.failover,
        downtime_min=down * MINUTES_A_YEAR,
    )


def _side(classes: Classes, expression: Expression, p: float) -> Side:
    minimal = classes.minimal(expression)
    return Side(
        quorums=sum(map(classes.ways, minimal)),
        smallest=min(map(sum, minimal)),
        resilience=min(map(sum, classes.minimal(expression.dual()))) - 1,
        load=load(minimal, classes.sizes),
        unavailable=_unavailable(classes, expression, p),
    )


def _unavailable(classes: Classes, expression: Expression, p: float) -> float:
    """Return the probability that those who are up do not suffice; small ones without rounding."""
    return sum(
        classes.ways(state) * (1 - p) ** sum(state) * p ** (sum(classes.sizes) - sum(state))
        for state in classes.states()
        if not expression.holds(classes.mask(state))
    )


def _least_common(classes: Classes, system: QuorumSystem) -> int:
    """Return the fewest replicas that an election and a replication quorum share."""

    def common(one: State, other: State) -> int:
        together = zip(one, other, classes.sizes, strict=True)
        return sum(max(0, a + b - size) for a, b, size in together)

    elects, replicates = classes.minimal(system.elects), classes.minimal(system.replicates)
    return min(common(one, other) for one in elects for other in replicates)
