"""Connections and sessions: resume, expiry, silence, identities, the end."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest
import trio

import client
from coord.wire.numbers import OpCode
from tests.client.quiet import until_quiet

REPOSITORY = Path(__file__).parents[2]


async def test_a_session_outlives_its_connection(autojump_clock, fake, zk):
    before = zk.session
    await zk.sync()  # what it has seen lets it tell afterwards that nothing was created
    fake.cut()
    await zk.create("/a")
    assert zk.session is before
    assert before.ended is None
    assert fake.requests[OpCode.CREATE_SESSION] == 2


async def test_a_broken_connection_leads_to_the_next_server(autojump_clock, fake, zk):
    await trio.sleep(2)
    fake.cut()
    await zk.sync()
    assert len(set(fake.dialled)) == 2


async def test_every_server_is_tried(autojump_clock, fake):
    fake.down = {1, 2}
    async with fake.connect() as zk:
        await zk.create("/a")
    assert fake.dialled[-1] == 3


async def test_no_server_is_hammered_while_all_are_down(autojump_clock, fake, zk):
    fake.down = {-1}
    fake.cut()
    await trio.sleep(60)
    assert len(fake.dialled) < 300


async def test_requests_wait_for_a_connection_within_the_callers_scope(autojump_clock, fake, zk):
    fake.down = {-1}
    fake.cut()
    with trio.move_on_after(3) as scope:
        await zk.create("/late")
    assert scope.cancelled_caught
    fake.down = set()
    await zk.sync()
    assert await zk.exists("/late") is None


async def test_a_request_in_a_cancelled_scope_is_not_sent(autojump_clock, fake, zk):
    with trio.CancelScope() as scope:
        scope.cancel()
        await zk.create("/never")
    assert await zk.exists("/never") is None


async def test_a_cancelled_request_does_not_disturb_the_next(autojump_clock, fake, zk):
    with trio.CancelScope() as scope:
        fake.before(OpCode.CREATE2, scope.cancel)
        await zk.create("/a", b"1")
    assert scope.cancelled_caught
    assert (await zk.get("/a")).data == b"1"


async def test_a_session_that_expired_is_followed_by_a_new_one(autojump_clock, fake, zk):
    before = zk.session
    await zk.sync()  # what it has seen lets it tell afterwards that nothing was created
    fake.expire(before.id)
    await zk.create("/a")
    assert zk.session.id != before.id
    assert before.ended is not None


async def test_a_resume_that_gives_another_session_is_an_expiry(autojump_clock, fake, zk):
    before = zk.session
    fake.greet_with_new_session = True
    fake.cut()
    await until_quiet()
    assert before.ended is not None
    assert zk.session is not before


async def test_pings_keep_an_idle_session(autojump_clock, fake, zk):
    before = zk.session
    await trio.sleep(100)
    assert zk.session is before
    assert before.id in fake.sessions
    assert fake.requests[OpCode.CREATE_SESSION] == 1
    assert fake.requests[OpCode.PING] <= 35


async def test_reads_alone_do_not_replace_pings(autojump_clock, fake, zk):
    for _ in range(40):
        await zk.exists("/")
        await trio.sleep(0.5)
    assert fake.requests[OpCode.PING] >= 5


async def test_a_silent_server_is_left_within_two_thirds_of_the_timeout(autojump_clock, fake, zk):
    fake.mute = {OpCode.PING}
    await trio.sleep(zk.session.timeout * 2 / 3 + 0.1)
    assert fake.requests[OpCode.CREATE_SESSION] == 2


async def test_credentials_are_sent_on_every_connection_before_anything_else(autojump_clock, fake):
    async with fake.connect(auth=[("digest", "a:1")]) as zk:
        await zk.add_auth("digest", b"b:2")
        expected = [("digest", "a"), ("digest", "b"), ("ip", "127.0.0.1")]
        assert sorted(await zk.who_am_i()) == expected
        fake.cut()
        assert sorted(await zk.who_am_i()) == expected


async def test_a_refused_credential_is_raised_and_forgotten(autojump_clock, fake, zk):
    with pytest.raises(client.AuthFailed):
        await zk.add_auth("nonsense", "x")
    assert await zk.who_am_i() == [("ip", "127.0.0.1")]


async def test_a_credential_refused_at_the_start_fails_every_request(autojump_clock, fake):
    with pytest.raises(client.AuthFailed):
        async with fake.connect(auth=[("nonsense", "x")]) as zk:
            await zk.exists("/")


async def test_the_end_of_the_block_closes_the_session(autojump_clock, fake):
    async with fake.connect() as zk:
        await zk.create("/e", ephemeral=True)
        assert fake.tree.names("/") == ["e"]
    assert fake.sessions == {}
    assert fake.tree.names("/") == []


async def test_a_client_that_is_cancelled_before_it_begins_ends(autojump_clock, fake):
    with trio.CancelScope() as scope:
        scope.cancel()
        async with fake.connect():
            raise AssertionError("nobody waited for the session")
    assert scope.cancelled_caught


async def test_the_session_is_closed_also_when_the_block_is_cancelled(autojump_clock, fake):
    with trio.CancelScope() as scope:
        async with fake.connect():
            scope.cancel()
            await trio.sleep_forever()
    assert fake.sessions == {}


async def test_the_end_does_not_wait_for_a_server_that_says_nothing(autojump_clock, fake):
    async with fake.connect():
        fake.mute = {OpCode.CLOSE_SESSION}
        began = trio.current_time()
    assert trio.current_time() - began <= 1


async def test_an_error_of_the_body_comes_out_as_it_is(autojump_clock, fake):
    with pytest.raises(KeyError, match="mine") as caught:
        async with fake.connect():
            raise KeyError("mine")
    assert not isinstance(caught.value.__context__, BaseExceptionGroup)


async def test_after_the_block_requests_fail(autojump_clock, fake):
    async with fake.connect() as zk:
        pass
    with pytest.raises(client.ClientClosed):
        await zk.exists("/")


@pytest.mark.parametrize("use", ["lock", "lead", "read_lock", "member", "cache", "discover"])
async def test_after_the_block_no_other_can_be_entered(autojump_clock, fake, use):
    """What has tasks of its own says so too, and not that a nursery is closed."""
    async with fake.connect() as zk:
        pass
    with pytest.raises(client.ClientClosed):
        async with getattr(zk, use)("/a"):
            raise AssertionError


async def test_connecting_can_be_given_up(autojump_clock, fake):
    fake.down = {-1}
    with trio.move_on_after(5) as scope:
        async with fake.connect():
            raise AssertionError
    assert scope.cancelled_caught


async def test_a_server_that_accepts_and_says_nothing_does_not_hold_the_client_up(
    autojump_clock, fake
):
    async def open_stream(host: str, port: int):
        if port != 3:
            ours, theirs = trio.testing.memory_stream_pair()
            silent.append(theirs)
            return ours
        return await fake.open_stream(host, port)

    silent = []
    async with fake.connect(open_stream=open_stream) as zk:
        await zk.sync()
    assert trio.current_time() < 5


async def test_requests_under_way_are_bounded(autojump_clock, fake):
    fake.mute = {OpCode.EXISTS}
    async with fake.connect(in_flight=20) as zk, trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(zk.exists, "/")
        await trio.sleep(1)
        assert fake.requests[OpCode.EXISTS] == 20
        fake.mute = set()
        fake.cut()  # they are repeated, and the rest follows
    assert fake.requests[OpCode.EXISTS] == 20 + 30


async def test_a_request_too_large_for_a_frame_is_refused_before_it_is_sent(
    autojump_clock, fake, zk
):
    with pytest.raises(ValueError, match="limit"):
        await zk.create("/a", bytes(2**20))
    await zk.create("/a", b"small")
    assert fake.requests[OpCode.CREATE_SESSION] == 1


async def test_a_reply_out_of_turn_breaks_the_connection_and_nothing_else(autojump_clock, fake, zk):
    (connection,) = fake.connections
    connection.send(b"\0\0\0\x10" + (77).to_bytes(4) + bytes(12))
    await trio.sleep(0.1)
    assert await zk.exists("/") is not None
    assert fake.requests[OpCode.CREATE_SESSION] == 2


async def test_nothing_is_left_running_when_the_block_has_ended(autojump_clock, fake):
    tasks = len(trio.lowlevel.current_root_task().child_nurseries)
    async with fake.connect() as zk:
        await zk.sync()
    gc.collect()
    assert len(trio.lowlevel.current_root_task().child_nurseries) == tasks


def test_the_client_needs_nothing_but_trio_attrs_and_cattrs():
    program = """
import sys
for name in ("lmdb", "click", "rich", "structlog", "kazoo", "hypothesis", "pytest"):
    sys.modules[name] = None
import client
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=REPOSITORY)


@pytest.mark.parametrize(
    "ask",
    [
        lambda zk: zk.exists("/"),
        lambda zk: zk.sync(),
        lambda zk: zk.create("/a"),
        lambda zk: zk.counter("/n").add(1),
        lambda zk: zk.watch("/").__anext__(),
    ],
)
async def test_what_belongs_to_no_session_goes_on_in_the_next(autojump_clock, fake, zk, ask):
    before = zk.session
    fake.expire(before.id, quietly=True)  # the answer to the next request says so
    await ask(zk)
    assert before.ended is not None
    assert zk.session is not before


async def test_requests_that_prove_nothing_do_not_replace_pings(autojump_clock, fake, zk):
    async with zk.lock("/l") as held:
        for _ in range(40):
            fake.refuse_next(OpCode.CREATE2, client.NoAuth.code)
            with pytest.raises(client.NoAuth):
                await zk.create("/a")
            await trio.sleep(0.5)
            held.check()
