"""The client against real servers: ZooKeeper where it is installed, and coord."""

# ruff: noqa: PT012  (what raises is the whole block)

from contextlib import suppress

import attrs
import pytest
import trio

import client
from coord.wire.connection import ClientConnection, Reply
from coord.wire.numbers import EventType, OpCode
from coord.wire.records import ConnectRequest
from coord.wire.requests import CloseSessionRequest


@pytest.fixture
async def zk(hosts):
    async with client.connect(hosts, session_timeout=4) as connected:
        yield connected


async def end_session(zk: client.Client, hosts: str) -> None:
    """Close a session behind its client's back, as an expiry would.

    The client may come back in between, and take the session from here.
    """
    session = zk.session
    while not await closes(session, client.ClientConfig.of(hosts).hosts.addresses[0]):
        pass


async def closes(session: client.Session, address: tuple[str, int]) -> bool:
    """Try to close a session over a connection of its own."""
    async with await trio.open_tcp_stream(*address) as stream:
        wire = ClientConnection()
        hello = ConnectRequest(0, 0, 4000, session.id, session.password, read_only=False)
        await stream.send_all(wire.connect_frame(hello))
        with suppress(trio.BrokenResourceError):
            while data := bytes(await stream.receive_some()):
                for event in wire.receive(data):
                    if isinstance(event, Reply):
                        return True
                    goodbye = wire.encode_request(1, OpCode.CLOSE_SESSION, CloseSessionRequest())
                    await stream.send_all(goodbye)
    return False


async def test_znodes_are_created_read_set_and_deleted(zk):
    path, created = await zk.create("/a/b", b"1", makepath=True, include_data=True)
    assert path == "/a/b"
    data, stat = await zk.get("/a/b")
    assert (data, stat) == (b"1", created)
    stat = await zk.set("/a/b", b"22", 0)
    assert (stat.version, stat.data_length) == (1, 2)
    assert stat.mtime >= stat.ctime
    with pytest.raises(client.BadVersion):
        await zk.set("/a/b", b"", 0)
    with pytest.raises(client.NotEmpty):
        await zk.delete("/a")
    assert await zk.get_children("/a") == ["b"]
    assert await zk.get_children("/a", include_data=True) == (["b"], await zk.exists("/a"))
    await zk.delete("/a", recursive=True)
    assert await zk.exists("/a") is None
    assert await zk.sync("/") == "/"


async def test_every_kind_of_znode_can_be_made(zk):
    assert await zk.create("/n-", sequence=True) == "/n-0000000000"
    assert await zk.create("/e", ephemeral=True) == "/e"
    assert await zk.create("/e-", ephemeral=True, sequence=True) == "/e-0000000002"
    assert await zk.create("/c", container=True) == "/c"
    assert await zk.create("/t", ttl=60.0) == "/t"
    assert await zk.create("/t-", ttl=60.0, sequence=True) == "/t-0000000005"
    assert await zk.get_ephemerals() == ["/e", "/e-0000000002"]
    assert await zk.get_all_children_number("/") == 6
    assert (await zk.exists("/e")).ephemeral_owner == zk.session.id
    with pytest.raises(client.NoChildrenForEphemerals):
        await zk.create("/e/x")


async def test_transactions_are_done_as_a_whole(zk):
    async with zk.transaction() as both:
        both.create("/a", b"1")
        both.create("/a/n-", sequence=True)
        both.set_data("/a", b"2", 0)
        both.check("/a", 1)
        both.create("/a/c", container=True)
        both.create("/a/t", ttl=60.0)
    path, child, stat, checked, *others = both.results
    assert (path, child, checked) == ("/a", "/a/n-0000000000", None)
    assert others == ["/a/c", "/a/t"]
    assert stat.version == 1
    with pytest.raises(client.BadVersion, match="/a"):
        async with zk.transaction() as both:
            both.create("/b")
            both.check("/a", 7)
    assert await zk.exists("/b") is None


async def test_identities_and_permissions(zk, hosts):
    await zk.add_auth("digest", "ann:secret")
    assert ("digest", "ann") in await zk.who_am_i()
    everything = client.Permission.ALL
    await zk.create("/p", b"1", [client.Acl(everything, client.Id("auth", ""))])
    acls, stat = await zk.get_acls("/p")
    assert acls[0].id.scheme == "digest"
    assert stat.aversion == 0
    async with client.connect(hosts) as stranger:
        with pytest.raises(client.NoAuth):
            await stranger.get("/p")
    async with client.connect(hosts, auth=[("digest", "ann:secret")]) as ann:
        assert (await ann.get("/p")).data == b"1"
        assert (await ann.set_acls("/p", client.OPEN_ACL)).aversion == 1


async def test_states_of_a_znode_are_followed(zk, hosts):
    async with client.connect(hosts) as other, zk.watch("/a") as states:
        assert await anext(states) is None
        await other.create("/a", b"1")
        assert (await anext(states)).data == b"1"
        for number in range(20):
            await other.set("/a", b"%d" % number)
        last = None
        while last != b"19":
            last = (await anext(states)).data
        await other.delete("/a")
        assert await anext(states) is None


async def test_states_of_children_are_followed(zk):
    async with zk.watch_children("/a") as states:
        assert await anext(states) is None
        await zk.create("/a")
        assert await anext(states) == []
        await zk.create("/a/y")
        assert await anext(states) == ["y"]
        await zk.create("/a/x")
        assert await anext(states) == ["x", "y"]


async def test_events_of_a_subtree_are_told(zk):
    async with zk.events("/a", recursive=True) as events:
        assert await anext(events) == client.Resynced(gap=False)
        await zk.create("/a")
        await zk.create("/a/b")
        await zk.set("/a/b", b"1")
        await zk.delete("/a/b")
        told = [await anext(events) for _ in range(4)]
    assert [(event.kind, event.path) for event in told] == [
        (EventType.NODE_CREATED, "/a"),
        (EventType.NODE_CREATED, "/a/b"),
        (EventType.NODE_DATA_CHANGED, "/a/b"),
        (EventType.NODE_DELETED, "/a/b"),
    ]


async def test_states_and_events_of_one_znode_do_not_disturb_each_other(zk):
    async with zk.watch("/a") as states, zk.events("/a") as events:
        await anext(events)
        assert await anext(states) is None
        for number in range(3):
            await zk.create("/a", b"%d" % number)
            assert (await anext(states)).data == b"%d" % number
            await zk.delete("/a")
            assert await anext(states) is None
        assert len([await anext(events) for _ in range(6)]) == 6


async def test_watches_go_on_after_the_session_was_ended(zk, hosts):
    async with zk.watch("/a") as states, zk.events("/a") as events:
        assert await anext(states) is None
        await anext(events)
        before = zk.session
        await end_session(zk, hosts)
        await zk.create("/a", b"1")
        assert zk.session is not before
        assert (await anext(states)).data == b"1"
        assert await anext(events) == client.Resynced(gap=True)


async def test_a_session_is_resumed_on_a_new_connection(hosts):
    streams = []

    async def open_stream(host: str, port: int) -> trio.SocketStream:
        streams.append(await trio.open_tcp_stream(host, port))
        return streams[-1]

    async with client.connect(hosts, open_stream=open_stream) as zk:
        before = zk.session.id
        await zk.create("/e", ephemeral=True)
        async with zk.lock("/x") as held:
            await streams[-1].aclose()
            await zk.set("/e", b"1")
            held.check()
        assert zk.session.id == before
        assert (await zk.exists("/e")).ephemeral_owner == before
        assert len(streams) == 2


@pytest.mark.parametrize("layout", ["coord", "kazoo", "curator", "zk"])
async def test_locks_exclude_each_other_and_tokens_grow(zk, hosts, layout):
    tokens = []
    inside = 0

    async def contend(contender: client.Client) -> None:
        nonlocal inside
        for _ in range(3):
            async with contender.lock("/x", layout=layout) as held:
                inside += 1
                assert inside == 1
                tokens.append(held.token)
                async with contender.transaction() as guarded:
                    guarded.add(held.guard())
                    guarded.set_data("/", b"%d" % held.token)
                inside -= 1

    async with client.connect(hosts) as other, trio.open_nursery() as nursery:
        for contender in (zk, other, zk, other):
            nursery.start_soon(contend, contender)
    assert tokens == sorted(tokens)
    assert len(tokens) == 12
    await zk.sync()
    assert await zk.get_children("/x") == []


async def test_a_lock_ends_with_its_session(zk, hosts):
    with pytest.raises(client.LockLost):
        async with zk.lock("/x"):
            await end_session(zk, hosts)
            await trio.sleep_forever()
    async with client.connect(hosts) as other, other.lock("/x", wait=False):
        pass


async def test_read_locks_semaphores_and_bound_operations_work_at_real_servers(zk, hosts):
    async with client.connect(hosts) as other:
        async with zk.read_lock("/x", b"r") as ours, other.read_lock("/x"):
            with pytest.raises(trio.WouldBlock):
                async with ours.upgrade(wait=False):
                    raise AssertionError
            lock = await zk.describe_lock("/x")
            assert [each.kind for each in lock.holders] == ["read", "read"]
            assert lock.holders[0].session_id == zk.session.id
        async with zk.read_lock("/x") as ours, ours.upgrade() as alone:
            path, stat = await alone.client.create("/a/b", b"1", makepath=True, include_data=True)
            assert (path, stat.data_length) == ("/a/b", 1)
            async with alone.transaction() as both:
                both.set_data("/a/b", b"2")
                both.delete("/a/b")
            assert both.results[1] is None
        async with zk.semaphore("/s", 2), other.semaphore("/s", 2):
            with pytest.raises(trio.WouldBlock):
                async with zk.semaphore("/s", wait=False):
                    raise AssertionError
            await other.set_limit("/s", 3)
            async with zk.semaphore("/s", wait=False) as held:
                await zk.fence("/fence").admit(held.token)
        with pytest.raises(client.StaleToken):
            await zk.fence("/fence").admit(held.token - 1)


async def test_a_leader_is_elected_and_observed(zk, hosts):
    async with client.connect(hosts) as other, other.observe("/svc") as leaders:
        assert await anext(leaders) is None
        async with zk.lead("/svc", b"here") as term:
            assert await anext(leaders) == client.Leader(b"here", term.token)
        assert await anext(leaders) is None


async def test_a_configuration_is_followed(zk):
    @attrs.frozen
    class App:
        name: str
        size: int = 1

    async with zk.config("/app", App) as states:
        assert isinstance(await anext(states), client.BadConfig)
        await zk.create("/app", b'{"name": "a"}')
        assert await anext(states) == App("a")
        await zk.set("/app", b'{"name": "a", "size": "big"}')
        bad = await anext(states)
        assert bad.last_good == App("a")
        assert "$.size" in bad.problems[0]


async def test_many_requests_at_once(zk):
    async def write(number: int) -> None:
        await zk.create(f"/n{number}", b"x" * number)
        assert (await zk.get(f"/n{number}")).stat.data_length == number

    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(write, number)
    assert len(await zk.get_children("/")) == 300


async def test_a_batch_gives_each_request_its_outcome(zk):
    async with zk.batch() as batch:
        made = [batch.create("/n-", b"%d" % number, sequence=True) for number in range(100)]
        read = [batch.get(f"/n-{number:010}") for number in range(101)]
        names, stat = batch.get_children("/"), batch.exists("/n-0000000007")
        changed, gone = batch.set("/n-0000000007", b"seven", 0), batch.delete("/n-0000000008")
    assert [each.result() for each in made] == [f"/n-{number:010}" for number in range(100)]
    assert [each.result().data for each in read[:100]] == [b"%d" % n for n in range(100)]
    with pytest.raises(client.NoNode):
        read[100].result()
    assert (len(names.result()), stat.result().data_length) == (100, 1)
    assert (changed.result().version, gone.result()) == (1, None)


async def test_a_snapshot_reads_at_one_moment(zk):
    await zk.create("/a/b", b"1", makepath=True)
    snapshot = zk.snapshot()
    snapshot.get("/a/b")
    snapshot.get_children("/a")
    snapshot.get("/none")
    znode, names, error = await snapshot.read()
    assert znode == await zk.get("/a/b")
    assert names == ["b"]
    assert isinstance(error, client.NoNode)


async def test_watches_are_checked_and_removed(zk):
    assert not await zk.check_watches("/")
    await zk.add_watch("/", recursive=True)
    assert await zk.check_watches("/")
    await zk.remove_watches("/")
    with pytest.raises(client.NoWatcher):
        await zk.remove_watches("/")


async def test_the_configuration_is_read_and_its_change_refused_where_it_is_switched_off(zk):
    znode = await zk.get_config()
    assert znode.stat.ephemeral_owner == 0
    # A server that stands alone does not even look whether it is switched on.
    with pytest.raises((client.ReconfigDisabled, client.Unimplemented)):
        await zk.reconfig(leaving="1")
