"""Watches as iterators: the first state, then the latest; events in order, gaps by name."""

import gc

import pytest
import trio

import client
from client.hub import EVENTS_MAX
from coord.wire.numbers import EventType, OpCode
from tests.client.quiet import until_quiet


async def test_the_first_state_comes_at_once_then_each_change(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    async with zk.watch("/a") as states:
        assert (await anext(states)).data == b"1"
        fake.tree.put("/a", b"2")
        assert (await anext(states)).data == b"2"


async def test_a_missing_znode_is_a_state(autojump_clock, fake, zk):
    async with zk.watch("/a") as states:
        assert await anext(states) is None
        fake.tree.put("/a", b"1")
        assert (await anext(states)).data == b"1"
        fake.tree.delete("/a")
        assert await anext(states) is None
        fake.tree.put("/a", b"1")
        assert (await anext(states)).data == b"1"


async def test_a_slow_consumer_gets_the_latest_state_only(autojump_clock, fake, zk):
    async with zk.watch("/a") as states:
        await anext(states)
        for number in range(100):
            fake.tree.put("/a", b"%d" % number)
        assert (await anext(states)).data == b"99"
        assert fake.requests[OpCode.GET_DATA] <= 3


async def test_a_znode_that_was_deleted_and_made_anew_is_a_change(autojump_clock, fake, zk):
    # Its version and its data are the same as before.
    fake.tree.put("/a", b"1")
    async with zk.watch("/a") as states:
        first = await anext(states)
        fake.tree.delete("/a")
        fake.tree.put("/a", b"1")
        second = await anext(states)
        assert first.data == second.data
        assert first.stat.version == second.stat.version
        assert first.stat.czxid != second.stat.czxid


async def test_a_change_between_two_looks_at_a_missing_znode_is_not_missed(
    autojump_clock, fake, zk
):
    fake.before(OpCode.EXISTS, lambda: fake.tree.put("/a", b"1"))
    async with zk.watch("/a") as states:
        assert (await anext(states)).data == b"1"


async def test_a_change_while_disconnected_is_found(autojump_clock, fake, zk):
    async with zk.watch("/a") as states:
        await anext(states)
        fake.down = {-1}
        fake.cut()
        await until_quiet()
        fake.tree.put("/a", b"1")
        fake.down = set()
        assert (await anext(states)).data == b"1"


async def test_a_reconnect_without_change_says_nothing(autojump_clock, fake, zk):
    async with zk.watch("/a") as states, zk.watch_children("/") as children:
        await anext(states)
        await anext(children)
        fake.cut()
        with trio.move_on_after(5) as scope:
            await anext(states)
        assert scope.cancelled_caught
        with trio.move_on_after(5) as scope:
            await anext(children)
        assert scope.cancelled_caught


async def test_a_watch_goes_on_in_a_new_session(autojump_clock, fake, zk):
    async with zk.watch("/a") as states:
        await anext(states)
        fake.expire(zk.session.id)
        await zk.sync()
        fake.tree.put("/a", b"1")
        assert (await anext(states)).data == b"1"


async def test_a_cancelled_wait_loses_no_state(autojump_clock, fake, zk):
    async with zk.watch("/a") as states:
        await anext(states)
        with trio.CancelScope() as scope:
            fake.before(OpCode.GET_DATA, scope.cancel)
            fake.tree.put("/a", b"1")
            await anext(states)
        assert scope.cancelled_caught
        assert (await anext(states)).data == b"1"


async def test_an_event_is_known_before_the_reply_that_shows_the_change(autojump_clock, fake, zk):
    async with zk.watch("/a") as states:
        await anext(states)
        assert not states._waiter._raised.is_set()
        await zk.create("/a", b"1")
        assert states._waiter._raised.is_set()


async def test_an_error_is_raised_and_the_state_stays_due(autojump_clock, fake, zk):
    fake.tree.put("/a", b"1")
    states = zk.watch("/a")
    fake.mute = {OpCode.GET_DATA}
    with trio.move_on_after(1) as scope:
        await anext(states)
    assert scope.cancelled_caught
    fake.mute = set()
    fake.cut()
    assert (await anext(states)).data == b"1"


async def test_children_come_sorted_and_again_after_each_change(autojump_clock, fake, zk):
    async with zk.watch_children("/a") as states:
        assert await anext(states) is None
        fake.tree.put("/a", b"")
        assert await anext(states) == []
        fake.tree.put("/a/z", b"")
        fake.tree.put("/a/b", b"")
        assert await anext(states) == ["b", "z"]
        fake.tree.delete("/a/z")
        assert await anext(states) == ["b"]
        fake.tree.delete("/a/b")
        fake.tree.delete("/a")
        assert await anext(states) is None


async def test_leaving_the_loop_takes_the_watch_back(autojump_clock, fake, zk):
    fake.tree.put("/a", b"1")
    async for _ in zk.watch("/a"):
        break
    async for _ in zk.watch_children("/a"):
        break
    async for _ in zk.watch_children("/missing"):
        break
    gc.collect()
    await trio.sleep(2)
    (connection,) = fake.connections
    assert (connection.data, connection.child) == (set(), set())


async def test_a_watch_that_another_iterator_needs_is_not_taken_back(autojump_clock, fake, zk):
    async with zk.watch("/a") as one:
        async with zk.watch("/a") as other:
            await anext(one)
            await anext(other)
        await trio.sleep(2)
        fake.tree.put("/a", b"1")
        assert (await anext(one)).data == b"1"


async def test_a_closed_iterator_ends(autojump_clock, fake, zk):
    states = zk.watch("/a")
    await states.aclose()
    assert [state async for state in states] == []


async def test_events_come_in_order_after_the_word_that_they_do(autojump_clock, fake, zk):
    async with zk.events("/a") as events:
        assert await anext(events) == client.Resynced(gap=False)
        fake.tree.put("/a", b"1")
        fake.tree.put("/a", b"2")
        fake.tree.put("/a/b", b"")
        fake.tree.put("/a/b", b"unseen")
        fake.tree.delete("/a/b")
        fake.tree.delete("/a")
        kinds = [(await anext(events)).kind for _ in range(5)]
    assert kinds == [
        EventType.NODE_CREATED,
        EventType.NODE_DATA_CHANGED,
        EventType.NODE_CHILDREN_CHANGED,
        EventType.NODE_CHILDREN_CHANGED,
        EventType.NODE_DELETED,
    ]


async def test_recursive_events_tell_of_everything_below(autojump_clock, fake, zk):
    async with fake.connect("one:1/app") as inner, inner.events("/", recursive=True) as events:
        assert await anext(events) == client.Resynced(gap=False)
        fake.tree.put("/app", b"")
        fake.tree.put("/app/a", b"")
        fake.tree.put("/application", b"unseen")
        fake.tree.put("/app/a/b", b"")
        zxid = fake.tree.zxid
        paths = [(await anext(events)).path for _ in range(2)]
        last = await anext(events)
    assert paths == ["/", "/a"]
    assert last == client.Event(EventType.NODE_CREATED, "/a/b", last.zxid)
    assert last.zxid in (zxid, -1)  # servers before 3.9 do not tell


async def test_a_lost_connection_is_a_gap(autojump_clock, fake, zk):
    async with zk.events("/a") as events:
        await anext(events)
        fake.tree.put("/a", b"1")
        await until_quiet()
        fake.cut()
        await until_quiet()
        assert (await anext(events)).kind == EventType.NODE_CREATED
        assert await anext(events) == client.Resynced(gap=True)
        fake.tree.put("/a", b"2")
        assert (await anext(events)).kind == EventType.NODE_DATA_CHANGED


async def test_a_connection_lost_while_watches_are_set_again_is_one_gap(autojump_clock, fake, zk):
    async with zk.events("/a") as events:
        fake.drop_reply(OpCode.ADD_WATCH)
        assert await anext(events) == client.Resynced(gap=False)
        fake.cut()
        await until_quiet()
        fake.drop_request(OpCode.ADD_WATCH)
        assert await anext(events) == client.Resynced(gap=True)
        fake.tree.put("/a", b"1")
        assert (await anext(events)).kind == EventType.NODE_CREATED


async def test_more_events_than_are_kept_are_a_gap(autojump_clock, fake, zk):
    async with zk.events("/a") as events:
        await anext(events)
        for _ in range(EVENTS_MAX + 1):
            fake.tree.put("/a", b"")
        await until_quiet()
        assert await anext(events) == client.Resynced(gap=True)
        fake.tree.put("/a", b"")
        assert (await anext(events)).kind == EventType.NODE_DATA_CHANGED


async def test_states_and_events_of_one_znode_do_not_disturb_each_other(autojump_clock, fake, zk):
    async with zk.watch("/a") as states:
        await anext(states)
        async with zk.events("/a") as events:
            await anext(events)
            fake.tree.put("/a", b"1")
            assert (await anext(states)).data == b"1"
            fake.tree.put("/a", b"2")
            assert (await anext(states)).data == b"2"
            assert [(await anext(events)).kind for _ in range(2)] == [
                EventType.NODE_CREATED,
                EventType.NODE_DATA_CHANGED,
            ]
        await trio.sleep(2)
        fake.tree.put("/a", b"3")
        assert (await anext(states)).data == b"3"
        assert all(not each.persistent for each in fake.connections)


async def test_one_znode_has_events_of_one_kind(autojump_clock, fake, zk):
    async with zk.events("/a"):
        with pytest.raises(ValueError, match="other mode"):
            zk.events("/a", recursive=True)


async def test_add_watch_and_remove_watches_are_there_for_what_needs_them(autojump_clock, fake, zk):
    await zk.add_watch("/a", recursive=True)
    assert fake.connections[0].recursive == {"/a"}
    await zk.remove_watches("/a")
    with pytest.raises(client.NoWatcher):
        await zk.remove_watches("/a")


async def test_a_cancelled_question_for_a_watch_leaves_nobody_without_one(autojump_clock, fake, zk):
    async with zk.watch("/a") as states, zk.events("/a") as events:
        fake.mute = {OpCode.ADD_WATCH}
        with trio.move_on_after(1):
            await anext(events)
        assert await anext(states) is None
        fake.tree.put("/a", b"1")
        assert (await anext(states)).data == b"1"
