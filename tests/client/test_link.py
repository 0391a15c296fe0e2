"""One connection: what its replies prove, for what it waits, what it knows of requests it loses."""

import attrs
import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from client.config import ClientConfig
from client.deadline import Proofs
from client.errors import ReplyLost
from client.greeting import attach
from client.link import OUTBOX_BYTES_MAX, Link
from client.pending import Pending
from client.session import Session
from coord import jute
from coord.wire.connection import ServerConnection
from coord.wire.frames import encode_frame, encode_reply
from coord.wire.numbers import OpCode, Xid
from coord.wire.records import ConnectRequest, ConnectResponse
from coord.wire.requests import DeleteRequest, GetDataRequest, SetDataRequest, SyncRequest

HELLO = ConnectRequest(0, 3, 10_000, 0, bytes(16), read_only=False)


async def test_a_lost_request_came_after_what_was_answered_but_for_pings(autojump_clock):
    """A server may answer a ping before a write that it has carried out already."""
    link, theirs = await attached()
    answered, lost = (Pending(OpCode.DELETE, DeleteRequest("/a", -1)) for _ in range(2))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        link.post(answered)
        link.post(lost)
        link.post_ping()
        await wait_all_tasks_blocked()
        await theirs.send_all(encode_reply(1, 7, 0) + encode_reply(Xid.PING, 8, 0))
        await theirs.aclose()
    with pytest.raises(ReplyLost) as caught:
        _ = lost.reply
    assert answered.reply.zxid == caught.value.zxid == 7
    assert link.zxid == 8


async def test_a_reply_proves_what_was_when_its_request_was_sent(autojump_clock):
    """The server may have heard it then, and the reply may have been on its way since."""
    link, theirs = await attached()
    proofs = link.session.proofs
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await trio.sleep(1)
        link.post_ping()
        await trio.sleep(1)
        link.post(Pending(OpCode.SYNC, SyncRequest("/")))
        await trio.sleep(1)
        await theirs.send_all(encode_reply(Xid.PING, 7, 0))
        await wait_all_tasks_blocked()
        assert (proofs.heard, proofs.ordered) == (1.0, 0.0)
        await theirs.send_all(encode_reply(1, 7, 0))
        await wait_all_tasks_blocked()
        assert (proofs.heard, proofs.ordered) == (2.0, 2.0)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("is_new", [True, False])
async def test_a_greeting_proves_what_was_when_it_was_made(autojump_clock, is_new):
    link, theirs = dialled()
    session = None if is_new else Session(1, bytes(16), Proofs(10.0, 0.0, 0.0))

    async def answer_later() -> None:
        await trio.sleep(2)
        await theirs.send_all(greeting())

    await trio.sleep(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_later)
        session = await attach(link, session, ClientConfig("one:1"), trio.current_time)
    assert (session.proofs.heard, session.proofs.ordered) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("prove", "why"), [("ping", "fallen silent"), ("sync", "no word from its leader")]
)
async def test_a_long_reply_is_waited_for_while_it_comes(autojump_clock, prove, why):
    """Nothing that proves the session can be answered before its end; after it, it must be."""
    link, theirs = await attached()
    link.session.holds.add(Proved(prove))
    long = Pending(OpCode.GET_DATA, GetDataRequest("/a", watch=False))
    frame = encode_reply(1, 7, 0, bytes(1000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        link.post(long)
        for at in range(0, len(frame), 50):
            await trio.sleep(1)
            await theirs.send_all(frame[at : at + 50])
        await long.settled()
        assert link.lost is None
    assert long.reply.body == bytes(1000)
    assert why in link.lost


async def test_no_more_bytes_are_taken_than_a_server_that_does_not_read_leaves_room_for(
    autojump_clock,
):
    link, _theirs = await attached()
    large = SetDataRequest("/a", bytes(OUTBOX_BYTES_MAX // 5), -1)
    while link.room:
        link.post(Pending(OpCode.SET_DATA, large))
    assert len(list(link.unanswered())) == 5  # of ten, for which there would be room by number
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await wait_all_tasks_blocked()
        assert link.room == 5
        nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class Proved:
    prove: str

    def lose(self, reason: str) -> None:
        raise AssertionError(reason)


async def attached() -> tuple[Link, trio.abc.Stream]:
    link, theirs = dialled()
    await theirs.send_all(greeting())
    await link.greet(HELLO)
    link.session = Session(1, bytes(16), Proofs(10.0, 0.0, 0.0))
    return link, theirs


def dialled() -> tuple[Link, trio.abc.Stream]:
    ours, theirs = memory_stream_pair()
    return Link(ours, HELLO.last_zxid_seen, 10, trio.current_time, print, lambda: None), theirs


def greeting() -> bytes:
    wire = ServerConnection()
    wire.receive(encode_frame(jute.encode(HELLO)))
    return wire.accept(ConnectResponse(0, 10_000, 1, bytes(16)))
