"""Semaphores: as many inside as the limit says, which can change; fair, and without a herd."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio

import client
from coord.wire.numbers import OpCode

LAYOUTS = ["coord", "kazoo", "curator"]


class Room:
    """How many are inside, how many were at most, and the order in which they came."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.came: list[int] = []

    async def stay(self, number: int, permit, seconds: float = 1.0) -> None:
        async with permit:
            self.came.append(number)
            self.inside += 1
            self.most = max(self.most, self.inside)
            await trio.sleep(seconds)
            self.inside -= 1


def ephemerals(fake) -> list[str]:
    return [path for path, node in fake.tree.nodes.items() if node.owner]


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_as_many_are_inside_as_the_limit_says(autojump_clock, fake, zk, layout):
    room = Room()
    async with fake.connect() as other, trio.open_nursery() as nursery:
        for number in range(8):
            who = (zk, other)[number % 2]
            permit = who.semaphore("/s", 3, layout=layout)
            nursery.start_soon(room.stay, number, permit)
            await trio.sleep(0.01)
        await trio.sleep(0.1)
        assert room.inside == 3
    assert room.most == 3
    assert sorted(room.came) == list(range(8))
    assert room.came[:3] == [0, 1, 2]
    assert 3 < trio.current_time() < 3.7
    assert ephemerals(fake) == []


async def test_any_permit_that_comes_back_is_taken_at_once(autojump_clock, fake, zk):
    # Not only that of the one that came a limit's number of places before.
    room = Room()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.stay, 0, zk.semaphore("/s", 2), 100)
        await trio.sleep(0.1)
        nursery.start_soon(room.stay, 1, zk.semaphore("/s", 2), 1)
        await trio.sleep(0.1)
        nursery.start_soon(room.stay, 2, zk.semaphore("/s", 2), 1)
        await trio.sleep(1.5)
        assert room.came == [0, 1, 2]
        nursery.cancel_scope.cancel()


async def test_a_raised_limit_lets_more_in_at_once(autojump_clock, fake, zk):
    room = Room()
    async with fake.connect() as other, trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(room.stay, number, zk.semaphore("/s", 1), 100)
        await trio.sleep(1)
        assert room.inside == 1
        await other.set_limit("/s", 3)
        await trio.sleep(1)
        assert room.inside == 3
        nursery.cancel_scope.cancel()


async def test_a_lowered_limit_takes_nothing_away_and_holds_from_then_on(autojump_clock, fake, zk):
    room = Room()
    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(room.stay, number, zk.semaphore("/s", 4), 10 * (number + 1))
            await trio.sleep(0.1)
        await trio.sleep(0.5)
        assert room.inside == 4
        await zk.set_limit("/s", 2)
        nursery.start_soon(room.stay, 4, zk.semaphore("/s"), 1)
        await trio.sleep(25)
        assert room.inside == 2
        assert room.came == [0, 1, 2, 3]
        await trio.sleep(5)
        assert room.came == [0, 1, 2, 3, 4]


async def test_the_limit_that_stands_there_counts(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="no limit yet"):
        async with zk.semaphore("/s"):
            raise AssertionError
    async with zk.semaphore("/s", 1):
        with pytest.raises(trio.WouldBlock):
            async with zk.semaphore("/s", 5, wait=False):
                raise AssertionError
    assert (await zk.get("/s")).data == b"1"
    assert ephemerals(fake) == []


async def test_a_limit_is_a_number_from_one_and_curators_must_be_told(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="admits 0"):
        zk.semaphore("/s", 0)
    with pytest.raises(ValueError, match="must be given"):
        zk.semaphore("/s", layout="curator")
    with pytest.raises(ValueError, match="no semaphore"):
        zk.semaphore("/s", 1, layout="zk")


async def test_trying_looks_first_and_creates_nothing_in_vain(autojump_clock, fake, zk):
    async with zk.semaphore("/s", 1):
        zxid = fake.tree.zxid
        with pytest.raises(trio.WouldBlock):
            async with zk.semaphore("/s", 1, wait=False):
                raise AssertionError
        assert fake.tree.zxid == zxid
    async with zk.semaphore("/s", 1, wait=False):
        pass


async def test_one_that_leaves_wakes_one_only(autojump_clock, fake, zk):
    room = Room()
    async with trio.open_nursery() as nursery:
        clients = [await nursery.start(client_of, fake) for _ in range(10)]
        async with zk.semaphore("/s", 1):
            for number, each in enumerate(clients):
                nursery.start_soon(room.stay, number, each.semaphore("/s", 1))
            await trio.sleep(1)
            before = fake.requests[OpCode.GET_CHILDREN2]
        await trio.sleep(0.5)
        # The one in the door counts the permits, and the next one looks who is in the door.
        assert fake.requests[OpCode.GET_CHILDREN2] - before <= 4
        nursery.cancel_scope.cancel()


async def client_of(fake, task_status: trio.TaskStatus[client.Client]) -> None:
    async with fake.connect() as zk:
        task_status.started(zk)
        await trio.sleep_forever()


async def test_a_permit_ends_with_its_session_and_goes_to_the_next(autojump_clock, fake, zk):
    async with fake.connect() as other:
        with pytest.raises(client.LockLost, match="expired"):
            async with zk.semaphore("/s", 1):
                fake.expire(zk.session.id)
                await trio.sleep_forever()
        async with other.semaphore("/s", 1, wait=False) as held:
            assert held.token


async def test_who_has_lost_its_place_in_the_door_takes_no_permit(autojump_clock, fake, zk):
    # Its znode in the door is deleted between its look at the permits and its own permit.
    async with zk.semaphore("/s", 1):
        pass
    deleted: list[str] = []

    def delete_entry() -> None:
        deleted.extend(ephemerals(fake))
        fake.tree.delete(*deleted)

    fake.before(OpCode.MULTI, delete_entry)
    async with zk.semaphore("/s", 1):
        assert "/door/" in deleted[0]
        assert [path for path in ephemerals(fake) if "/permits/" in path]
        assert len(ephemerals(fake)) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_a_permit_whose_reply_was_lost_is_found_again(autojump_clock, fake, zk, layout):
    fake.drop_reply(OpCode.MULTI)
    async with zk.semaphore("/s", 2, layout=layout):
        assert len(ephemerals(fake)) == 1
    assert ephemerals(fake) == []
