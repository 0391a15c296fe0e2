"""What a node asks of its driver.

The driver calls `take_effects()` after each batch of input until the answer is empty, and then:

1. gives `persist` to the writer, in order; each is one durable transaction. When one is durable,
   it calls `stored(number)`, which covers all numbers up to it. A failed write is fatal;
2. sends `send` at once: nothing there rests on what is not durable;
3. sends `send_when_stored` after `stored(number)` of the number beside it, in order;
4. switches to the snapshot in `install`, if there is one, before anything of `apply`;
5. applies `apply`, each entry once, in order; they may be committed before they are durable here;
6. serves `confirmed` barriers once it has applied up to their index; fails those in `failed`.

Messages may be lost, repeated and reordered. One message object may stand in several sends of one
batch: encode it once.
"""

import attrs

from coord.consensus.configuration import Configuration
from coord.consensus.log import Entry, HardState
from coord.consensus.messages import Message


@attrs.frozen
class InstalledSnapshot:
    """A tree that was received whole and synced, not yet named by the log."""

    index: int
    """The tree is the state after this entry."""
    epoch: int
    """Epoch of that entry."""
    chain: int
    """Chain of that entry."""
    name: str
    """The driver's name for it: the new folder."""
    configuration: Configuration
    """The configuration in force there."""


@attrs.frozen
class Persist:
    """One durable transaction: the snapshot first, then truncation, entries, hard state."""

    number: int
    """Ascending from 1 at each start."""
    hard: HardState | None
    """The new hard state; None when it did not change."""
    truncate_after: int | None
    """Entries above this index are dropped; None when there is nothing to drop."""
    entries: tuple[Entry, ...]
    """To append, in order."""
    snapshot: InstalledSnapshot | None = None
    """The old log is dropped, its base becomes this point, its tree this one's; None for none."""


@attrs.frozen
class SendSnapshot:
    """Stream the flushed tree to a peer, instead of any stream to it that still runs.

    Call `Node.transfer_ended` when this stream is over or broken, not for one that it replaced.
    """

    peer: int
    """Who needs it."""
    epoch: int
    """The epoch in which this replica leads."""


@attrs.frozen
class Effects:
    """What the driver owes the node; the module says in which order."""

    persist: tuple[Persist, ...] = ()
    """Transactions, numbers ascending."""
    send: tuple[tuple[int, Message], ...] = ()
    """(peer, message) to send at once."""
    send_when_stored: tuple[tuple[int, int, Message], ...] = ()
    """(number, peer, message) to send after `stored(number)`."""
    install: InstalledSnapshot | None = None
    """A snapshot that is durable now and replaces the tree; None for none."""
    apply: tuple[Entry, ...] = ()
    """Committed entries, in order, each once."""
    confirmed: tuple[tuple[int, int], ...] = ()
    """(token, index): the barrier holds for whoever has applied up to the index."""
    failed: tuple[int, ...] = ()
    """Tokens of barriers that cannot be confirmed: this replica does not lead, or no more."""
    snapshots: tuple[SendSnapshot, ...] = ()
    """Transfers to begin."""
    discard: tuple[str, ...] = ()
    """Names of received snapshots that are not needed."""

    def __bool__(self) -> bool:
        return bool(
            self.send
            or self.persist
            or self.apply
            or self.send_when_stored
            or self.confirmed
            or self.failed
            or self.install
            or self.snapshots
            or self.discard
        )


NOTHING = Effects()
"""No effects."""
