"""Locks as scopes: order, tokens, loss, release. `test_cancellation.py` cancels everywhere."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio
from trio.testing import Sequencer

import client
from coord.wire.numbers import OpCode
from tests.client.quiet import until_quiet

LAYOUTS = ["coord", "kazoo", "curator"]


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_one_holds_and_the_others_follow_in_order(autojump_clock, fake, zk, layout):
    order = []

    async def contend(number: int) -> None:
        async with zk.lock("/locks/x", layout=layout) as held:
            assert len(order) == 0 or order[-1][1] < held.token
            order.append((number, held.token))
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(contend, number)
            await until_quiet()
    assert [number for number, _ in order] == [0, 1, 2, 3, 4]
    assert fake.tree.names("/locks/x") == []


async def test_one_that_leaves_wakes_one_only(autojump_clock, fake, zk):
    async def contend() -> None:
        async with fake.connect() as own, own.lock("/x"):
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        async with zk.lock("/x"):
            for _ in range(20):
                nursery.start_soon(contend)
            await until_quiet()
            before = fake.requests[OpCode.GET_CHILDREN2] + fake.requests[OpCode.GET_DATA]
        await until_quiet()
        after = fake.requests[OpCode.GET_CHILDREN2] + fake.requests[OpCode.GET_DATA]
        nursery.cancel_scope.cancel()
    assert after - before <= 2


async def test_the_token_is_the_czxid_of_the_holders_znode(autojump_clock, fake, zk):
    async with zk.lock("/x", b"me") as held:
        (name,) = fake.tree.names("/x")
        node = fake.tree.nodes[f"/x/{name}"]
        assert held.token == node.czxid
        assert node.owner == zk.session.id
        assert node.data == b"me"


async def test_a_guard_lets_a_transaction_through_only_while_the_lock_is_held(
    autojump_clock, fake, zk
):
    async with zk.lock("/x") as held:
        async with zk.transaction() as guarded:
            guarded.add(held.guard())
            guarded.create("/a")
        guard = held.guard()
    with pytest.raises(client.NoNode):
        async with zk.transaction() as guarded:
            guarded.add(guard)
            guarded.create("/b")
    assert await zk.exists("/a")
    assert not await zk.exists("/b")


@pytest.mark.parametrize("layout", ["coord", "kazoo"])
async def test_without_waiting_it_would_block(autojump_clock, fake, zk, layout):
    async with zk.lock("/x", layout=layout):
        with pytest.raises(trio.WouldBlock):
            async with zk.lock("/x", wait=False, layout=layout):
                raise AssertionError
        assert len(fake.tree.names("/x")) == 1
    async with zk.lock("/x", wait=False, layout=layout):
        pass


async def test_a_timeout_is_a_scope_and_leaves_nothing_behind(autojump_clock, fake, zk):
    async with fake.connect() as other, other.lock("/x"):
        with pytest.raises(trio.TooSlowError):
            with trio.fail_after(3):
                async with zk.lock("/x"):
                    raise AssertionError
        assert trio.current_time() < 4
        assert len(fake.tree.names("/x")) == 1


async def test_expiry_cancels_the_body_and_raises(autojump_clock, fake, zk):
    reached = False
    with pytest.raises(client.LockLost, match="expired") as caught:
        async with zk.lock("/x") as held:
            token = held.token
            fake.expire(zk.session.id)
            await trio.sleep(5)
            reached = True
    assert not reached
    assert (caught.value.path, caught.value.token) == ("/x", token)
    assert trio.current_time() < 1
    async with zk.lock("/x") as held:
        assert held.token > token


async def test_the_body_is_cancelled_before_the_session_can_have_expired(autojump_clock, fake, zk):
    async with fake.connect() as other:
        with pytest.raises(client.LockLost, match="proved"):
            async with zk.lock("/x"):
                fake.down = {-1}
                fake.cut()
                await trio.sleep_forever()
        lost_at = trio.current_time()
        fake.down = set()
        del other
    assert 5 < lost_at < 10


async def overlap_behind_a_server_that_is_cut_off(fake, prove: str) -> bool:
    """Whether a second holder comes in while the first one still believes that it holds."""
    events: list[str] = []

    async def hold() -> None:
        with pytest.raises(client.LockLost):
            async with first.lock("/x"):
                events.append("first")
                try:
                    await trio.sleep_forever()
                finally:
                    events.append("lost")

    async def follow() -> None:
        async with second.lock("/x"):
            events.append("second")
            await trio.sleep(30)
            fake.cut_off.clear()
            fake.cut()

    async with (
        fake.connect("one:1", prove=prove) as first,
        fake.connect("two:2") as second,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(hold)
        await until_quiet()
        nursery.start_soon(follow)
        await until_quiet()
        fake.cut_off.add(1)
    return events.index("second") < events.index("lost")


async def test_pings_from_a_server_that_is_cut_off_prove_nothing(autojump_clock, fake):
    # A ZooKeeper server without its leader goes on answering pings.
    assert await overlap_behind_a_server_that_is_cut_off(fake, "ping")
    assert not await overlap_behind_a_server_that_is_cut_off(fake, "sync")


async def test_pings_will_do_where_they_are_said_to(autojump_clock, fake):
    async with fake.connect(prove="ping") as zk:
        async with zk.lock("/x") as held:
            await trio.sleep(100)
            held.check()
        assert fake.requests[OpCode.SYNC] == 0
        assert fake.requests[OpCode.PING] >= 25


async def test_a_strict_lock_is_renewed_by_sync(autojump_clock, fake, zk):
    async with zk.lock("/x") as held:
        await trio.sleep(100)
        held.check()
    assert fake.requests[OpCode.SYNC] >= 50


async def test_a_long_wait_does_not_spoil_the_hold(autojump_clock, fake, zk):
    async with fake.connect() as other, trio.open_nursery() as nursery, other.lock("/x"):

        async def wait_for_it() -> None:
            async with zk.lock("/x") as held:
                assert held.seconds_left() > 5

        nursery.start_soon(wait_for_it)
        await trio.sleep(100)


async def test_a_short_disconnection_does_not_end_a_hold(autojump_clock, fake, zk):
    async with zk.lock("/x") as held:
        fake.down = {-1}
        fake.cut()
        await trio.sleep(3)
        fake.down = set()
        await trio.sleep(30)
        held.check()
    assert fake.tree.names("/x") == []


async def test_a_deleted_znode_ends_the_hold(autojump_clock, fake, zk):
    with pytest.raises(client.LockLost, match="deleted"):
        async with zk.lock("/x"):
            (name,) = fake.tree.names("/x")
            await trio.sleep(1)
            fake.tree.delete(f"/x/{name}")
            await trio.sleep_forever()


async def test_a_loss_is_not_passed_over_when_the_body_ends_by_itself(autojump_clock, fake, zk):
    with pytest.raises(client.LockLost) as caught:
        async with zk.lock("/x"):
            (name,) = fake.tree.names("/x")
            fake.tree.delete(f"/x/{name}")
    assert caught.value.__notes__ == ["the body ran to its end all the same"]


async def test_an_error_of_the_body_is_kept_when_the_lock_is_lost_too(autojump_clock, fake, zk):
    with pytest.raises(client.LockLost) as caught:
        async with zk.lock("/x"):
            try:
                fake.expire(zk.session.id)
                await trio.sleep_forever()
            finally:
                raise KeyError("mine")
    assert isinstance(caught.value.__cause__, KeyError)


async def test_an_error_of_the_body_comes_out_as_it_is(autojump_clock, fake, zk):
    with pytest.raises(KeyError):
        async with zk.lock("/x"):
            raise KeyError("mine")
    assert fake.tree.names("/x") == []


async def test_release_comes_after_the_tasks_of_the_body(autojump_clock, fake, zk):
    seen = []

    async def clean_up() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(2)
                seen.append(len(fake.tree.names("/x")))

    async with zk.lock("/x"), trio.open_nursery() as nursery:
        nursery.start_soon(clean_up)
        await until_quiet()
        nursery.cancel_scope.cancel()
    assert seen == [1]
    assert fake.tree.names("/x") == []


async def test_a_release_while_disconnected_is_made_up_for(autojump_clock, fake, zk):
    async with zk.lock("/x"):
        fake.down = {-1}
        fake.cut()
        await trio.sleep(1)
    assert len(fake.tree.names("/x")) == 1
    fake.down = set()
    await trio.sleep(2)
    assert fake.tree.names("/x") == []


async def test_a_release_whose_reply_is_lost_is_no_loss(autojump_clock, fake, zk):
    async with zk.lock("/x"):
        fake.drop_reply(OpCode.DELETE)
    assert fake.tree.names("/x") == []


async def test_a_lost_reply_to_the_create_is_found_again(autojump_clock, fake, zk):
    await zk.ensure_path("/x")
    fake.drop_reply(OpCode.CREATE2)
    async with zk.lock("/x", wait=True):
        assert len(fake.tree.names("/x")) == 1
    assert fake.tree.names("/x") == []


async def test_a_lost_create_is_sent_again(autojump_clock, fake, zk):
    fake.drop_request(OpCode.CREATE2)
    async with zk.lock("/x"):
        assert len(fake.tree.names("/x")) == 1


async def test_who_waits_through_an_expiry_joins_again_at_the_end(autojump_clock, fake, zk):
    async with fake.connect() as other, trio.open_nursery() as nursery:
        sequence = Sequencer()

        async def wait_for_it() -> None:
            async with zk.lock("/x"), sequence(1):
                held_by.append(fake.tree.nodes[f"/x/{fake.tree.names('/x')[0]}"].owner)

        held_by: list[int] = []
        async with other.lock("/x"):
            nursery.start_soon(wait_for_it)
            await until_quiet()
            fake.expire(zk.session.id)
            await trio.sleep(1)
            assert len(fake.tree.names("/x")) == 2
        async with sequence(0):
            pass
    assert held_by == [zk.session.id]


async def test_a_znode_of_an_earlier_session_is_not_taken_for_ours(autojump_clock, fake, zk):
    # The server of the new session still shows what the old session owned.
    async with fake.connect() as other:
        with pytest.raises(client.LockLost):
            async with zk.lock("/x"):
                old = zk.session.id
                (name,) = fake.tree.names("/x")
                fake.expire(old)
                fake.tree.put(f"/x/{name}", b"", owner=old)
                await trio.sleep_forever()
        with trio.move_on_after(5) as scope:
            async with zk.lock("/x"):
                raise AssertionError
        assert scope.cancelled_caught
        del other


async def test_the_next_holder_gets_it_when_the_holder_dies(autojump_clock, fake, zk):
    async with fake.connect() as other, trio.open_nursery() as nursery:

        async def hold() -> None:
            with pytest.raises(client.LockLost):
                async with other.lock("/x"):
                    await trio.sleep_forever()

        nursery.start_soon(hold)
        await until_quiet()
        with trio.move_on_after(1):
            async with zk.lock("/x"):
                raise AssertionError
        fake.expire(other.session.id)
        async with zk.lock("/x"):
            assert trio.current_time() < 2


async def test_a_sleep_of_the_machine_ends_the_hold_within_a_second(autojump_clock, fake):
    # The clock of the deadline runs on while Trio's stands still.
    asleep = 0.0
    async with fake.connect(clock=lambda: trio.current_time() + asleep) as zk:
        with pytest.raises(client.LockLost):
            async with zk.lock("/x") as held:
                await trio.sleep(1.5)
                asleep = 3600.0
                fake.mute = {OpCode.SYNC, OpCode.PING}
                began = trio.current_time()
                assert held.seconds_left() == 0
                with pytest.raises(client.LockLost):
                    held.check()
                await trio.sleep_forever()
        assert trio.current_time() - began <= 2.1


async def test_the_parent_may_go_while_we_join(autojump_clock, fake, zk):
    await zk.ensure_path("/x")
    fake.before(OpCode.CREATE2, lambda: fake.tree.delete("/x"))
    async with zk.lock("/x"):
        pass


async def test_the_end_of_the_client_inside_a_lock_leaves_nothing(autojump_clock, fake):
    with trio.CancelScope() as scope:
        async with fake.connect() as zk, zk.lock("/x"):
            scope.cancel()
            await trio.sleep_forever()
    assert fake.tree.names("/x") == []
    assert fake.sessions == {}


async def test_a_server_that_is_too_busy_to_delete_is_asked_again(autojump_clock, fake, zk):
    async with zk.lock("/x"):
        fake.refuse_next(OpCode.DELETE, client.ThrottledOp.code)
    assert fake.tree.names("/x") == []


async def test_a_task_does_not_wait_for_itself(autojump_clock, fake, zk):
    async with zk.lock("/x"):
        with pytest.raises(RuntimeError, match="itself"):
            async with zk.lock("/x"):
                raise AssertionError
    async with zk.lock("/x"):
        pass


async def test_the_root_is_no_lock(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="root"):
        zk.lock("/")
