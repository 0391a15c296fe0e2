"""A subtree at hand: each state is that of one moment; it is kept, and found again after gaps."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio

import client
from coord.wire.errors import NoAuth
from coord.wire.numbers import OpCode
from tests.client.quiet import cut_off, until_quiet


@pytest.fixture(params=["one watch", "many watches"])
def servers(request, fake):
    """Servers with and without watches of subtrees."""
    if request.param == "many watches":
        fake.unknown = {OpCode.ADD_WATCH}
    return fake


def grow(fake, *paths: str) -> None:
    for path in paths:
        fake.tree.put(path, path.encode())


async def test_a_cache_begins_with_all_there_is(autojump_clock, servers, zk):
    grow(servers, "/svc", "/svc/b", "/svc/a", "/svc/a/1", "/service")
    async with zk.cache("/svc") as cache:
        assert list(cache) == ["/", "/a", "/a/1", "/b"]
        assert len(cache) == 4
        assert cache["/a/1"].data == b"/svc/a/1"
        assert cache["/"].stat.num_children == 2
        assert cache.children() == ["a", "b"]
        assert cache.children("/b") == cache.children("/none") == []
        assert "/none" not in cache
        with pytest.raises(KeyError):
            cache["/none"]
        assert cache.zxid == servers.tree.zxid
        assert cache.stale_since is None


async def test_more_names_than_a_request_could_hold_are_no_trouble(autojump_clock, fake, zk):
    names = [f"{number:04d}".zfill(2000) for number in range(600)]
    grow(fake, "/wide", *(f"/wide/{name}" for name in names))
    async with zk.cache("/wide") as cache:
        assert cache.children() == names
    assert fake.requests[OpCode.CREATE_SESSION] == 1


async def test_a_cache_follows_changes_and_their_parents(autojump_clock, servers, zk):
    grow(servers, "/svc", "/svc/a")
    async with zk.cache("/svc") as cache:
        grow(servers, "/svc/a/1", "/svc/a/1/x")
        servers.tree.put("/svc/a", b"new")
        await cache.sync()
        assert cache["/a"].data == b"new"
        assert cache.children("/a/1") == ["x"]
        assert cache["/a"].stat.num_children == 1
        servers.tree.delete("/svc/a/1/x")
        servers.tree.delete("/svc/a/1")
        await cache.sync()
        assert list(cache) == ["/", "/a"]
        assert cache["/a"].stat == client.Stat.of(servers.tree.nodes["/svc/a"].stat())


async def test_a_missing_root_is_an_empty_cache_until_it_comes(autojump_clock, servers, zk):
    async with zk.cache("/svc") as cache:
        assert len(cache) == 0
        grow(servers, "/svc", "/svc/a")
        await cache.sync()
        assert list(cache) == ["/", "/a"]
        servers.tree.delete("/svc/a")
        servers.tree.delete("/svc")
        await cache.sync()
        assert len(cache) == 0
        grow(servers, "/svc")
        assert list(await cache.wait_until(bool)) == ["/"]


async def test_the_whole_tree_but_for_what_servers_write_unseen(autojump_clock, servers, zk):
    grow(servers, "/zookeeper", "/zookeeper/quota", "/a")
    async with zk.cache("/") as cache:
        assert list(cache) == ["/", "/a"]
        grow(servers, "/zookeeper/config")
        await cache.sync()
        assert list(cache) == ["/", "/a"]


async def test_a_znode_deleted_and_made_anew_in_a_gap_is_another_one(autojump_clock, servers, zk):
    # Its data and its version are as before: who compares versions keeps the old one for good.
    grow(servers, "/svc", "/svc/a")
    async with zk.cache("/svc") as cache:
        before = cache["/a"]
        async with cut_off(servers):
            servers.tree.delete("/svc/a")
            grow(servers, "/svc/a")
        await cache.sync()
        assert cache["/a"].data == before.data
        assert cache["/a"].stat.version == before.stat.version
        assert cache["/a"].stat.czxid == servers.tree.nodes["/svc/a"].czxid
        assert cache["/a"].stat.czxid != before.stat.czxid


async def test_while_cut_off_the_state_stays_and_says_how_old_it_is(autojump_clock, servers, zk):
    grow(servers, "/svc", "/svc/a")
    async with zk.cache("/svc") as cache:
        await trio.sleep(1)
        async with cut_off(servers):
            servers.tree.delete("/svc/a")
            await trio.sleep(2)
            assert list(cache) == ["/", "/a"]
            assert trio.current_time() - cache.stale_since >= 2
        await cache.sync()
        assert list(cache) == ["/"]
        assert cache.stale_since is None


async def test_after_a_gap_unchanged_data_are_not_read_again(autojump_clock, fake, zk):
    grow(fake, "/svc", *(f"/svc/{n}" for n in range(20)))
    async with zk.cache("/svc") as cache:
        before = fake.requests[OpCode.GET_DATA]
        async with cut_off(fake):
            fake.tree.put("/svc/7", b"new")
        await cache.sync()
        assert cache["/7"].data == b"new"
        assert fake.requests[OpCode.GET_DATA] - before == 1


async def test_a_cache_goes_on_in_a_new_session(autojump_clock, servers, zk):
    grow(servers, "/svc")
    async with zk.cache("/svc") as cache:
        servers.expire(zk.session.id)
        await zk.create("/svc/a")
        await cache.sync()
        assert "/a" in cache
        servers.tree.put("/svc/a", b"1")
        await cache.sync()
        assert cache["/a"].data == b"1"


async def test_a_snapshot_never_changes(autojump_clock, servers, zk):
    grow(servers, "/svc", "/svc/a")
    async with zk.cache("/svc") as cache:
        with cache.snapshot() as tree:
            was = dict(tree)
            grow(servers, "/svc/a", "/svc/b")
            servers.tree.delete("/svc/a")
            await cache.sync()
            assert dict(tree) == was
            assert tree.children() == ["a"]
            assert tree.zxid < cache.zxid
            assert cache.children() == ["b"]


async def test_a_transaction_is_seen_as_a_whole_or_not_at_all(autojump_clock, servers, zk):
    grow(servers, "/svc", "/svc/a", "/svc/b")
    async with zk.cache("/svc") as cache, trio.open_nursery() as nursery:
        nursery.start_soon(write_pairs, zk)
        async for tree in cache.states():
            if tree["/a"].data == b"/svc/a":
                continue
            assert tree["/a"].data == tree["/b"].data
            if tree["/a"].data == b"29":
                break


async def write_pairs(zk: client.Client) -> None:
    for number in range(30):
        async with zk.transaction() as pair:
            pair.set_data("/svc/a", b"%d" % number)
            pair.set_data("/svc/b", b"%d" % number)


async def test_waiting_until_a_state_pleases(autojump_clock, fake, zk):
    grow(fake, "/svc")
    async with zk.cache("/svc") as cache:
        assert await cache.wait_until(lambda tree: "/" in tree) == cache.snapshot()
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def wait() -> None:
                tree = await cache.wait_until(lambda tree: len(tree.children()) == 3)
                assert tree.children() == ["a", "b", "c"]

            for name in "abc":
                await until_quiet()
                grow(fake, f"/svc/{name}")
        with pytest.raises(ZeroDivisionError):
            await cache.wait_until(lambda tree: 1 / 0)


async def test_sync_waits_for_what_was_written_anywhere(autojump_clock, fake, zk):
    grow(fake, "/svc", "/other")
    async with zk.cache("/svc") as cache:
        stat = await zk.set("/other", b"")
        await cache.sync()
        assert cache.zxid >= stat.mzxid


async def test_a_root_that_may_not_be_read_ends_the_block(autojump_clock, fake, zk):
    fake.refuse_next(OpCode.GET_DATA, NoAuth.code)
    with pytest.raises(client.NoAuth):
        async with zk.cache("/svc"):
            raise AssertionError("there is nothing to show")
    grow(fake, "/svc")
    with pytest.raises(client.NoAuth):
        async with zk.cache("/svc"):
            fake.refuse_next(OpCode.GET_DATA, NoAuth.code)
            fake.tree.put("/svc", b"")
            await trio.sleep_forever()
    async with zk.cache("/svc") as cache:
        assert len(cache) == 1


async def test_what_may_not_be_read_is_left_out(autojump_clock, fake, zk):
    grow(fake, "/svc", "/svc/a")
    async with zk.cache("/svc") as cache:
        fake.refuse_next(OpCode.GET_DATA, NoAuth.code)
        fake.tree.put("/svc/a", b"secret")
        await cache.sync()
        assert list(cache) == ["/"]


async def test_the_errors_of_the_block_come_out_as_they_are(autojump_clock, fake, zk):
    with pytest.raises(ZeroDivisionError):
        async with zk.cache("/svc"):
            1 / 0  # noqa: B018


async def test_the_watches_are_taken_back_at_the_end(autojump_clock, servers, zk):
    grow(servers, "/svc", "/svc/a")
    async with zk.watch("/svc/a") as states:
        await anext(states)
        async with zk.cache("/svc"), zk.cache("/svc"):
            pass
        await trio.sleep(2)
        (connection,) = servers.connections
        assert (connection.recursive, connection.child) == (set(), set())
        assert connection.data == {"/svc/a"}


async def test_a_large_subtree_is_read_with_many_requests_under_way(autojump_clock, servers, zk):
    grow(servers, "/svc", *(f"/svc/{n}" for n in range(300)))
    async with zk.cache("/svc") as cache:
        assert len(cache) == 301
    assert servers.requests[OpCode.GET_DATA] <= 301 + 24  # some, when the old servers hung up


async def test_a_subtree_is_followed_state_by_state(autojump_clock, servers, zk):
    async with zk.watch_tree("/svc") as states:
        assert not await anext(states)
        grow(servers, "/svc", "/svc/a")
        assert list(await anext(states)) == ["/", "/a"]
        async with cut_off(servers):
            servers.tree.delete("/svc/a")
        assert list(await anext(states)) == ["/"]
        with trio.move_on_after(5) as scope:
            await anext(states)
        assert scope.cancelled_caught
        grow(servers, "/svc/b")
        assert list(await anext(states)) == ["/", "/b"]


async def test_a_slow_consumer_costs_a_mark_for_each_znode(autojump_clock, fake, zk):
    grow(fake, "/svc", "/svc/a", "/svc/b")
    async with zk.watch_tree("/svc") as states:
        await anext(states)
        before = fake.requests.total()
        for number in range(1000):
            fake.tree.put("/svc/a", b"%d" % number)
            fake.tree.put(f"/svc/{number}", b"")
            fake.tree.delete(f"/svc/{number}")
        await until_quiet()
        assert len(states._feed.mirror._needs) == 2
        tree = await anext(states)
        assert tree["/a"].data == b"999"
        assert fake.requests.total() - before == 2


async def test_an_error_of_a_subtree_is_raised_and_the_state_stays_due(autojump_clock, fake, zk):
    grow(fake, "/svc")
    fake.refuse_next(OpCode.GET_DATA, NoAuth.code)
    states = zk.watch_tree("/svc")
    with pytest.raises(client.NoAuth):
        await anext(states)
    assert list(await anext(states)) == ["/"]
