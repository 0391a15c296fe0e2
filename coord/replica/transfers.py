"""Snapshots on their way: a whole tree for a replica that is too far behind the log.

The leader streams the tree as it was flushed last, chunk by chunk, with a few chunks under way;
the receiver stores them in a new folder and answers each. When the last one is stored and synced,
consensus is told; it decides when, and whether, the new tree replaces the old one.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from coord.consensus.configuration import Configuration
from coord.consensus.effects import InstalledSnapshot
from coord.consensus.log import Point
from coord.consensus.node import Node
from coord.replica.links import Links
from coord.replica.messages import (
    SnapshotAnswer,
    SnapshotChunk,
    SnapshotOffer,
    TreeRequest,
    encode,
)

CATCHING_UP_ENTRIES_MAX: Final = 100_000
"""Entries that may be added while a peer catches up after its snapshot, before the log is trimmed
all the same: a peer that takes longer would never be done."""
CHUNKS_UNDER_WAY: Final = 4
"""Chunks sent and not answered: enough to keep the receiver's disk busy, little memory."""
GIVE_UP: Final = -1
TRANSFER_MESSAGES: Final = (SnapshotOffer, SnapshotChunk, SnapshotAnswer, TreeRequest)


class TransferBrokenError(Exception):
    """The view of the tree cannot be read any longer; the transfer begins again at a newer one."""


class Export(Protocol):
    """A consistent view of the flushed tree, read in order."""

    point: Point
    """The tree is the state after this place in the log."""
    configuration: bytes
    """The configuration in force there, encoded."""

    def next_chunk(self) -> bytes | None:
        """The next chunk; None after the last one; raises TransferBrokenError."""

    def close(self) -> None:
        """Give the view back."""


class Import(Protocol):
    """A new tree being written."""

    name: str
    """What the log will call it."""

    def feed(self, chunk: bytes, done: Callable[[bool], None]) -> None:
        """Store a chunk; `done(True)` when that is so, `done(False)` when the chunk is damaged."""

    def finish(self, done: Callable[[bool], None]) -> None:
        """Make everything durable."""

    def abandon(self) -> None:
        """Drop it."""


class TreeStock(Protocol):
    """Where trees are read from and written to (the driver's half)."""

    def export(self, least_index: int) -> Export | None:
        """Open the flushed tree for reading; None when it is older than that, or not there yet.

        Then it is flushed soon: ask again.
        """

    def receive(self) -> Import:
        """Begin a new tree."""

    def discard(self, name: str) -> None:
        """Remove a received tree that is not needed."""


class _Sending:
    def __init__(self, transfer: int, export: Export) -> None:
        self.transfer = transfer
        self.export = export
        self.next_number = 0
        self.under_way = 0
        self.following = export.next_chunk()
        """Read one ahead, to know which chunk is the last."""


class _Receiving:
    def __init__(self, peer: int, offer: SnapshotOffer, target: Import) -> None:
        self.peer = peer
        self.offer = offer
        self.target = target
        self.next_number = 0


class Transfers:
    """All transfers of one replica: one to each peer, and one from the leader."""

    def __init__(self, node: Node, links: Links, stock: TreeStock) -> None:
        self._node = node
        self._links = links
        self._stock = stock
        self._sending: dict[int, _Sending] = {}
        self._catching_up: dict[int, tuple[int, int]] = {}
        """By peer that has its snapshot: the entry it shows, and the last one of the log then."""
        self._receiving: _Receiving | None = None
        self._last_transfer = 0
        self.tree_received: Callable[[InstalledSnapshot], None] = node.snapshot_received
        """Who decides what a tree that was received whole is good for."""
        self._receivers: dict[type, Callable[[int, Any], None]] = {
            SnapshotOffer: self._offered,
            SnapshotChunk: self._chunk,
            SnapshotAnswer: self._answered,
            TreeRequest: self._requested,
        }

    @property
    def lowest_index(self) -> int | None:
        """The log above this entry is needed by a transfer, or after it; None when none is."""
        if not self._sending and not self._catching_up:
            return None
        needed = [item.export.point.index for item in self._sending.values()]
        needed += self._needed_to_catch_up()
        return min(needed, default=None)

    def _needed_to_catch_up(self) -> list[int]:
        """From where on peers still need the log that grew during their transfer."""
        stored = {item.peer: item.stored for item in self._node.peers}
        last = self._node.last_index
        for peer, (_, until) in list(self._catching_up.items()):
            if stored.get(peer, until) >= until or last - until > CATCHING_UP_ENTRIES_MAX:
                del self._catching_up[peer]
        return [max(first, stored[peer]) for peer, (first, _) in self._catching_up.items()]

    @property
    def is_receiving(self) -> bool:
        """Whether a tree is on its way to this replica."""
        return self._receiving is not None

    def received(self, peer: int, message: Any) -> None:
        """A message about a transfer has come."""
        self._receivers[type(message)](peer, message)

    def discard(self, name: str) -> None:
        """Consensus does not need a received tree."""
        self._stock.discard(name)

    def give_up_receiving(self) -> None:
        """Another tree is to be installed: the one that is being received is not needed."""
        if self._receiving is not None:
            self._give_up(self._receiving)

    def peer_lost(self, peer: int) -> None:
        """The link to a peer is gone, and the transfers over it."""
        self._catching_up.pop(peer, None)
        self._end_sending(peer)
        if self._receiving is not None and self._receiving.peer == peer:
            self._receiving.target.abandon()
            self._receiving = None

    # --------------------------------------------------------------------------- sending

    def _requested(self, peer: int, message: TreeRequest) -> None:
        """A peer has lost its state, but not its log; it asks again and again."""
        if peer not in self._sending:
            self.send(peer, self._node.epoch, message.least_index)

    def send(self, peer: int, epoch: int, least_index: int = 0) -> None:
        """Begin to send the flushed tree to a peer, if it is not older than that."""
        self._catching_up.pop(peer, None)
        self._end_sending(peer)
        export = self._stock.export(least_index)
        if export is None:
            self._node.transfer_ended(peer)
            return
        self._last_transfer += 1
        try:
            sending = self._sending[peer] = _Sending(self._last_transfer, export)
        except TransferBrokenError:
            export.close()
            self._node.transfer_ended(peer)
            return
        offer = SnapshotOffer(
            transfer=sending.transfer,
            epoch=epoch,
            index=export.point.index,
            index_epoch=export.point.epoch,
            chain=export.point.chain,
            configuration=export.configuration,
        )
        self._links.send(peer, encode(offer))
        self._send_chunks(peer, sending)

    def _send_chunks(self, peer: int, sending: _Sending) -> None:
        while sending.following is not None and sending.under_way < CHUNKS_UNDER_WAY:
            content = sending.following
            try:
                sending.following = sending.export.next_chunk()
            except TransferBrokenError:
                # Whoever waits for more must be told: it asks for nothing else meanwhile.
                broken = SnapshotChunk(
                    sending.transfer, sending.next_number, last=True, content=None
                )
                self._links.send(peer, encode(broken))
                self._end_sending(peer)
                return
            chunk = SnapshotChunk(
                sending.transfer, sending.next_number, sending.following is None, content
            )
            self._links.send(peer, encode(chunk))
            sending.next_number += 1
            sending.under_way += 1

    def _answered(self, peer: int, message: SnapshotAnswer) -> None:
        sending = self._sending.get(peer)
        if sending is None or message.transfer != sending.transfer:
            return
        if message.number == GIVE_UP:
            self._end_sending(peer)
            return
        sending.under_way -= 1
        self._send_chunks(peer, sending)
        if sending.following is None and sending.under_way == 0:
            self._catching_up[peer] = sending.export.point.index, self._node.last_index
            self._end_sending(peer)

    def _end_sending(self, peer: int) -> None:
        sending = self._sending.pop(peer, None)
        if sending is not None:
            sending.export.close()
            self._node.transfer_ended(peer)

    # ------------------------------------------------------------------------- receiving

    def _offered(self, peer: int, message: SnapshotOffer) -> None:
        self.give_up_receiving()
        self._receiving = _Receiving(peer, message, self._stock.receive())

    def _chunk(self, peer: int, message: SnapshotChunk) -> None:
        receiving = self._receiving
        if receiving is None or (
            (receiving.peer, receiving.offer.transfer) != (peer, message.transfer)
        ):
            self._links.send(peer, encode(SnapshotAnswer(message.transfer, GIVE_UP)))
            return
        if message.number != receiving.next_number or message.content is None:
            self._give_up(receiving)
            return
        receiving.next_number += 1

        def stored(whole: bool) -> None:  # noqa: FBT001 - called by the driver with its one result
            if self._receiving is not receiving:
                return
            if not whole:
                self._give_up(receiving)
            elif message.last:
                receiving.target.finish(lambda good: self._finished(receiving, message, good=good))
            else:
                self._answer(receiving, message.number)

        receiving.target.feed(message.content, stored)

    def _finished(self, receiving: _Receiving, message: SnapshotChunk, *, good: bool) -> None:
        if self._receiving is not receiving:
            return
        if not good:
            self._give_up(receiving)
            return
        self._receiving = None
        self._answer(receiving, message.number)
        offer = receiving.offer
        self.tree_received(
            InstalledSnapshot(
                index=offer.index,
                epoch=offer.index_epoch,
                chain=offer.chain,
                name=receiving.target.name,
                configuration=Configuration.decode(offer.configuration or b""),
            )
        )

    def _answer(self, receiving: _Receiving, number: int) -> None:
        answer = SnapshotAnswer(receiving.offer.transfer, number)
        self._links.send(receiving.peer, encode(answer))

    def _give_up(self, receiving: _Receiving) -> None:
        receiving.target.abandon()
        self._receiving = None
        self._answer(receiving, GIVE_UP)
