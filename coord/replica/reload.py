"""The way back for a replica whose state cannot be trusted: damaged, or not what the others have.

Its log is whole, so it goes on to vote, to store and to acknowledge. But it serves nobody, applies
nothing, flushes nothing and stands in no election; it asks the leader for a tree, again and again.

Rules:

1. Trusted again is only a tree that came whole, of which the log holds the entry it stands at and
   all after it, that entry committed and durable: then the log names the new tree, and what follows
   that entry is applied to it. The log itself is not touched, nor what was promised.
2. A log that does not reach up to the tree may take it as any replica does that is far behind:
   `Node.snapshot_received` decides.
"""

from typing import Final

from coord.consensus.effects import InstalledSnapshot
from coord.consensus.node import Node
from coord.replica.links import Links
from coord.replica.messages import TreeRequest, encode
from coord.replica.transfers import Transfers

ASK_EVERY_MS: Final = 500
"""Between two requests; the leader may have to flush first."""


class Reload:
    """One replica's reload, needed or not."""

    def __init__(self, node: Node, links: Links, transfers: Transfers) -> None:
        self._node = node
        self._links = links
        self._transfers = transfers
        self.is_needed = False
        self._received: InstalledSnapshot | None = None
        self._asked_ms = -ASK_EVERY_MS

    def begin(self) -> None:
        """There is no state to be trusted."""
        self.is_needed = True
        self._node.abstain(abstains=True)
        self._transfers.tree_received = self._take

    def end(self) -> None:
        """A trusted state is in place."""
        self.is_needed = False
        self._received = None
        self._node.abstain(abstains=False)
        self._transfers.tree_received = self._node.snapshot_received

    def tick(self, now_ms: int, leader: int) -> InstalledSnapshot | None:
        """Ask the leader (0: there is none); the tree that is to be trusted now, or None."""
        received = self._received
        if received is not None:
            if self._node.has_stored(received):
                return received
            if not self._node.holds(received):
                self._discard(received)  # the log has changed
            return None
        is_due = now_ms - self._asked_ms >= ASK_EVERY_MS
        if leader and is_due and not self._transfers.is_receiving:
            self._asked_ms = now_ms
            self._links.send(leader, encode(TreeRequest(self._node.base_index)))
        return None

    def _take(self, snapshot: InstalledSnapshot) -> None:
        if not self._node.holds(snapshot):
            self._node.snapshot_received(snapshot)
            return
        if self._received is not None:
            self._discard(self._received)
        self._received = snapshot

    def _discard(self, snapshot: InstalledSnapshot) -> None:
        self._received = None
        self._transfers.discard(snapshot.name)
