"""Read/write locks: who shares, who is alone, in which order, and upgrades."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio

import client
from tests.client.quiet import until_quiet

LAYOUTS = ["coord", "kazoo", "curator"]


class Room:
    """Who is inside, and the order in which they came."""

    def __init__(self) -> None:
        self.inside: set[str] = set()
        self.came: list[str] = []

    async def stay(self, name: str, lock, seconds: float = 1.0) -> None:
        async with lock:
            self.came.append(name)
            self.inside.add(name)
            assert len(self.inside) == 1 or all(each.startswith("r") for each in self.inside)
            await trio.sleep(seconds)
            self.inside.remove(name)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_readers_share_and_writers_are_alone_in_the_order_they_came(
    autojump_clock, fake, zk, layout
):
    room = Room()
    async with fake.connect() as two, fake.connect() as three, trio.open_nursery() as nursery:
        for number, name in enumerate(["r1", "r2", "w1", "r3", "w2", "r4", "r5"]):
            who = (zk, two, three)[number % 3]
            take = who.read_lock if name.startswith("r") else who.write_lock
            nursery.start_soon(room.stay, name, take("/x", layout=layout))
            await trio.sleep(0.01)
            await until_quiet()
        await trio.sleep(0.5)
        assert room.inside == {"r1", "r2"}
    assert room.came[:5] == ["r1", "r2", "w1", "r3", "w2"]
    assert sorted(room.came[5:]) == ["r4", "r5"]
    assert 5 < trio.current_time() < 5.5
    assert fake.tree.names("/x") == []


async def test_our_lock_is_the_write_lock_and_kazoos_does_not_see_readers(autojump_clock, fake, zk):
    async with zk.read_lock("/x"):
        with pytest.raises(trio.WouldBlock):
            async with zk.lock("/x", wait=False):
                raise AssertionError
    async with (
        zk.read_lock("/k", layout="kazoo"),
        zk.lock("/k", layout="kazoo", wait=False),
    ):
        pass


async def test_trying_looks_first_and_creates_nothing_in_vain(autojump_clock, fake, zk):
    async with zk.read_lock("/x"):
        async with zk.read_lock("/x", wait=False):
            pass
        zxid = fake.tree.zxid
        with pytest.raises(trio.WouldBlock):
            async with zk.write_lock("/x", wait=False):
                raise AssertionError
        assert fake.tree.zxid == zxid
    async with zk.write_lock("/x"):
        zxid = fake.tree.zxid
        with pytest.raises(trio.WouldBlock):
            async with zk.read_lock("/x", wait=False):
                raise AssertionError
        assert fake.tree.zxid == zxid


async def test_a_reader_is_woken_by_nobody_but_the_writer_before_it(autojump_clock, fake, zk):
    # Neither by readers that leave nor by those that come behind.
    room = Room()
    async with fake.connect() as other, trio.open_nursery() as nursery:
        nursery.start_soon(room.stay, "r1", other.read_lock("/x"), 1)
        nursery.start_soon(room.stay, "r2", other.read_lock("/x"), 20)
        await trio.sleep(0.1)
        nursery.start_soon(room.stay, "w", other.write_lock("/x"), 1)
        await trio.sleep(0.1)
        nursery.start_soon(room.stay, "r3", zk.read_lock("/x"), 1)
        await trio.sleep(0.1)
        ours = next(c for c in fake.connections if c.session.id == zk.session.id)
        (watched,) = ours.data
        await trio.sleep(10)
        assert ours.data == {watched}
    assert room.came[-2:] == ["w", "r3"]


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_an_upgrade_waits_for_the_readers_and_is_not_given_up_in_between(
    autojump_clock, fake, zk, layout
):
    came = []
    async with fake.connect() as other, trio.open_nursery() as nursery:

        async def upgrade() -> None:
            async with zk.read_lock("/x", layout=layout) as reading:
                await trio.sleep(0.3)
                async with reading.upgrade() as alone:
                    came.append(("upgraded", trio.current_time()))
                    assert alone.token > reading.token
                    await trio.sleep(5)
                came.append(("reads again", trio.current_time()))
                await trio.sleep(1)

        async def read() -> None:
            async with other.read_lock("/x", layout=layout):
                await trio.sleep(2)
                came.append(("reader leaves", trio.current_time()))

        async def write() -> None:
            async with other.write_lock("/x", layout=layout):
                came.append(("writer", trio.current_time()))

        nursery.start_soon(upgrade)
        nursery.start_soon(read)
        await trio.sleep(0.5)
        nursery.start_soon(write)
    assert [what for what, _ in came] == ["reader leaves", "upgraded", "reads again", "writer"]
    assert came[3][1] - came[2][1] >= 1
    assert fake.tree.names("/x") == []


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_of_two_that_upgrade_the_second_is_told_that_it_would_deadlock(
    autojump_clock, fake, zk, layout
):
    async with fake.connect() as other, trio.open_nursery() as nursery:
        upgraded = trio.Event()

        async def first() -> None:
            async with (
                zk.read_lock("/x", layout=layout) as reading,
                reading.upgrade(),
            ):
                upgraded.set()

        with pytest.raises(client.WouldDeadlock):
            async with other.read_lock("/x", layout=layout) as reading:
                nursery.start_soon(first)
                await trio.sleep(1)
                assert not upgraded.is_set()
                async with reading.upgrade():
                    raise AssertionError
        with trio.fail_after(1):
            await upgraded.wait()


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_an_upgrade_behind_one_that_waits_to_write_would_deadlock(
    autojump_clock, fake, zk, layout
):
    async with fake.connect() as other, trio.open_nursery() as nursery:

        async def write() -> None:
            async with other.write_lock("/x", layout=layout):
                pass

        async with zk.read_lock("/x", layout=layout) as reading:
            nursery.start_soon(write)
            await trio.sleep(1)
            with pytest.raises(client.WouldDeadlock):
                async with reading.upgrade():
                    raise AssertionError
            reading.check()
            assert len(fake.tree.names("/x")) == 2


async def test_an_upgrade_that_is_tried_would_block_beside_readers(autojump_clock, fake, zk):
    async with fake.connect() as other, zk.read_lock("/x") as reading:
        async with other.read_lock("/x"):
            zxid = fake.tree.zxid
            with pytest.raises(trio.WouldBlock):
                async with reading.upgrade(wait=False):
                    raise AssertionError
            assert fake.tree.zxid == zxid
        async with reading.upgrade(wait=False):
            with pytest.raises(trio.WouldBlock):
                async with other.read_lock("/x", wait=False):
                    raise AssertionError
        reading.check()


async def test_an_upgrade_ends_with_the_lock_it_stands_on(autojump_clock, fake, zk):
    async with fake.connect() as other, other.read_lock("/x"):
        with pytest.raises(client.LockLost, match="/x"):
            async with zk.read_lock("/x") as reading, trio.open_nursery() as nursery:
                nursery.start_soon(expire_soon, fake, zk.session.id)
                async with reading.upgrade():
                    raise AssertionError
        await trio.sleep(1)
        assert len(fake.tree.names("/x")) == 1


async def expire_soon(fake, session_id: int) -> None:
    await trio.sleep(1)
    fake.expire(session_id)


async def test_a_task_that_reads_does_not_wait_for_itself_to_write(autojump_clock, fake, zk):
    async with zk.read_lock("/x"):
        with pytest.raises(RuntimeError, match="itself"):
            async with zk.write_lock("/x"):
                raise AssertionError
        with pytest.raises(RuntimeError, match="itself"):
            async with zk.read_lock("/x"):
                raise AssertionError


async def test_go_zookeeper_has_no_such_lock(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="coord, curator, kazoo"):
        zk.read_lock("/x", layout="zk")
