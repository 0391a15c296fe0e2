"""Subtrees, against real servers: ZooKeeper where it is installed, and coord."""

import pytest
import trio

import client
from coord.wire.numbers import EventType


@pytest.fixture
async def zk(hosts):
    async with client.connect(hosts, session_timeout=4) as connected:
        yield connected


async def test_a_cache_has_what_the_server_has(zk, hosts):
    async with client.connect(hosts) as other, zk.cache("/svc") as cache:
        assert len(cache) == 0
        await other.create("/svc/a/1", b"1", makepath=True)
        await cache.sync()
        assert list(cache) == ["/", "/a", "/a/1"]
        await other.set("/svc/a/1", b"2")
        await other.create("/svc/a/2", b"2")
        await cache.sync()
        for path in cache:
            assert cache[path] == await other.get("/svc" + path if path != "/" else "/svc")
        await other.delete("/svc", recursive=True)
        await cache.sync()
        assert len(cache) == 0
        assert cache.stale_since is None


async def test_a_transaction_is_seen_as_a_whole_or_not_at_all(zk, hosts):
    for name in ("/svc", "/svc/a", "/svc/b"):
        await zk.create(name, b"start")

    async def write() -> None:
        async with client.connect(hosts) as other:
            for number in range(100):
                async with other.transaction() as pair:
                    pair.set_data("/svc/a", b"%d" % number)
                    pair.set_data("/svc/b", b"%d" % number)

    async with zk.cache("/svc") as cache, trio.open_nursery() as nursery:
        nursery.start_soon(write)
        async for tree in cache.states():
            assert tree["/a"].data == tree["/b"].data
            if tree["/a"].data == b"99":
                break


async def test_a_subtree_is_followed_beside_other_watches_of_the_same_znodes(zk):
    await zk.create("/svc")
    watches = (zk.watch_tree("/svc"), zk.watch("/svc"), zk.watch_children("/svc"))
    async with watches[0] as trees, watches[1] as states, watches[2] as names:
        for number in range(3):
            assert (await anext(states)).data == (b"%d" % (number - 1) if number else b"")
            assert (await anext(names)) == [f"{each}" for each in range(number)]
            async for tree in trees:
                if tree.children() == [f"{each}" for each in range(number)]:
                    break
            await zk.create(f"/svc/{number}")
            await zk.set("/svc", b"%d" % number)
        async with zk.cache("/svc") as cache:
            await cache.sync()
            assert cache.children() == ["0", "1", "2"]
        await zk.set("/svc", b"last")
        assert (await anext(states)).data == b"last"
        async for tree in trees:
            if tree["/"].data == b"last":
                break


async def test_a_lost_connection_makes_a_gap_that_is_filled(hosts):
    streams = []

    async def open_stream(host: str, port: int) -> trio.SocketStream:
        streams.append(await trio.open_tcp_stream(host, port))
        return streams[-1]

    async with client.connect(hosts) as other, client.connect(hosts, open_stream=open_stream) as zk:
        await other.create("/a")
        async with zk.events("/", recursive=True, fill=True) as events:
            assert await anext(events) == client.Resynced(gap=False)
            await other.create("/a/b")
            assert (await anext(events)).kind == EventType.NODE_CREATED
            await other.delete("/a/b")
            assert (await anext(events)).kind == EventType.NODE_DELETED
            await streams[-1].aclose()
            stat = await other.set("/a", b"1")
            # Not before: the client may be back sooner than the other one has written.
            found = [await anext(events)]
            while not isinstance(found[-1], client.Event) or found[-1].path != "/a":
                found.append(await anext(events))
            assert client.Resynced(gap=True) in found
            assert found[-1].kind == EventType.NODE_DATA_CHANGED
            assert found[-1].zxid in (stat.mzxid, -1)


async def test_changes_of_an_object_by_many_are_all_made(zk, hosts):
    await zk.typed("/numbers", list[int]).create([])

    async def add(contender: client.Client, number: int) -> None:
        await contender.typed("/numbers", list[int]).update(lambda numbers: [*numbers, number])

    async with client.connect(hosts) as other, trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(add, zk, number)
            nursery.start_soon(add, other, 10 + number)
    assert sorted((await zk.typed("/numbers", list[int]).get()).value) == list(range(20))
