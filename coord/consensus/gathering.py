"""Gathering: another replica's history on its way, until it is whole.

It begins where the other's log and ours agree, and grows by entries whose chain follows. So what
comes twice, late or out of order is told apart, and what is gathered is always one unbroken piece
of the one log that ends at its last entry.
"""

from collections.abc import Sequence

from coord.consensus.journal import ENTRY_OVERHEAD, follows
from coord.consensus.log import Entry
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
        chain = self.tip.chain
        for entry in entries[self.tip.index - before.index :]:
            if entry.index != self.tip.index + 1 or not follows(chain, entry):
                return
            chain = entry.chain
            self.entries.append(entry)
            self.size += len(entry.payload) + ENTRY_OVERHEAD
            self.tip = Mark(entry.index, chain)

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
