"""Events after a gap: what differs from before is told, and the gap itself is named."""

import pytest
import trio

import client
from client.hub import EVENTS_MAX
from coord.wire.numbers import EventType, OpCode
from tests.client.quiet import cut_off, until_quiet
from tests.client.test_cache import grow

CREATED, DELETED = EventType.NODE_CREATED, EventType.NODE_DELETED
SET, CHILDREN = EventType.NODE_DATA_CHANGED, EventType.NODE_CHILDREN_CHANGED


async def told(events, count: int) -> list[tuple[EventType, str, bool]]:
    items = [await anext(events) for _ in range(count)]
    return [(each.kind, each.path, each.is_synthetic) for each in items]


async def test_what_changed_within_a_gap_makes_synthetic_events(autojump_clock, fake, zk):
    grow(fake, "/a", "/a/same", "/a/set", "/a/gone", "/a/anew", "/a/anew/x", "/a/visited")
    async with zk.events("/a", recursive=True, fill=True) as events:
        assert await anext(events) == client.Resynced(gap=False)
        async with cut_off(fake):
            fake.tree.put("/a/set", b"")
            fake.tree.delete("/a/gone")
            fake.tree.delete("/a/anew/x")
            fake.tree.delete("/a/anew")
            grow(fake, "/a/anew", "/a/new", "/a/visited/x")
            fake.tree.delete("/a/visited/x")
            zxid = fake.tree.nodes["/a/anew"].czxid
        assert await anext(events) == client.Resynced(gap=True)
        assert await told(events, 3) == [
            (DELETED, "/a/gone", True),
            (DELETED, "/a/anew/x", True),
            (DELETED, "/a/anew", True),
        ]
        assert await anext(events) == client.Event(CREATED, "/a/anew", zxid, is_synthetic=True)
        assert await told(events, 3) == [
            (CREATED, "/a/new", True),
            (SET, "/a/set", True),
            (CHILDREN, "/a/visited", True),
        ]
        fake.tree.put("/a/same", b"")
        assert await told(events, 1) == [(SET, "/a/same", False)]


async def test_what_was_told_before_a_gap_is_not_told_again(autojump_clock, fake, zk):
    async with zk.events("/a", recursive=True, fill=True) as events:
        await anext(events)
        grow(fake, "/a", "/a/b")
        fake.tree.put("/a/b", b"")
        assert await told(events, 3) == [
            (CREATED, "/a", False),
            (CREATED, "/a/b", False),
            (SET, "/a/b", False),
        ]
        await let_it_read(events)
        async with cut_off(fake):
            grow(fake, "/a/c")
        assert await anext(events) == client.Resynced(gap=True)
        assert await told(events, 1) == [(CREATED, "/a/c", True)]


async def let_it_read(events) -> None:
    """Wait for an event that does not come."""
    with trio.move_on_after(1):
        await anext(events)


async def test_events_that_were_not_yet_taken_are_given_before_the_gap(autojump_clock, fake, zk):
    async with zk.events("/a", recursive=True, fill=True) as events:
        await anext(events)
        grow(fake, "/a")
        await until_quiet()
        async with cut_off(fake):
            fake.tree.delete("/a")
        assert await told(events, 1) == [(CREATED, "/a", False)]
        assert await anext(events) == client.Resynced(gap=True)


@pytest.mark.parametrize("fill", [False, True])
async def test_more_events_than_are_kept_are_a_gap(autojump_clock, fake, zk, fill):
    grow(fake, "/a")
    async with zk.events("/a", recursive=True, fill=fill) as events:
        await anext(events)
        record = events._record if fill else None
        stream = events._stream if record is None else record.events
        change = client.hub.Change(SET, "/a", fake.tree.zxid)
        for _ in range(EVENTS_MAX):
            stream.push(change)
        fake.tree.put("/a", b"")
        await until_quiet()
        assert await anext(events) == client.Resynced(gap=True)
        if fill:
            assert await told(events, 1) == [(SET, "/a", True)]
        else:
            assert await told(events, 1) == [(SET, "/a", False)]
        grow(fake, "/a/b")
        assert await told(events, 1) == [(CREATED, "/a/b", False)]


async def test_a_single_znode_is_filled_too(autojump_clock, fake, zk):
    grow(fake, "/a")
    async with zk.events("/a", fill=True) as events:
        assert await anext(events) == client.Resynced(gap=False)
        grow(fake, "/a/b")
        assert await told(events, 1) == [(CHILDREN, "/a", False)]
        await let_it_read(events)
        async with cut_off(fake):
            fake.tree.delete("/a/b")
            grow(fake, "/a")
        assert await anext(events) == client.Resynced(gap=True)
        assert await told(events, 2) == [(SET, "/a", True), (CHILDREN, "/a", True)]


async def test_servers_without_persistent_watches_have_no_events(autojump_clock, fake, zk):
    fake.unknown = {OpCode.ADD_WATCH}
    for fill in (False, True):
        with pytest.raises(client.Unimplemented):
            await anext(zk.events("/a", recursive=True, fill=fill))
