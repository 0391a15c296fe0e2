"""Failures that other clients' locks are known for, each shown not to happen here.

Left-behind contenders, losses that nobody notices, two holders, timeouts that are none. What is
cancelled at every checkpoint is in `test_cancellation.py`, what is lost while held in
`test_locks.py`, what a resumed session must be in `test_session.py`.
"""

# ruff: noqa: PT012  (what raises is the whole block)

from contextlib import suppress

import pytest
import trio

import client
from coord.wire.numbers import OpCode

# A contender left behind.


async def test_an_interrupted_waiter_leaves_nothing_and_the_next_one_gets_the_lock(
    autojump_clock, fake, zk
):
    async with fake.connect() as second, fake.connect() as third:
        async with zk.lock("/x"):
            with trio.move_on_after(1):
                async with second.lock("/x"):
                    raise AssertionError
            assert len(fake.tree.names("/x")) == 1
        with trio.fail_after(0.1):
            async with third.lock("/x"):
                pass
            async with second.lock("/x"):  # the object that was interrupted is as good as new
                pass


class Interrupt(BaseException):
    """As a KeyboardInterrupt: no Exception."""


async def test_no_kind_of_exception_leaves_a_contender_behind(autojump_clock, fake, zk):
    async with fake.connect() as other, zk.lock("/x"):
        with pytest.raises(BaseExceptionGroup) as caught:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(other.lock("/x").__aenter__)
                await trio.sleep(1)
                raise Interrupt
        assert caught.group_contains(Interrupt)
        assert len(fake.tree.names("/x")) == 1


async def test_a_try_in_vain_whose_connection_breaks_leaves_nothing(autojump_clock, fake, zk):
    # The lock looked free, somebody else was quicker, and the deletion meets a dead connection.
    await zk.ensure_path("/x")
    quicker = "0" * 32 + "-" + "0" * 15 + "9-0000000000"

    def somebody_comes() -> None:
        fake.tree.put(f"/x/{quicker}", b"", owner=99)

    def break_off() -> None:
        fake.down = {-1}

    fake.before(OpCode.CREATE2, somebody_comes)
    fake.drop_request(OpCode.DELETE, break_off)
    with pytest.raises(trio.WouldBlock):
        async with zk.lock("/x", wait=False):
            raise AssertionError
    assert len(fake.tree.names("/x")) == 2
    fake.down = set()
    await trio.sleep(2)
    assert fake.tree.names("/x") == [quicker]


async def test_giving_up_while_no_server_answers_takes_a_second_at_most(autojump_clock, fake, zk):
    async with fake.connect() as other:
        async with zk.lock("/x"):
            with trio.move_on_after(1):
                async with other.lock("/x"):
                    raise AssertionError
            async with trio.open_nursery() as nursery:
                nursery.start_soon(other.lock("/x").__aenter__)
                await trio.sleep(1)
                fake.down = {-1}
                fake.cut()
                gave_up_at = trio.current_time()
                nursery.cancel_scope.cancel()
            assert trio.current_time() - gave_up_at <= 1.001
            fake.down = set()
            await trio.sleep(2)
            assert len(fake.tree.names("/x")) == 1
        async with other.lock("/x", wait=False):
            pass


async def test_a_release_that_is_repeated_spares_the_next_hold_of_the_same_session(
    autojump_clock, fake, zk
):
    async with zk.lock("/x"):
        fake.drop_reply(OpCode.DELETE)
    async with zk.lock("/x") as held:
        await trio.sleep(5)
        held.check()
        assert len(fake.tree.names("/x")) == 1


# A loss that nobody notices, and two holders.


async def test_the_body_has_ended_when_another_one_holds_after_an_expiry(autojump_clock, fake):
    ended_at = None
    async with (
        fake.connect("one:1") as zk,
        fake.connect("two:2") as other,
        trio.open_nursery() as nursery,
    ):

        async def hold() -> None:
            nonlocal ended_at
            with pytest.raises(client.LockLost) as caught:
                async with zk.lock("/x") as held:
                    try:
                        await trio.sleep_forever()
                    finally:
                        ended_at = trio.current_time()
                        assert held.lost
                        with pytest.raises(client.LockLost):
                            held.check()
            assert caught.value.__cause__ is None

        nursery.start_soon(hold)
        await trio.sleep(1)
        fake.down = {1}
        fake.cut()
        async with other.lock("/x"):
            assert trio.current_time() >= 10
            assert ended_at is not None
            assert ended_at < trio.current_time() - 1
        fake.down = set()


async def test_one_that_waited_while_its_session_was_expired_does_not_enter(
    autojump_clock, fake, zk
):
    # The session is gone before the holder leaves, and its server has not told.
    async with fake.connect() as other, trio.open_nursery() as nursery:
        owners = []

        async def wait_for_it() -> None:
            async with zk.lock("/x"):
                (name,) = fake.tree.names("/x")
                owners.append((fake.tree.nodes[f"/x/{name}"].owner, zk.session.id))

        async with other.lock("/x"):
            nursery.start_soon(wait_for_it)
            await trio.sleep(1)
            expired = zk.session.id
            fake.expire(expired, quietly=True)
    assert owners == [(zk.session.id, zk.session.id)]
    assert zk.session.id != expired


async def test_one_that_waited_behind_a_server_that_is_cut_off_does_not_enter(autojump_clock, fake):
    # Its server knows that its turn has come, but not that its session will be expired.
    fake.cut_off.update([])  # real servers know of no such thing: skip here, not amid a request
    came = []

    async def stay(who: client.Client, name: str) -> None:
        async with who.lock("/x"):
            came.append((name, who.session.id))
            await trio.sleep(20)

    async with (
        fake.connect("one:1") as zk,
        fake.connect("two:2") as other,
        fake.connect("two:2") as third,
        trio.open_nursery() as nursery,
    ):
        before = zk.session.id
        async with other.lock("/x"):
            nursery.start_soon(stay, zk, "waited")
            await trio.sleep(1)
            nursery.start_soon(stay, third, "third")
            await trio.sleep(30)
            fake.before(OpCode.GET_CHILDREN2, lambda: fake.cut_off.add(1))
        await trio.sleep(15)
        assert before not in fake.sessions
        assert came == [("third", third.session.id)]
        fake.cut_off.clear()
        fake.cut()
    assert came[1:] == [("waited", zk.session.id)]
    assert zk.session.id != before


async def test_a_znode_whose_creation_was_not_answered_is_not_found_again_in_the_next_session(
    autojump_clock, fake, zk
):
    """Elsewhere it was adopted: the server of the new session still showed it."""
    await zk.ensure_path("/x")
    old = zk.session.id

    def expire_and_lag() -> None:
        (name,) = fake.tree.names("/x")
        fake.expire(old)
        fake.tree.put(f"/x/{name}", b"", owner=old)

    fake.drop_reply(OpCode.CREATE2, then=expire_and_lag)
    with trio.move_on_after(5) as scope:
        async with zk.lock("/x"):
            raise AssertionError
    assert scope.cancelled_caught
    (name,) = fake.tree.names("/x")
    assert fake.tree.nodes[f"/x/{name}"].owner == old != zk.session.id


async def one_lock_and_three_clients(fake, deleted: int) -> list[tuple[str, int]]:
    """Delete the znode of the n-th in the queue; who was inside, and for how many seconds."""
    stays: list[tuple[str, int]] = []

    async def hold(name: str) -> None:
        async with fake.connect() as who:
            with suppress(client.LockLost):
                async with who.lock("/x"):
                    came_at = trio.current_time()
                    try:
                        await trio.sleep(5)
                    finally:
                        stays.append((name, round(trio.current_time() - came_at)))

    places: list[str] = []
    async with trio.open_nursery() as nursery:
        for name in ("first", "second", "third"):
            nursery.start_soon(hold, name)
            await trio.sleep(0.1)
            places += set(fake.tree.names("/x")) - set(places)
        fake.tree.delete(f"/x/{places[deleted]}")
        began = trio.current_time()
    assert trio.current_time() - began == pytest.approx(sum(stay for _, stay in stays), abs=0.5)
    return stays


async def test_a_lock_whose_znode_is_deleted_has_one_holder_afterwards(autojump_clock, fake):
    """Elsewhere both took it for held: the one whose znode had gone, and the one behind it."""
    stays = await one_lock_and_three_clients(fake, 0)
    assert stays == [("first", 0), ("second", 5), ("third", 5)]


async def test_one_whose_znode_is_deleted_while_it_waits_joins_again(autojump_clock, fake):
    stays = await one_lock_and_three_clients(fake, 1)
    assert stays == [("first", 5), ("third", 5), ("second", 5)]


async def test_the_end_of_a_lost_hold_takes_nothing_from_the_next_holder(autojump_clock, fake, zk):
    """Elsewhere an unlock deletes the lock that stands there, whoever made it."""
    async with fake.connect() as other:
        with pytest.raises(client.LockLost):
            async with zk.lock("/x"):
                fake.tree.delete("/x/" + fake.tree.names("/x")[0])
                with trio.CancelScope(shield=True):
                    next_one = other.lock("/x")
                    theirs = await next_one.__aenter__()
        await zk.sync()
        assert len(fake.tree.names("/x")) == 1
        theirs.check()
        await next_one.__aexit__(None, None, None)
    assert fake.tree.names("/x") == []


async def test_a_leader_does_not_take_the_znode_of_an_earlier_session_for_its_own(
    autojump_clock, fake, zk
):
    """Elsewhere two led, again and again: the znode of the session before was still there."""
    with pytest.raises(client.LockLost):
        async with zk.lead("/svc", b"me") as before:
            old = zk.session.id
            (name,) = fake.tree.names("/svc")
            fake.expire(old)
            fake.tree.put(f"/svc/{name}", b"me", owner=old)
            await trio.sleep_forever()
    async with zk.observe("/svc") as leaders:
        seen = await anext(leaders)
        assert seen is not None
        assert seen.token > before.token  # the one that was left behind, made anew by this test
        with trio.move_on_after(5) as scope:
            async with zk.lead("/svc", b"me"):
                raise AssertionError
        assert scope.cancelled_caught
        fake.tree.delete(f"/svc/{name}")
        async with zk.lead("/svc", b"me") as term:
            assert term.token > seen.token


# A timeout that is none.


async def test_a_timeout_is_kept_though_those_ahead_change(autojump_clock, fake, zk):
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(hold_with_own_client, fake, 2.5)
            await trio.sleep(0.01)
        began = trio.current_time()
        with trio.move_on_after(3) as scope:
            async with zk.lock("/x", layout="kazoo"):
                raise AssertionError
        assert scope.cancelled_caught
        assert trio.current_time() - began == pytest.approx(3, abs=0.05)
        nursery.cancel_scope.cancel()


async def hold_with_own_client(fake, seconds: float) -> None:
    async with fake.connect() as other, other.lock("/x", layout="kazoo"):
        await trio.sleep(seconds)
