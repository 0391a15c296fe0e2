"""How far a search goes: what makes the number of states finite.

Bounded: elections, proposals, crashes and reads, counted over all replicas together. After the
last crash a write is durable at once: a slow disk does then no more than a slow link. Left out: the
pre-vote and refusals, which serve progress only (see `Replica.stand`); heartbeats, but for those
that confirm reads; snapshots and a log that is trimmed; hand-overs; lost disks.

Not bounded: what was sent stays in the network for ever, and may arrive at any time, in any order,
any number of times, or never.
"""

import attrs


@attrs.frozen(kw_only=True)
class Bounds:
    """How often each thing may happen."""

    elections: int = 2
    """A replica stands. The election of the founder is not counted."""
    proposals: int = 1
    """A leader takes a batch of operations."""
    crashes: int = 1
    """A replica stops, loses what was not durable, and starts again."""
    reads: int = 0
    """A leader is asked for a read barrier."""

    def __str__(self) -> str:
        counts = attrs.asdict(self).items()
        return ", ".join(f"{count} {name}" for name, count in counts if count)


@attrs.frozen
class Cost:
    """What happened at a replica so far."""

    elections: int = 0
    proposals: int = 0
    crashes: int = 0
    reads: int = 0

    def packed(self) -> int:
        """Return one integer; the sum of several is the integer of the sums."""
        number = 0
        for count in attrs.astuple(self):
            number = number << 8 | count
        return number


def remaining(bounds: Bounds, spent: int) -> list[bool]:
    """Tell for each thing whether it may happen once more."""
    limits = attrs.astuple(bounds)
    shifts = range(8 * len(limits) - 8, -1, -8)
    return [spent >> shift & 0xFF < limit for shift, limit in zip(shifts, limits, strict=True)]
