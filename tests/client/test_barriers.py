"""Barriers: who waits at a closed one does not get through, whatever happens to connections."""

# ruff: noqa: PT012  (what raises is the whole block)

from functools import partial

import pytest
import trio

import client
from client.recipes.leftovers import PATIENCE_SECONDS
from coord.wire.numbers import OpCode
from tests.client import mishaps
from tests.client.cancelling import MISHAPS, leaves_nothing
from tests.client.quiet import until_quiet


class Gate:
    """Somebody who waits at a barrier."""

    def __init__(self, zk: client.Client) -> None:
        self.zk = zk
        self.is_through = False

    async def pass_through(self) -> None:
        await self.zk.barrier("/b").wait()
        self.is_through = True


async def test_an_open_barrier_lets_everybody_through(autojump_clock, fake, zk):
    barrier = zk.barrier("/b")
    await barrier.wait()
    assert not await barrier.is_closed()
    assert not await barrier.open()


async def test_a_closed_barrier_holds_until_it_is_opened(autojump_clock, fake, zk):
    barrier = zk.barrier("/gates/b")
    assert await barrier.close()
    assert not await barrier.close()
    assert await barrier.is_closed()
    async with fake.connect() as other, trio.open_nursery() as nursery:
        nursery.start_soon(zk.barrier("/gates/b").wait)
        nursery.start_soon(other.barrier("/gates/b").wait)
        await trio.sleep(60)
        assert len(nursery.child_tasks) == 2
        assert await barrier.open()


async def test_a_block_keeps_it_closed_and_opens_it_however_it_ends(autojump_clock, fake, zk):
    barrier = zk.barrier("/b")
    with pytest.raises(ZeroDivisionError):
        async with barrier.closed():
            assert await barrier.is_closed()
            with pytest.raises(client.NodeExists):
                async with barrier.closed():
                    raise AssertionError
            assert await barrier.is_closed()
            raise ZeroDivisionError
    assert not await barrier.is_closed()
    with trio.move_on_after(1):
        async with barrier.closed():
            await trio.sleep_forever()
    assert not await barrier.is_closed()


async def test_it_stays_closed_when_the_session_of_who_closed_it_is_lost(autojump_clock, fake, zk):
    async with zk.barrier("/b").closed():
        fake.expire(zk.session.id)
        await trio.sleep(20)
        assert await zk.barrier("/b").is_closed()
    assert not await zk.barrier("/b").is_closed()


async def test_a_block_does_not_open_what_another_has_closed(autojump_clock, fake, zk):
    async with fake.connect() as other, zk.barrier("/b").closed():
        await other.barrier("/b").open()
        await other.barrier("/b").close()
    assert await zk.barrier("/b").is_closed()


async def test_it_is_opened_later_where_there_is_no_connection(autojump_clock, fake, zk):
    async with zk.barrier("/b").closed():
        fake.down = {-1}
        fake.cut()
        await trio.sleep(1)
    assert fake.tree.names("/") == ["b"]
    fake.down = set()
    await trio.sleep(2)
    assert fake.tree.names("/") == []


async def test_it_is_opened_before_the_client_ends_where_a_connection_comes_in_time(
    autojump_clock, fake, zk
):
    """No session owns it: what a client that ends does not open stays closed for ever."""
    async with fake.connect(close_timeout=3) as closing, closing.barrier("/b").closed():
        fake.down = {-1}
        fake.cut()
        fake.start_soon(partial(come_back, fake, after=2.5))
    assert fake.tree.names("/") == []
    assert len(fake.sessions) == 1


async def test_a_client_that_ends_without_servers_gives_up_in_time(autojump_clock, fake):
    async with fake.connect(close_timeout=3) as zk, zk.barrier("/b").closed():
        fake.down = {-1}
        fake.cut()
    assert trio.current_time() <= PATIENCE_SECONDS + 3.1
    assert fake.tree.names("/") == ["b"]


async def come_back(fake, after: float) -> None:
    await trio.sleep(after)
    fake.down = set()


async def test_it_is_opened_also_when_the_session_has_expired_unnoticed(autojump_clock, fake, zk):
    async with zk.barrier("/b").closed():
        fake.expire(zk.session.id, quietly=True)
    await trio.sleep(2)
    assert fake.tree.names("/") == []


async def test_it_is_opened_when_the_servers_have_found_each_other_again(autojump_clock, fake):
    async with fake.connect(read_only=True) as zk:
        async with zk.barrier("/b").closed():
            fake.alone = {1, 2, 3}
            fake.cut()
            await trio.sleep(2)
        assert zk.state is client.State.READ_ONLY
        fake.alone = set()
        await trio.sleep(5)
        assert fake.tree.names("/") == []


@pytest.mark.parametrize("kind", mishaps.KINDS)
async def test_nobody_gets_through_a_closed_barrier_whatever_gets_lost(
    autojump_clock, fake, zk, kind
):
    for name, mishap in mishaps.everywhere((OpCode.EXISTS, OpCode.SYNC), kind):
        await zk.barrier("/b").close()
        gate = Gate(zk)
        mishaps.strike(fake, kind, OpCode.EXISTS)
        mishap(fake)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gate.pass_through)
            await trio.sleep(1)
            fake.cut()
            await trio.sleep(1)
            fake.expire(zk.session.id)
            await trio.sleep(3)
            assert not gate.is_through, name
            fake.forget_mishaps()
            fake.tree.delete("/b")
        assert gate.is_through


async def test_a_server_that_lags_behind_lets_nobody_through(autojump_clock, fake, zk):
    # It learns of the barrier by the sync only, which is what a sync is for.
    fake.before(OpCode.SYNC, lambda: fake.tree.put("/b", b""))
    with trio.move_on_after(5) as scope:
        await zk.barrier("/b").wait()
    assert scope.cancelled_caught


# Double barriers.


class Party:
    """Those who meet at a double barrier, and who is inside."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.inside: list[tuple[int, int]] = []
        self.ended = 0

    async def take_part(self, zk: client.Client, seconds: float) -> None:
        async with zk.double_barrier("/d", self.count) as together:
            assert together.count == self.count
            self.inside.append((together.token, together.number))
            await trio.sleep(seconds)
            self.ended += 1
        assert self.ended >= self.count


async def test_all_begin_together_and_go_on_together(autojump_clock, fake, zk):
    party = Party(3)
    async with fake.connect() as other, trio.open_nursery() as nursery:
        nursery.start_soon(party.take_part, zk, 1)
        nursery.start_soon(party.take_part, other, 2)
        await trio.sleep(30)
        assert party.inside == []
        nursery.start_soon(party.take_part, zk, 3)
        await until_quiet()
        assert len({token for token, _ in party.inside}) == 1
        assert sorted(number for _, number in party.inside) == [0, 1, 2]
    assert fake.tree.names("/d/members") == []
    assert fake.tree.nodes["/d/round"].data == b""


async def test_who_comes_too_late_waits_for_the_next_round(autojump_clock, fake, zk):
    party = Party(2)
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(party.take_part, zk, 5)
            await trio.sleep(1)
        assert len(party.inside) == 2
    tokens = [token for token, _ in party.inside]
    assert tokens[0] == tokens[1] < tokens[2] == tokens[3]


async def test_who_has_lost_its_place_before_the_round_begins_takes_another(
    autojump_clock, fake, zk
):
    party = Party(2)
    async with fake.connect() as other, trio.open_nursery() as nursery:
        nursery.start_soon(party.take_part, zk, 1)
        await until_quiet()
        fake.expire(zk.session.id)
        await trio.sleep(1)
        fake.tree.delete(f"/d/members/{fake.tree.names('/d/members')[0]}")
        await trio.sleep(1)
        assert len(fake.tree.names("/d/members")) == 1
        nursery.start_soon(party.take_part, other, 1)
    assert len(party.inside) == 2


async def test_no_round_begins_with_a_member_that_has_gone(autojump_clock, fake, zk):
    # It goes between the look at the members and the multi: that is why the multi checks.
    party = Party(2)
    async with fake.connect() as other, trio.open_nursery() as nursery:
        nursery.start_soon(party.take_part, zk, 1)
        await until_quiet()
        first = fake.tree.names("/d/members")[0]
        fake.before(OpCode.MULTI, lambda: fake.tree.delete(f"/d/members/{first}"))
        nursery.start_soon(party.take_part, other, 1)
    assert len(party.inside) == 2
    assert len({token for token, _ in party.inside}) == 1


async def test_who_is_lost_inside_is_told_and_keeps_nobody(autojump_clock, fake, zk):
    party = Party(2)
    party.ended = 2
    async with fake.connect() as other, trio.open_nursery() as nursery:
        nursery.start_soon(party.take_part, other, 3)
        with pytest.raises(client.LockLost):
            async with zk.double_barrier("/d", 2):
                fake.expire(zk.session.id)
                await trio.sleep_forever()
    assert fake.tree.nodes["/d/round"].data == b""


async def test_a_round_whose_members_all_died_does_not_stop_the_next(autojump_clock, fake, zk):
    fake.tree.put("/d", b"")
    fake.tree.put("/d/members", b"")
    fake.tree.put("/d/members/x-0000000000", b"", owner=99)
    fake.tree.put("/d/round", b"x-0000000000")
    async with trio.open_nursery() as nursery:
        party = Party(1)
        nursery.start_soon(party.take_part, zk, 1)
        await trio.sleep(5)
        assert party.inside == []
        fake.tree.end(99)
    assert len(party.inside) == 1


async def test_a_body_that_fails_leaves_at_once(autojump_clock, fake, zk):
    async with fake.connect() as other, trio.open_nursery() as nursery:
        party = Party(2)
        party.ended = 2
        nursery.start_soon(party.take_part, other, 60)
        with pytest.raises(ZeroDivisionError):
            async with zk.double_barrier("/d", 2):
                raise ZeroDivisionError
        assert trio.current_time() < 10


@pytest.mark.parametrize("kind", mishaps.KINDS)
async def test_a_round_is_a_round_whatever_gets_lost(autojump_clock, fake, zk, kind):
    requests = (OpCode.CREATE2, OpCode.MULTI, OpCode.GET_DATA, OpCode.GET_CHILDREN2)
    async with fake.connect() as other:
        for name, mishap in mishaps.everywhere(requests, kind):
            party = Party(2)
            mishaps.strike(fake, kind, OpCode.MULTI)
            mishap(fake)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(party.take_part, zk, 1)
                nursery.start_soon(party.take_part, other, 1)
            fake.forget_mishaps()
            assert len({token for token, _ in party.inside}) == 1, name
            assert fake.tree.nodes["/d/round"].data == b"", name


async def test_a_count_is_checked(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="1 to 1000"):
        zk.double_barrier("/d", 0)


@pytest.mark.parametrize("mishap", ["none", "the reply to the create is lost"])
async def test_who_is_cancelled_at_a_checkpoint_has_left(autojump_clock, fake, zk, mishap):
    assert mishap in MISHAPS
    assert await leaves_nothing(fake, zk, lambda who: who.double_barrier("/d", 1), mishap) > 5


async def test_barriers_on_a_real_server(hosts):
    async with client.connect(hosts) as zk, client.connect(hosts) as other:
        gate = Gate(other)
        party = Party(2)
        async with trio.open_nursery() as nursery:
            async with zk.barrier("/b").closed():
                nursery.start_soon(gate.pass_through)
                nursery.start_soon(party.take_part, zk, 0)
                await other.sync()
                assert not gate.is_through
                assert party.inside == []
            nursery.start_soon(party.take_part, other, 0)
        assert gate.is_through
        assert len(party.inside) == 2
        await other.sync()
        assert await other.get_children("/d/members") == []
