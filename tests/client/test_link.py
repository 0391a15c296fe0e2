"""One connection: for what it waits, and what it knows of requests that are lost with it."""

import attrs
import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from client.deadline import Proofs
from client.errors import ReplyLost
from client.link import Link
from client.pending import Pending
from client.session import Session
from coord import jute
from coord.wire.connection import ServerConnection
from coord.wire.frames import encode_frame, encode_reply
from coord.wire.numbers import OpCode, Xid
from coord.wire.records import ConnectRequest, ConnectResponse
from coord.wire.requests import DeleteRequest, GetDataRequest

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


@attrs.define(eq=False)
class Proved:
    prove: str

    def lose(self, reason: str) -> None:
        raise AssertionError(reason)


async def attached() -> tuple[Link, trio.abc.Stream]:
    ours, theirs = memory_stream_pair()
    link = Link(ours, HELLO.last_zxid_seen, 10, trio.current_time, print, lambda: None)
    await theirs.send_all(greeting())
    await link.greet(HELLO)
    link.session = Session(1, bytes(16), Proofs(10.0, 0.0, 0.0))
    return link, theirs


def greeting() -> bytes:
    wire = ServerConnection()
    wire.receive(encode_frame(jute.encode(HELLO)))
    return wire.accept(ConnectResponse(0, 10_000, 1, bytes(16)))
