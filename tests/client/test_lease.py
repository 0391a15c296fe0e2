"""Leases: good for so many seconds by the servers' clock, whatever becomes of sessions."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio

import client
from client.recipes.lease import SKEW_SECONDS
from coord.wire.numbers import OpCode
from tests.client import mishaps
from tests.client.cancelling import MISHAPS, cancelled_at
from tests.client.quiet import until_quiet

TERM = 10.0


@pytest.fixture
def timed(fake):
    """The fake ensemble with a clock of its own, an hour ahead of the clients'."""
    fake.tree.now_ms = lambda: round((trio.current_time() + 3600) * 1000)
    return fake


def terms(fake) -> list[str]:
    return [name for name in fake.tree.names("/l") if name.startswith("term-")]


async def test_one_holds_it_and_the_next_has_a_greater_token(autojump_clock, timed, zk):
    async with zk.lease("/l", TERM, b"me") as lease:
        assert fake_record(timed) == b"10.0\nme"
        with pytest.raises(trio.WouldBlock):
            async with zk.lease("/l", TERM, wait=False):
                raise AssertionError
        assert 9 < lease.seconds_left() < TERM
        lease.check()
    async with zk.lease("/l", TERM, wait=False) as second:
        assert second.token > lease.token
    assert terms(timed) == []


def fake_record(fake) -> bytes:
    (name,) = terms(fake)
    return fake.tree.nodes[f"/l/{name}"].data


async def test_it_is_renewed_for_as_long_as_the_block_runs(autojump_clock, timed, zk):
    async with timed.connect() as other, zk.lease("/l", TERM) as lease:
        with trio.move_on_after(5 * TERM):
            async with other.lease("/l", TERM):
                raise AssertionError
        lease.check()


async def test_it_outlives_its_session(autojump_clock, timed, zk):
    async with zk.lease("/l", TERM) as lease:
        for _ in range(3):
            timed.expire(zk.session.id)
            await trio.sleep(TERM)
        lease.check()


async def test_it_outlives_a_session_whose_end_a_renewal_finds_out(autojump_clock, timed, zk):
    async with zk.lease("/l", TERM) as lease:
        timed.expire(zk.session.id, quietly=True)
        await trio.sleep(TERM)
        lease.check()


async def test_who_waits_gets_it_at_once_when_it_is_given_back(autojump_clock, timed, zk):
    got_at = []

    async def wait_for_it(other: client.Client) -> None:
        async with other.lease("/l", 100):
            got_at.append(trio.current_time())

    async with timed.connect() as other, trio.open_nursery() as nursery, zk.lease("/l", 100):
        nursery.start_soon(wait_for_it, other)
        await trio.sleep(5)
        given_back_at = trio.current_time()
    assert got_at[0] - given_back_at < 1


async def test_a_holder_without_servers_is_cancelled_before_another_can_have_it(
    autojump_clock, timed
):
    lost_at = began_at = 0.0
    async with (
        timed.connect("one:1", session_timeout=30) as zk,
        timed.connect("two:2") as other,
        trio.open_nursery() as nursery,
    ):

        async def follow() -> None:
            nonlocal began_at
            async with other.lease("/l", TERM):
                began_at = trio.current_time()

        with pytest.raises(client.LockLost, match="in time"):
            async with zk.lease("/l", TERM):
                nursery.start_soon(follow)
                await trio.sleep(4)
                timed.cut_off.add(1)
                try:
                    await trio.sleep_forever()
                finally:
                    lost_at = trio.current_time()
        await trio.sleep(2 * TERM)
    assert 0 < lost_at < began_at <= lost_at + 2 * SKEW_SECONDS + TERM / 10


async def test_a_renewal_that_comes_in_between_wins(autojump_clock, timed, zk):
    # The term looked over; it was renewed before the multi that replaces it.
    timed.tree.put("/l", b"term-x")
    timed.tree.put("/l/term-x", b"10.0\n")
    await trio.sleep(TERM + 2)
    timed.before(OpCode.MULTI, lambda: timed.tree.put("/l/term-x", b"10.0\n"))
    began = trio.current_time()
    async with zk.lease("/l", TERM):
        assert trio.current_time() - began >= TERM


async def test_a_term_that_was_taken_over_is_lost_and_its_guard_fails(autojump_clock, timed, zk):
    with pytest.raises(client.LockLost, match="gone"):
        async with zk.lease("/l", TERM) as lease:
            (name,) = terms(timed)
            timed.tree.delete(f"/l/{name}")
            with pytest.raises(client.NoNode):
                await zk.counter("/c").add(guard=lease.guard())
            await trio.sleep_forever()


async def test_the_machine_may_sleep(autojump_clock, timed):
    asleep = 0.0
    async with timed.connect(clock=lambda: trio.current_time() + asleep) as zk:
        with pytest.raises(client.LockLost):
            async with zk.lease("/l", TERM) as lease:
                await trio.sleep(1)
                asleep = 3600.0
                with pytest.raises(client.LockLost):
                    lease.check()
                began = trio.current_time()
                await trio.sleep_forever()
        assert trio.current_time() - began <= 2


async def test_it_is_given_back_later_where_there_is_no_connection(autojump_clock, timed, zk):
    async with zk.lease("/l", TERM):
        timed.down = {-1}
        timed.cut()
    assert len(terms(timed)) == 1
    timed.down = set()
    await trio.sleep(2)
    assert terms(timed) == []
    assert timed.tree.nodes["/l"].data == b""


async def test_it_is_given_back_before_the_client_ends_where_a_connection_comes_in_time(
    autojump_clock, timed
):
    async def come_back() -> None:
        await trio.sleep(2.5)
        timed.down = set()

    async with timed.connect(close_timeout=3) as zk, zk.lease("/l", TERM):
        timed.down = {-1}
        timed.cut()
        timed.start_soon(come_back)
    assert terms(timed) == []


@pytest.mark.parametrize("kind", mishaps.KINDS)
async def test_a_lease_is_taken_once_whatever_gets_lost(autojump_clock, timed, zk, kind):
    requests = (OpCode.MULTI, OpCode.SET_DATA, OpCode.GET_DATA, OpCode.SYNC)
    for name, mishap in mishaps.everywhere(requests, kind):
        mishaps.strike(timed, kind, OpCode.MULTI)
        mishap(timed)
        async with zk.lease("/l", TERM) as lease:
            assert len(terms(timed)) == 1, name
            assert lease.token == timed.tree.nodes[f"/l/{terms(timed)[0]}"].czxid, name
            await trio.sleep(TERM / 2)
        timed.forget_mishaps()
        await zk.sync()
        assert terms(timed) == [], name


@pytest.mark.parametrize("mishap", ["none", "the reply to the create is lost"])
async def test_who_is_cancelled_at_a_checkpoint_holds_nothing(autojump_clock, timed, zk, mishap):
    async with zk.lease("/l", TERM):
        pass  # makes the parents: else the first attempts do, and none is cancelled further on
    number, goes_on = 0, True
    while goes_on:
        number += 1
        MISHAPS[mishap](timed)
        goes_on = await cancelled_at(number, zk.lease("/l", TERM))
        await trio.sleep(1)
        await zk.sync()
        timed.forget_mishaps()
        await until_quiet()
        assert terms(timed) == [], f"cancelled at checkpoint {number}"
    assert number > 5


async def test_seconds_are_checked(autojump_clock, timed, zk):
    with pytest.raises(ValueError, match="some seconds"):
        zk.lease("/l", 0)


async def test_leases_on_a_real_server(hosts):
    async with client.connect(hosts) as zk, client.connect(hosts) as other:
        async with zk.lease("/l", 0.5, b"me") as lease:
            with trio.move_on_after(2) as patience:
                async with other.lease("/l", 0.5):
                    raise AssertionError
            assert patience.cancelled_caught
            await zk.counter("/c").add(guard=lease.guard())
        async with other.lease("/l", 0.5, wait=False) as second:
            assert second.token > lease.token
