"""The operations, against the fake ensemble; `test_servers.py` asks real servers."""

# ruff: noqa: PT012  (what raises is the whole block)

import datetime

import pytest
import trio

import client
from coord.wire.numbers import OpCode


async def test_a_znode_is_created_read_set_and_deleted(autojump_clock, fake, zk):
    assert await zk.create("/a", b"1") == "/a"
    data, stat = await zk.get("/a")
    assert data == b"1"
    assert (await zk.set("/a", b"2", stat.version)).version == 1
    await zk.delete("/a", 1)
    assert await zk.exists("/a") is None


async def test_errors_are_those_of_the_wire_and_name_the_path(autojump_clock, fake, zk):
    with pytest.raises(client.NoNode, match="/a"):
        await zk.get("/a")
    await zk.create("/a")
    with pytest.raises(client.BadVersion):
        await zk.set("/a", b"", 7)
    with pytest.raises(client.NodeExists):
        await zk.create("/a")


async def test_create_can_make_ancestors_and_return_a_stat(autojump_clock, fake, zk):
    path, stat = await zk.create("/a/b/c", b"x", makepath=True, include_data=True)
    assert path == "/a/b/c"
    assert stat == (await zk.get("/a/b/c")).stat


async def test_sequential_znodes_are_numbered(autojump_clock, fake, zk):
    await zk.create("/a")
    assert await zk.create("/a/n-", sequence=True) == "/a/n-0000000000"
    assert await zk.create("/a/", sequence=True) == "/a/0000000001"
    root = await zk.create("/", sequence=True)
    assert root[1:].isdigit()


async def test_kinds_of_znodes_exclude_each_other(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="ephemeral"):
        await zk.create("/a", ephemeral=True, ttl=1.0)
    with pytest.raises(ValueError, match="number"):
        await zk.create("/a", container=True, sequence=True)


@pytest.mark.parametrize("path", ["", "a", "/a/", "//a", "/a//b"])
async def test_what_is_no_path_is_refused_here(autojump_clock, fake, zk, path):
    with pytest.raises(ValueError, match="no path"):
        await zk.get(path)


async def test_a_null_reads_as_no_bytes(autojump_clock, fake, zk):
    await zk.create("/a")
    fake.tree.put("/a", None)
    assert (await zk.get("/a")).data == b""


async def test_times_are_datetimes(autojump_clock, fake, zk):
    await zk.create("/a")
    stat = await zk.exists("/a")
    seconds = fake.tree.nodes["/a"].stat().ctime / 1000
    assert stat.ctime == datetime.datetime.fromtimestamp(seconds, datetime.UTC)


async def test_delete_recursive_takes_all_and_does_not_mind_nothing(autojump_clock, fake, zk):
    await zk.create("/a/b/c/d", makepath=True)
    await zk.create("/a/e")
    await zk.delete("/a", recursive=True)
    await zk.delete("/a", recursive=True)
    assert fake.tree.names("/") == []


async def test_a_chroot_is_put_before_every_path_and_taken_off_again(autojump_clock, fake, zk):
    async with fake.connect("one:1/app/x") as inner:
        await inner.create("/", makepath=True)
        await inner.create("/e", ephemeral=True)
        assert fake.tree.names("/app/x") == ["e"]
        assert await inner.get_children("/") == ["e"]
        assert await inner.get_ephemerals() == ["/e"]
        assert await inner.get_all_children_number("/") == 1
        async with inner.transaction() as both:
            both.create("/s-", sequence=True)
            both.set_data("/", b"z")
        assert both.results[0] == "/s-0000000001"
    assert (await zk.get("/app/x")).data == b"z"


async def test_a_transaction_is_done_as_a_whole(autojump_clock, fake, zk):
    both = zk.transaction()
    both.create("/a", b"1")
    both.create("/a/b", b"2")
    both.set_data("/a", b"3", 0)
    both.check("/a", 1)
    both.delete("/a/b")
    path, child, stat, checked, gone = await both.commit()
    assert (path, child, checked, gone) == ("/a", "/a/b", None, None)
    assert stat.version == 1


async def test_a_transaction_that_fails_does_nothing_and_says_where(autojump_clock, fake, zk):
    await zk.create("/a")
    with pytest.raises(client.BadVersion) as caught:
        async with zk.transaction() as both:
            both.create("/b")
            both.set_data("/a", b"", 7)
            both.create("/c")
    assert "operation 2 of 3 (set_data /a)" in caught.value.__notes__[0]
    assert fake.tree.names("/") == ["a"]


async def test_a_transaction_left_by_an_error_is_not_committed(autojump_clock, fake, zk):
    with pytest.raises(KeyError):
        async with zk.transaction() as both:
            both.create("/b")
            raise KeyError
    assert fake.requests[OpCode.MULTI] == 0


async def test_acls_are_read_and_replaced(autojump_clock, fake, zk):
    await zk.create("/a")
    assert (await zk.get_acls("/a"))[0] == list(client.OPEN_ACL)
    permissions = client.Permission.READ | client.Permission.ADMIN
    readable = [client.Acl(permissions, client.Id("world", "anyone"))]
    assert (await zk.set_acls("/a", readable, 0)).aversion == 1
    with pytest.raises(client.BadVersion):
        await zk.set_acls("/a", readable, 0)
    assert (await zk.get_acls("/a"))[0] == readable


async def test_requests_of_many_tasks_share_the_connection(autojump_clock, fake, zk):
    await zk.create("/a")

    async def add() -> None:
        await zk.create("/a/n-", sequence=True)

    async with trio.open_nursery() as nursery:
        for _ in range(500):
            nursery.start_soon(add)
    assert len(await zk.get_children("/a")) == 500
