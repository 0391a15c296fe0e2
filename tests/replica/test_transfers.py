"""The log that a peer needs while, and after, it is sent a snapshot."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from coord.consensus.log import Point
from coord.replica.messages import SnapshotAnswer, decode
from coord.replica.transfers import CATCHING_UP_ENTRIES_MAX, GIVE_UP, TransferBrokenError, Transfers

PEER = 2


class Export:
    """A tree of one chunk."""

    configuration = b""

    def __init__(self, index: int) -> None:
        self.point = Point(index, 1, 7)
        self.chunks = [b"chunk"]

    def next_chunk(self) -> bytes | None:
        return self.chunks.pop() if self.chunks else None

    def close(self) -> None:
        pass


class BreakingExport(Export):
    """A tree of which one chunk can be read."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.chunks = [b"second", b"first"]

    def next_chunk(self) -> bytes | None:
        if len(self.chunks) == 1:
            raise TransferBrokenError("the file grew")
        return super().next_chunk()


class Leader:
    """The node of a leader whose log grows; `stored` is what it knows of its peer."""

    def snapshot_received(self, snapshot: object) -> None:
        raise AssertionError("a leader is sent nothing")

    def __init__(self) -> None:
        self.last_index = 100
        self.stored = -1
        self.leads = True
        self.flushed = 100

    @property
    def peers(self) -> tuple[SimpleNamespace, ...]:
        if not self.leads:
            return ()
        return (SimpleNamespace(peer=PEER, stored=self.stored),)

    def transfer_ended(self, peer: int) -> None:
        pass


@pytest.fixture
def leader() -> Leader:
    return Leader()


@pytest.fixture
def transfers(leader: Leader) -> Transfers:
    links: Any = SimpleNamespace(send=lambda _peer, _frame: None)
    stock: Any = SimpleNamespace(export=lambda _least_index: Export(leader.flushed))
    return Transfers(cast(Any, leader), links, stock)


def transferred(transfers: Transfers, leader: Leader) -> None:
    """A snapshot of entry 100 has arrived; meanwhile the log has grown to 50,000."""
    transfers.send(PEER, 1)
    leader.last_index = 50_000
    assert transfers.lowest_index == 100
    transfers.received(PEER, SnapshotAnswer(1, 0))


def test_a_peer_that_has_its_snapshot_keeps_the_log_that_grew_meanwhile(
    transfers: Transfers, leader: Leader
) -> None:
    transferred(transfers, leader)
    assert transfers.lowest_index == 100
    leader.stored = 20_000
    assert transfers.lowest_index == 20_000
    leader.stored = 50_000
    assert transfers.lowest_index is None


@pytest.mark.parametrize("ending", ["lost", "slow", "deposed", "given up"])
def test_the_log_is_not_kept_for_ever(transfers: Transfers, leader: Leader, ending: str) -> None:
    if ending == "given up":
        transfers.send(PEER, 1)
        transfers.received(PEER, SnapshotAnswer(1, GIVE_UP))
    else:
        transferred(transfers, leader)
    if ending == "lost":
        transfers.peer_lost(PEER)
    elif ending == "slow":
        leader.last_index += CATCHING_UP_ENTRIES_MAX + 1
    elif ending == "deposed":
        leader.leads = False
    assert transfers.lowest_index is None


def test_a_new_transfer_to_the_same_peer_replaces_the_old_need(
    transfers: Transfers, leader: Leader
) -> None:
    transferred(transfers, leader)
    leader.flushed = 40_000
    transfers.send(PEER, 1)
    assert transfers.lowest_index == 40_000


def test_whoever_receives_is_told_that_a_transfer_is_broken_off_and_may_ask_again(
    leader: Leader,
) -> None:
    frames: list[bytes] = []
    links: Any = SimpleNamespace(send=lambda _peer, frame: frames.append(frame))
    importing: Any = SimpleNamespace(abandon=lambda: None, feed=lambda _chunk, _done: None)
    stock: Any = SimpleNamespace(export=BreakingExport, receive=lambda: importing)
    sender = Transfers(cast(Any, leader), links, stock)
    receiver = Transfers(cast(Any, leader), links, stock)

    sender.send(PEER, 1)
    assert sender.lowest_index is None
    offer, *chunks = [decode(frame) for frame in frames]
    receiver.received(1, offer)
    assert receiver.is_receiving
    for chunk in chunks:
        receiver.received(1, chunk)
    assert not receiver.is_receiving
