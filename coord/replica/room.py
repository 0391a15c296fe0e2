"""Room on the disks: when writes that need more of it are refused, before they are proposed.

A disk that is full in the middle of a commit ends its replica; a reserve is kept so that this does
not happen while there is a choice. Below it, what takes room (create, setData, setACL, and a multi
with one of them) is answered with QuotaExceeded. All that frees room or keeps order goes on:
deletes, sessions that begin, end or expire, reaping, configurations; so do reads.

Rules:

1. Each replica looks at its own disk and refuses for its own clients. The others go on: one full
   disk is no reason to stop an ensemble whose replication quorums have room without it.
2. The leader refuses for all, by its echoes, while the replicas that were heard lately and have
   room contain no replication quorum: what others write ends on the short disks as well, and when
   those fail nothing can be committed any more, not even a delete.
3. Pages of the tree's file that hold nothing are room, too: the file never gets shorter, so after
   deletes they are all there is. But half of the reserve must be free on the volume itself, for
   long values may not fit into the gaps.
4. What was applied and is not in the tree's file yet has its room taken already: it comes to the
   disk with the next flush, whatever is refused until then.
"""

from typing import Final

import attrs

RESERVE_BYTES: Final = 512 << 20
"""Kept free. One flush of the largest overlay, each record on a page of its own, takes most of it
before it gives pages back."""
RESERVE_SHARE: Final = 8
"""On a small volume, this part of it (one eighth) is enough, and all that can be asked for."""
MIB: Final = 1 << 20


@attrs.frozen
class Space:
    """A look at the volume of the data folder."""

    total_bytes: int
    """Size of the volume."""
    free_bytes: int
    """What this process may still take of it."""
    reusable_bytes: int
    """Pages in the tree's file that hold nothing."""
    unflushed_bytes: int
    """Changes that the tree's file does not hold yet."""

    @property
    def reserve_bytes(self) -> int:
        """What is kept for deletes."""
        return min(RESERVE_BYTES, self.total_bytes // RESERVE_SHARE)

    def leaves(self, bytes_needed: int) -> bool:
        """Whether so much is left, half of it on the volume itself."""
        free_bytes = self.free_bytes - self.unflushed_bytes
        return free_bytes + self.reusable_bytes >= bytes_needed and free_bytes >= bytes_needed // 2


class Room:
    """What one replica knows of it."""

    def __init__(self) -> None:
        self.space: Space | None = None
        """The last look; None before the first."""
        self.is_short = False
        """This replica's disk is nearly full."""
        self.is_ensemble_short = False
        """The leader says that no replication quorum has room."""

    @property
    def is_refused(self) -> bool:
        """Whether clients may write only what takes no room."""
        return self.is_short or self.is_ensemble_short

    def looked(self, space: Space) -> str:
        """Take note of a look at the disk; one line when it changes something, else ""."""
        self.space = space
        reserve = space.reserve_bytes
        # A quarter more is asked for to recover, so that it does not go to and fro.
        is_short = not space.leaves(reserve + reserve // 4 if self.is_short else reserve)
        if is_short == self.is_short:
            return ""
        self.is_short = is_short
        return self.short_disk() if is_short else f"the disk has room again: {_free(space)}"

    def told(self, *, is_ensemble_short: bool) -> str:
        """Take the leader's word; one line when it changes something, else ""."""
        if is_ensemble_short == self.is_ensemble_short:
            return ""
        self.is_ensemble_short = is_ensemble_short
        return SHORT_ENSEMBLE if is_ensemble_short else "a replication quorum has room again"

    def short_disk(self) -> str:
        """Say that this replica's disk is short."""
        assert self.space is not None, "a disk is short that was looked at"
        return (
            f"the disk is nearly full: {_free(self.space)}, and {self.space.reserve_bytes // MIB}"
            " MiB are kept for deletes; other writes of clients are refused"
        )

    def warnings(self) -> tuple[str, ...]:
        """What an operator should know now."""
        own = (self.short_disk(),) if self.is_short else ()
        return (*own, SHORT_ENSEMBLE) if self.is_ensemble_short else own


SHORT_ENSEMBLE: Final = (
    "the disks of too many replicas are nearly full: no replication quorum has room;"
    " writes of clients are refused but for deletes"
)


def _free(space: Space) -> str:
    return (
        f"{space.free_bytes // MIB} MiB are free on its volume"
        f" and {space.reusable_bytes // MIB} MiB in the tree's file,"
        f" which will take {space.unflushed_bytes // MIB} MiB with its next flush"
    )
