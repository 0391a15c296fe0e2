"""Several locks at once, the tasks of one client in line, and who is seen to hold and to wait."""

# ruff: noqa: PT012  (what raises is the whole block)

import datetime

import pytest
import trio

import client
from client.recipes.layouts import ELECTIONS, LOCKS, SHARED, Contender
from coord.wire.numbers import OpCode


async def test_several_locks_come_all_in_the_order_of_their_paths(autojump_clock, fake, zk):
    async with zk.lock_all(["/b", "/a", "/c"], b"me") as helds:
        assert [each.path for each in helds] == ["/a", "/b", "/c"]
        assert all(len(fake.tree.names(each.path)) == 1 for each in helds)
        async with zk.transaction() as guarded:
            for each in helds:
                guarded.add(each.guard())
    assert [fake.tree.names(path) for path in ("/a", "/b", "/c")] == [[], [], []]


async def test_those_who_want_the_same_locks_do_not_wait_in_a_circle(autojump_clock, fake, zk):
    async with fake.connect() as other, trio.open_nursery() as nursery:

        async def take(who: client.Client, paths: list[str]) -> None:
            for _ in range(5):
                async with who.lock_all(paths):
                    await trio.sleep(1)

        nursery.start_soon(take, zk, ["/a", "/b"])
        nursery.start_soon(take, other, ["/b", "/a"])
    assert trio.current_time() < 11


async def test_when_one_of_several_is_taken_none_is_kept(autojump_clock, fake, zk):
    async with fake.connect() as other, other.lock("/b"):
        with pytest.raises(trio.WouldBlock):
            async with zk.lock_all(["/a", "/b"], wait=False):
                raise AssertionError
        assert fake.tree.names("/a") == []
        with trio.move_on_after(1):
            async with zk.lock_all(["/a", "/b"]):
                raise AssertionError
        assert fake.tree.names("/a") == []


async def test_the_loss_of_one_of_several_ends_the_body(autojump_clock, fake, zk):
    with pytest.raises(client.LockLost, match="/a"):
        async with zk.lock_all(["/a", "/b"]):
            fake.tree.delete("/a/" + fake.tree.names("/a")[0])
            await trio.sleep_forever()
    assert fake.tree.names("/b") == []


async def test_a_lock_that_is_named_twice_is_an_error(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="twice"):
        zk.lock_all(["/a", "/b", "/a"])


async def test_tasks_of_one_client_stand_in_line_with_one_znode(autojump_clock, fake, zk):
    order = []

    async def contend(number: int) -> None:
        async with zk.lock("/x"):
            order.append(number)
            assert len(fake.tree.names("/x")) == 1
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(contend, number)
            await trio.sleep(0.01)
        assert len(fake.tree.names("/x")) == 1
    assert order == list(range(10))
    assert zk._lines._lines == {}


async def test_clients_take_turns_however_many_tasks_they_have(autojump_clock, fake, zk):
    order = []

    async def contend(who: client.Client, name: str) -> None:
        async with who.lock("/x"):
            order.append(name)
            await trio.sleep(1)

    async with fake.connect() as other, trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(contend, zk, "many")
        await trio.sleep(0.1)
        nursery.start_soon(contend, other, "one")
    assert order.index("one") == 1


async def test_one_that_gives_up_in_line_lets_the_others_through(autojump_clock, fake, zk):
    async with trio.open_nursery() as nursery, zk.lock("/x"):
        with trio.CancelScope() as scope:
            scope.cancel()
            async with zk.lock("/y"):
                raise AssertionError

        async def give_up() -> None:
            with trio.move_on_after(1):
                async with zk.lock("/x"):
                    raise AssertionError

        nursery.start_soon(give_up)
        await trio.sleep(2)
    async with zk.lock("/x", wait=False), zk.lock("/y", wait=False):
        pass
    assert zk._lines._lines == {}


async def test_a_task_that_tries_in_vain_beside_another_asks_no_server(autojump_clock, fake, zk):
    async with zk.lock("/x"):
        before = sum(fake.requests.values())
        with pytest.raises(trio.WouldBlock):
            async with zk.lock("/x", wait=False):
                raise AssertionError
        assert sum(fake.requests.values()) == before


async def test_trying_in_vain_writes_nothing(autojump_clock, fake, zk):
    async with fake.connect() as other, other.lock("/x"):
        zxid = fake.tree.zxid
        with pytest.raises(trio.WouldBlock):
            async with zk.lock("/x", wait=False):
                raise AssertionError
        assert fake.tree.zxid == zxid


async def test_holders_and_those_that_wait_can_be_seen(autojump_clock, fake, zk):
    async with fake.connect() as other, trio.open_nursery() as nursery:

        async def wait_for_it(lock) -> None:
            async with lock:
                await trio.sleep_forever()

        async with zk.read_lock("/x", b"reader"):
            nursery.start_soon(wait_for_it, other.read_lock("/x", b"another"))
            await trio.sleep(1)
            nursery.start_soon(wait_for_it, other.write_lock("/x", b"writer"))
            await trio.sleep(1)
            nursery.start_soon(wait_for_it, zk.read_lock("/x", b"late"))
            await trio.sleep(1)
            lock = await other.describe_lock("/x")
            assert [(each.kind, each.data) for each in lock.holders] == [
                ("read", b"reader"),
                ("read", b"another"),
            ]
            assert [(each.kind, each.data) for each in lock.waiting] == [
                ("write", b"writer"),
                ("read", b"late"),
            ]
            first = lock.holders[0]
            assert first.session_id == zk.session.id
            (node,) = (n for n in fake.tree.nodes.values() if n.data == b"reader")
            assert first.token == node.czxid
            assert first.age_seconds(first.since + datetime.timedelta(seconds=5)) == 5
        nursery.cancel_scope.cancel()
    assert (await zk.describe_lock("/x")).holders == ()


async def test_an_upgraded_reader_is_seen_to_hold(autojump_clock, fake, zk):
    async with zk.read_lock("/x"), fake.connect() as other:
        async with trio.open_nursery() as nursery:

            async def upgrade() -> None:
                async with other.read_lock("/x") as reading, reading.upgrade():
                    await trio.sleep_forever()

            nursery.start_soon(upgrade)
            await trio.sleep(1)
            assert [each.kind for each in (await zk.describe_lock("/x")).waiting] == ["upgrade"]
            nursery.cancel_scope.cancel()
        async with other.read_lock("/y") as reading, reading.upgrade():
            kinds = [each.kind for each in (await zk.describe_lock("/y")).holders]
            assert kinds == ["read", "upgrade"]


@pytest.mark.parametrize("layout", ["kazoo", "curator", "zk"])
async def test_locks_of_other_layouts_can_be_seen(autojump_clock, fake, zk, layout):
    async with zk.lock("/x", b"me", layout=layout):
        (holder,) = (await zk.describe_lock("/x", layout=layout)).holders
        assert (holder.kind, holder.data) == ("write", b"me")


@pytest.mark.parametrize("table", [LOCKS, SHARED, ELECTIONS])
def test_each_name_of_a_layout_is_read_as_what_it_is(table):
    for layout in table.values():
        for kind in layout.prefixes:
            # ZooKeeper's servers with ids above 127 give sessions with negative ids.
            for session, number in ((1, 0), (-5, 12), (7, -2_147_483_648)):
                name = layout.prefix(kind, layout.marker(), session) + f"{number:010d}"
                assert layout.parse(name) == Contender(number, name, kind)
                assert layout.parse(name).kind == kind
        assert layout.parse("something-else") is None


async def test_a_lock_costs_one_look_and_two_writes(autojump_clock, fake, zk):
    await zk.ensure_path("/x")
    before = fake.requests.copy()
    async with zk.lock("/x"):
        pass
    sent = fake.requests - before
    assert sent[OpCode.CREATE2] + sent[OpCode.DELETE] == 2
    assert sent[OpCode.GET_CHILDREN2] == 1
