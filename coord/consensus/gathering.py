"""Gathering: another replica's history on its way, until it is whole.

It begins where the other's log and ours (or a snapshot that we received) agree, and grows by
entries whose chain follows. So whatever comes twice, late or out of order is told apart, and what
is gathered is always one unbroken piece of the one log that ends at its last entry.
"""

from collections.abc import Sequence

from coord.consensus.effects import InstalledSnapshot
from coord.consensus.journal import ENTRY_OVERHEAD, Journal, follows
from coord.consensus.log import Entry
from coord.consensus.messages import Mark

HISTORY_BYTES_MAX = 32 << 20
"""The largest history stored in one transaction; a larger difference goes as a snapshot."""


class Gathering:
    """A piece of history that is attached to our log, or to a snapshot."""

    def __init__(self, start: Mark, snapshot: InstalledSnapshot | None) -> None:
        self.tip = start
        self.snapshot = snapshot
        self.entries: list[Entry] = []
        self.size = 0

    def offer(self, before: Mark, entries: Sequence[Entry]) -> None:
        """Take the entries that follow what is here; leave it as it is when they do not."""
        if before.index > self.tip.index:
            return
        chain = self.tip.chain
        fresh = entries[self.tip.index - before.index :]
        for entry in fresh:
            if entry.index != self.tip.index + 1 or not follows(chain, entry):
                return
            chain = entry.chain
            self.entries.append(entry)
            self.size += len(entry.payload) + ENTRY_OVERHEAD
            self.tip = Mark(entry.index, chain)


def attach(journal: Journal, arrived: InstalledSnapshot | None, before: Mark) -> Gathering | None:
    """Return a gathering that begins at a mark of the other log; None when we lack the place."""
    if journal.holds(before):
        return Gathering(before, None)
    if arrived is not None and before == mark_of(arrived):
        return Gathering(before, arrived)
    return None


def mark_of(snapshot: InstalledSnapshot) -> Mark:
    """Return the place at which a snapshot was taken."""
    return Mark(snapshot.index, snapshot.chain)
