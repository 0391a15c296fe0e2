"""Gathering: another replica's history on its way, until it is whole.

It begins where the other's log and ours agree, and grows by entries whose chain follows. So what
comes twice, late or out of order is told apart, and what is gathered is always one unbroken piece
of the one log that ends at its last entry.
"""

from collections.abc import Sequence

from coord.consensus.journal import ENTRY_OVERHEAD
from coord.consensus.log import Entry, follows
from coord.consensus.messages import Mark


class Gathering:
    """A piece of history that follows a place which our log holds."""

    def __init__(self, start: Mark) -> None:
        self.tip = start
        self.entries: list[Entry] = []
        self.size = 0

    def offer(self, before: Mark, entries: Sequence[Entry]) -> None:
        """Take the entries that follow what is here; leave it as it is when they do not."""
        if before.index > self.tip.index:
            return
        for entry in whole_run(self.tip, entries[self.tip.index - before.index :]):
            self.entries.append(entry)
            self.size += len(entry.payload) + ENTRY_OVERHEAD
            self.tip = Mark(entry.index, entry.chain)

    def take_until(self, index: int) -> list[Entry]:
        """Hand over the first entries, up to an index."""
        count = 0
        for entry in self.entries:
            if entry.index > index:
                break
            self.size -= len(entry.payload) + ENTRY_OVERHEAD
            count += 1
        taken = self.entries[:count]
        del self.entries[:count]
        return taken


def whole_run(after: Mark, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return the entries, up to the first that is damaged or does not follow the one before."""
    index, chain = after.index, after.chain
    for count, entry in enumerate(entries):
        index += 1
        if entry.index != index or not follows(chain, entry):
            return entries[:count]
        chain = entry.chain
    return entries
