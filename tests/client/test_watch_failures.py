"""How watches failed in other libraries, one by one, and that they cannot fail so here."""

import gc

import pytest
import trio
from trio.testing import memory_stream_pair

import client
from client import Stat
from coord import jute
from coord.wire import records
from coord.wire.connection import ServerConnection
from coord.wire.errors import MarshallingError
from coord.wire.frames import encode_notification, encode_reply
from coord.wire.numbers import EventType, OpCode
from coord.wire.records import ConnectRequest, ConnectResponse
from coord.wire.requests import GetChildren2Reply, GetDataReply
from tests.client.quiet import cut_off

OF_STATE = [Stat(1, zxid, 0, 0, 0, 0, 0, 0, 1, 1, zxid) for zxid in (1, 2)]
"""Of the first state of a znode, and of the second."""


async def test_whoever_watches_may_use_the_client(autojump_clock, fake, zk):
    # A callback that called its client waited for the thread it ran on: kazoo #208, #356, #381 and
    # #405, python-etcd3 #187, CURATOR-172.
    fake.tree.put("/a", b"0")
    async for state in zk.watch("/a"):
        async with zk.lock("/lock"):
            await zk.set("/a", b"%d" % (int(state.data) + 1))
        async with zk.watch("/a") as inner:
            assert (await anext(inner)).data > state.data
        if state.data == b"5":
            break


async def test_children_are_followed_when_their_parent_was_deleted_and_made_anew(
    autojump_clock, fake, zk
):
    # kazoo's ChildrenWatch stops for good, without a word (#149, #153); so does aiozk's (#15).
    fake.tree.put("/g", b"")
    fake.tree.put("/g/1", b"")
    async with zk.watch_children("/g") as states:
        assert await anext(states) == ["1"]
        fake.tree.delete("/g/1")
        fake.tree.delete("/g")
        fake.tree.put("/g", b"")
        fake.tree.put("/g/2", b"")
        assert await anext(states) == ["2"]
        fake.tree.delete("/g/2")
        fake.tree.delete("/g")
        assert await anext(states) is None
        fake.tree.put("/g", b"")
        fake.tree.put("/g/3", b"")
        assert await anext(states) == ["3"]


@pytest.mark.parametrize("opcode", [OpCode.GET_DATA, OpCode.EXISTS])
async def test_a_change_between_event_and_reading_is_not_missed(autojump_clock, fake, zk, opcode):
    # Lost between the read and the new watch: aiozk #41 and #45, python-etcd3 #1107.
    fake.tree.put("/a", b"1")
    async with zk.watch("/a") as states:
        await anext(states)
        if opcode == OpCode.EXISTS:
            fake.tree.delete("/a")
            fake.before(opcode, lambda: fake.tree.put("/a", b"3"))
        else:
            fake.tree.put("/a", b"2")
            fake.before(opcode, lambda: fake.tree.put("/a", b"3"))
        assert (await anext(states)).data == b"3"
        fake.tree.put("/a", b"4")
        assert (await anext(states)).data == b"4"


@pytest.mark.parametrize(
    ("kind", "event", "states"),
    [
        ("watch", EventType.NODE_DATA_CHANGED, [(b"0", OF_STATE[0]), (b"1", OF_STATE[1])]),
        ("watch_children", EventType.NODE_CHILDREN_CHANGED, [["0"], ["1"]]),
    ],
)
async def test_an_event_right_behind_the_reply_that_set_its_watch_is_heard(
    autojump_clock, kind, event, states
):
    # Whoever waits only once the reply was handled waits for ever: the event has found nobody.
    async with trio.open_nursery() as nursery:

        async def open_stream(_host: str, _port: int) -> trio.abc.Stream:
            ours, theirs = memory_stream_pair()
            nursery.start_soon(tell_with_the_reply, theirs, event)
            return ours

        async with (
            client.connect("one:1", open_stream=open_stream, clock=trio.current_time) as zk,
            getattr(zk, kind)("/a") as found,
        ):
            with trio.fail_after(5):
                assert [await anext(found), await anext(found)] == states


async def tell_with_the_reply(stream: trio.abc.Stream, event: EventType) -> None:
    """Answer each read with what is there by now, the first one together with the next change."""
    wire, reads = ServerConnection(), 0
    while data := bytes(await stream.receive_some()):
        for item in wire.receive(data):
            if isinstance(item, ConnectRequest):
                await stream.send_all(wire.accept(ConnectResponse(0, 10_000, 1, bytes(16))))
                continue
            xid, opcode = (int.from_bytes(item[at : at + 4], signed=True) for at in (0, 4))
            answer = encode_reply(xid, 1 + reads, 0)
            if opcode in (OpCode.GET_DATA, OpCode.GET_CHILDREN2):
                stat = records.Stat(*OF_STATE[reads])
                reply = (
                    GetDataReply(b"%d" % reads, stat)
                    if opcode == OpCode.GET_DATA
                    else GetChildren2Reply((f"{reads}",), stat)
                )
                answer = encode_reply(xid, 1 + reads, 0, jute.encode(reply))
                if not reads:
                    answer += encode_notification(event, b"/a", 2)
                reads += 1
            await stream.send_all(answer)


@pytest.mark.parametrize("kind", ["watch", "watch_tree", "cache"])
async def test_a_znode_deleted_and_made_anew_while_away_is_seen(autojump_clock, fake, zk, kind):
    # CURATOR-391: caches compare versions, and these begin again with a new znode.
    fake.tree.put("/a", b"1")
    async with anything(zk, kind) as latest:
        before = (await latest()).stat
        async with cut_off(fake):
            fake.tree.delete("/a")
            fake.tree.put("/a", b"2")
        data, after = await latest()
        assert data == b"2"
        assert after.version == before.version
        assert after.czxid == fake.tree.nodes["/a"].czxid != before.czxid


async def test_children_that_came_and_went_while_away_are_seen(autojump_clock, fake, zk):
    # A watch that waits for quiet took what it had read before the gap for the last: kazoo #257.
    fake.tree.put("/a", b"")
    fake.tree.put("/a/old", b"")
    async with zk.watch_children("/a") as names:
        assert await anext(names) == ["old"]
        async with cut_off(fake):
            fake.tree.delete("/a/old")
            fake.tree.put("/a/new", b"")
        assert await anext(names) == ["new"]


class anything:  # noqa: N801
    """Some way to follow "/a": a function that returns its latest state."""

    def __init__(self, zk: client.Client, kind: str) -> None:
        self.kind = kind
        self.source = getattr(zk, kind)("/a")

    async def __aenter__(self):
        entered = await self.source.__aenter__()

        async def latest() -> client.Znode:
            if self.kind == "cache":
                await entered.sync()
                return entered["/"]
            state = await anext(entered)
            return state["/"] if self.kind == "watch_tree" else state

        return latest

    async def __aexit__(self, *error: object) -> None:
        await self.source.__aexit__(*error)


@pytest.mark.parametrize("kind", ["watch", "watch_tree"])
async def test_reading_again_never_fails_in_silence(autojump_clock, fake, zk, kind):
    # A watch that could not be set again was simply gone: samuel/go-zookeeper #83.
    fake.tree.put("/a", b"1")
    async with anything(zk, kind) as latest:
        await latest()
        fake.refuse_next(OpCode.GET_DATA, MarshallingError.code)
        fake.tree.put("/a", b"2")
        with pytest.raises(client.MarshallingError):
            await latest()
        assert (await latest()).data == b"2"
        fake.tree.put("/a", b"3")
        assert (await latest()).data == b"3"


async def test_a_watch_whose_session_has_ended_is_set_in_the_next_one(autojump_clock, fake, zk):
    # Nothing was invalidated, and whoever waited went on waiting: go-zookeeper #83.
    fake.tree.put("/a", b"1")
    async with zk.watch_tree("/a") as trees, zk.watch("/a") as states:
        await anext(trees)
        await anext(states)
        fake.expire(zk.session.id)
        await zk.sync()
        fake.tree.put("/a", b"2")
        assert (await anext(trees))["/"].data == b"2"
        assert (await anext(states)).data == b"2"


async def test_giving_up_a_wait_leaves_no_watch_behind(autojump_clock, fake, zk):
    # Each wait that timed out left one: kazoo #175 and #542, CURATOR-240 and -312, Helix #733.
    # And there was no way to stop a DataWatch but to return False from its callback.
    for _ in range(20):
        with trio.move_on_after(0.1):
            async for _ in zk.watch("/none"):
                pass
        with trio.move_on_after(0.1):
            async for _ in zk.watch_tree("/none"):
                pass
        with trio.move_on_after(0.1):
            async with zk.cache("/none") as cache:
                await cache.wait_until(lambda tree: "/" in tree)
    gc.collect()
    await trio.sleep(2)
    (connection,) = fake.connections
    assert not connection.data | connection.child | connection.recursive
    hub = zk._calls.hub
    assert [hub._waiters, hub._listeners, hub._armed, list(hub._left)] == [{}, {}, set(), []]


async def test_events_are_given_one_after_the_other_in_the_order_of_the_server(
    autojump_clock, fake, zk
):
    # aiozk runs a task for each callback, so two events may be handled in either order, or at once.
    paths = [f"/{number}" for number in range(50)]
    async with zk.events("/", recursive=True) as events:
        await anext(events)
        for path in paths:
            fake.tree.put(path, b"")
        assert [(await anext(events)).path for _ in paths] == paths
