"""What is known to go wrong in clients of this kind, and cannot here: time, shutdown, retries.

Each test says what goes wrong elsewhere. Others of the list stand where they belong: lost replies
in `test_lost_replies`, forks and names that move in `test_connections`, certificates in `test_tls`.
"""

# ruff: noqa: PT012, SIM117  (what raises is the whole block)

import threading

import pytest
import trio
import trio.testing

import client
import client.testing
from coord.wire.numbers import OpCode
from tests.client.quiet import until_quiet


def tasks() -> int:
    """Count the tasks of this run."""
    found, waiting = 0, [trio.lowlevel.current_root_task()]
    while waiting:
        task = waiting.pop()
        found += 1
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return found


# Timeouts that are none.


async def test_the_time_to_wait_for_a_lock_is_not_begun_anew_at_each_change_before_it(
    autojump_clock, fake, zk
):
    """Elsewhere a limit of 3 s took 9, for the contender before changed three times."""
    holders = [trio.CancelScope() for _ in range(3)]

    async def hold(scope: trio.CancelScope) -> None:
        async with fake.connect() as other:
            with scope:
                async with other.lock("/x"):
                    await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for scope in holders:
            nursery.start_soon(hold, scope)
            await until_quiet()
        began = trio.current_time()
        for number, scope in enumerate(holders[:2]):
            scope.deadline = began + 1 + number
        with trio.move_on_after(3) as limit:
            async with zk.lock("/x"):
                raise AssertionError
        assert limit.cancelled_caught
        assert trio.current_time() - began == pytest.approx(3)
        nursery.cancel_scope.cancel()


async def test_who_is_cut_off_holds_a_lock_for_its_session_timeout_and_not_twice_as_long(
    autojump_clock,
):
    """Elsewhere a time to live of n seconds became 2 n: python-consul-lock #3."""
    async with (
        client.testing.ensemble() as servers,
        servers.connect(session_timeout=10) as gone,
        servers.connect() as other,
    ):
        with pytest.raises(client.LockLost):
            async with gone.lock("/x"):
                began = trio.current_time()
                servers.partition(gone)
                await trio.sleep_forever()
        async with other.lock("/x"):
            assert 10 <= trio.current_time() - began < 13


async def test_nobody_sleeps_for_a_while_between_a_release_and_the_next_hold(
    autojump_clock, fake, zk
):
    """Elsewhere a retry inside an acquire adds up to a second, by chance."""
    began = trio.current_time()
    async with fake.connect() as other, trio.open_nursery() as nursery:

        async def contend(contender: client.Client) -> None:
            for _ in range(5):
                async with contender.lock("/x"):
                    pass

        nursery.start_soon(contend, zk)
        nursery.start_soon(contend, other)
    assert trio.current_time() == began


async def test_the_time_to_connect_is_not_multiplied_by_the_retries(autojump_clock, fake):
    """Elsewhere each retry gets the whole time again."""
    fake.down = {-1}
    with trio.move_on_after(5):
        async with fake.connect():
            raise AssertionError
    assert trio.current_time() == pytest.approx(5)


# Threads, forks, shutdown.


async def test_a_start_that_fails_leaves_nothing(autojump_clock, fake):
    """Elsewhere threads stay behind when no server can be reached, or a credential is refused."""
    before = tasks()
    fake.down = {-1}
    with trio.move_on_after(5):
        async with fake.connect():
            raise AssertionError
    fake.down = set()
    with pytest.raises(client.AuthFailed):
        async with fake.connect(auth=[("nonsense", "x")]) as zk:
            await zk.sync()
    with pytest.raises(client.ClientConfigError):
        async with fake.connect(tls=client.Tls(ca="/missing.pem")):
            raise AssertionError
    await trio.sleep(60)  # the servers' own tasks end with the session that was not closed
    assert tasks() == before
    assert fake.connections == []


async def test_no_client_and_nobody_who_waits_to_lead_has_a_thread(autojump_clock, fake):
    """Elsewhere each election that is waited for costs a thread, and each client a few."""
    before = threading.active_count()
    async with fake.connect() as leader, fake.connect() as zk, leader.lead("/svc"):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(zk.lead("/svc").__aenter__)
            await trio.sleep(1)
            assert threading.active_count() == before
            nursery.cancel_scope.cancel()


async def test_the_end_does_not_hang_in_any_state(autojump_clock, fake):
    """Elsewhere stopping waits for ever: while connecting, while suspended, under full load."""
    for trouble in ({-1}, set()):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            async with fake.connect(in_flight=2, close_timeout=1) as zk:
                fake.down = trouble
                fake.mute = {OpCode.EXISTS}
                for _ in range(10):
                    nursery.start_soon(_look, zk)
                await until_quiet()
                if trouble:
                    fake.cut()
        assert trio.current_time() - began <= 2
        fake.down, fake.mute = set(), set()


async def _look(zk: client.Client) -> None:
    with pytest.raises(client.ClientClosed):
        await zk.exists("/")


async def test_a_loss_is_known_without_a_word_from_any_server(autojump_clock, fake):
    """Elsewhere nothing but a server's word ends a session: a client that has been without servers
    for four times its timeout takes its lock for held all the same."""
    async with fake.connect(session_timeout=4) as zk:
        began, lost_at = trio.current_time(), None
        with pytest.raises(client.LockLost):
            async with zk.lock("/x") as held:
                fake.down = {-1}
                fake.cut()
                try:
                    await trio.sleep(16)
                finally:
                    lost_at = trio.current_time()
                    with pytest.raises(client.LockLost):
                        held.check()
        assert zk.state is client.State.AWAY
    assert lost_at is not None
    assert lost_at - began < 4


# Retries.


async def test_an_increment_whose_reply_was_lost_never_counts_twice(autojump_clock, fake, zk):
    """Elsewhere the retry finds the version it has made itself, reads again, and counts 2."""
    await zk.create("/n", b"0")
    for mishap in (fake.drop_reply, fake.drop_request, fake.defer_request):
        before, stat = await zk.get("/n")
        mishap(OpCode.SET_DATA)
        try:
            await zk.set("/n", b"%d" % (int(before) + 1), stat.version)
        except client.OutcomeUnknown:
            assert mishap != fake.drop_request  # what was not done is sent again
        data, _ = await zk.get("/n")
        assert int(data) == int(before) + 1
