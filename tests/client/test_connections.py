"""How a client gets and leaves its servers: attempts, being away, read-only servers, the end."""

# ruff: noqa: PT012, SIM117  (what raises, and what ends, is the whole block)

import os
import socket
import threading
from collections.abc import Callable

import pytest
import trio
import trio.testing

import client
from client import State
from coord.wire.numbers import OpCode
from tests.client.quiet import until_quiet
from tests.client.states import States

# Attempts.


async def test_a_server_that_does_not_answer_is_not_waited_for(autojump_clock, fake):
    """The next one is tried beside it, after a quarter of a second."""

    async def open_stream(host: str, port: int):
        if port != 3:
            await trio.sleep_forever()
        return await fake.open_stream(host, port)

    async with fake.connect(open_stream=open_stream) as zk:
        await zk.sync()
    assert trio.current_time() <= 0.5


async def test_a_connection_that_stands_too_late_is_closed(autojump_clock, fake):
    async def open_stream(host: str, port: int):
        with trio.CancelScope(shield=True):  # as an attempt that notices too late
            await trio.sleep(0.3)
            return await fake.open_stream(host, port)

    async with fake.connect("one:1,two:2", open_stream=open_stream) as zk:
        await zk.sync()
        await trio.sleep(1)
        assert fake.requests[OpCode.CREATE_SESSION] == 1
        assert len(fake.connections) == 1


class Names(trio.abc.HostnameResolver):
    """Names that move."""

    def __init__(self) -> None:
        self.port = 0
        self.asked = 0

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", self.port))]

    async def getnameinfo(self, sockaddr, flags):
        raise NotImplementedError


async def test_names_are_resolved_at_each_attempt():
    """A server that has moved to another address is found there, not looked for at the old one."""
    names = Names()
    trio.socket.set_custom_hostname_resolver(names)
    listeners = [trio.SocketListener(await _bound()) for _ in range(2)]
    greeted = trio.Event()

    async def first(stream: trio.SocketStream) -> None:
        names.port = listeners[1].socket.getsockname()[1]

    async def second(stream: trio.SocketStream) -> None:
        greeted.set()

    names.port = listeners[0].socket.getsockname()[1]
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, first, [listeners[0]])
            nursery.start_soon(trio.serve_listeners, second, [listeners[1]])
            nursery.start_soon(_connect, "moving.example:1")
            await greeted.wait()
            nursery.cancel_scope.cancel()
    assert names.asked >= 2


async def _bound() -> trio.socket.SocketType:
    sock = trio.socket.socket()
    await sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


async def _connect(hosts: str) -> None:
    async with client.connect(hosts):
        pass


async def test_a_server_is_told_what_the_client_has_seen(autojump_clock, fake):
    """So one that has seen less does not serve it: time does not run backwards."""
    async with fake.connect() as zk:
        for number in range(3):
            _, made = await zk.create(f"/{number}", include_data=True)
            fake.cut()
            await zk.exists("/")
            assert made.czxid <= fake.zxids[-1] <= fake.tree.zxid


# Away.


async def test_when_away_requests_fail_at_once_if_told_so(autojump_clock, fake):
    async with fake.connect(when_away="fail") as zk:
        await zk.create("/a", b"1")
        fake.down = {-1}
        fake.cut()
        await until_quiet()
        began = trio.current_time()
        for request in (zk.get("/a"), zk.set("/a", b""), zk.transaction().commit(), zk.sync()):
            with pytest.raises(client.Away):
                await request
        batch = zk.batch()
        answer = batch.get("/a")
        await batch.send()
        with pytest.raises(client.Away):
            answer.result()
        assert trio.current_time() == began
        assert zk.state is State.AWAY


async def test_what_goes_on_for_long_waits_in_either_case(autojump_clock, fake):
    async with fake.connect(when_away="fail") as zk, zk.watch("/a") as states:
        assert await anext(states) is None
        fake.down = {-1}
        fake.cut()
        await until_quiet()
        with trio.move_on_after(5):
            await anext(states)
            raise AssertionError
        fake.down = set()
        async with zk.lock("/x"):
            await zk.create("/a", b"1")
        assert (await anext(states)).data == b"1"


@pytest.mark.parametrize(
    ("opcode", "write"),
    [
        (OpCode.CREATE2, lambda zk: zk.create("/a")),
        (OpCode.CREATE2, lambda zk: zk.create("/a-", sequence=True)),
        (OpCode.SET_DATA, lambda zk: zk.set("/", b"")),
        (OpCode.DELETE, lambda zk: zk.delete("/gone", idempotent=True)),
        (OpCode.SET_ACL, lambda zk: zk.set_acls("/", client.OPEN_ACL)),
    ],
)
async def test_a_write_whose_reply_was_lost_is_unknown_when_nothing_can_be_read(
    autojump_clock, fake, opcode, write
):
    async with fake.connect(when_away="fail") as zk:
        fake.drop_reply(opcode, then=lambda: fake.down.add(-1))
        with pytest.raises(client.OutcomeUnknown):
            await write(zk)


# Read-only servers.


async def test_a_read_only_server_is_refused_unless_permitted(autojump_clock, fake):
    fake.alone = {1, 2, 3}
    with trio.move_on_after(10) as scope:
        async with fake.connect():
            raise AssertionError
    assert scope.cancelled_caught


async def test_a_read_only_server_answers_reads_and_refuses_writes(autojump_clock, fake):
    fake.tree.put("/a", b"1")
    fake.alone, fake.down = {2}, {1, 3}
    async with fake.connect(read_only=True) as zk:
        assert zk.state is State.READ_ONLY
        assert (await zk.get("/a")).data == b"1"
        with pytest.raises(client.NotReadOnly):
            await zk.set("/a", b"2")
        with pytest.raises(client.Away):
            _ = zk.session


async def test_a_better_server_is_looked_for_and_taken_at_once(autojump_clock, fake):
    states = States()
    fake.alone = {1, 2, 3}
    async with fake.connect(read_only=True, instruments=[states]) as zk, zk.watch("/a") as watch:
        assert await anext(watch) is None
        fake.alone = {2, 3}
        with trio.fail_after(3):
            await states.wait(State.CONNECTED)
        await zk.create("/a", b"1")
        assert (await anext(watch)).data == b"1"
        assert zk.session.id > 0
    assert states.told == [State.READ_ONLY, State.CONNECTED, State.CLOSED]


async def test_the_session_is_resumed_after_a_time_on_a_read_only_server(autojump_clock, fake):
    states = States()
    async with fake.connect(read_only=True, instruments=[states]) as zk:
        session = zk.session
        await zk.create("/e", ephemeral=True)
        fake.alone = {1, 2, 3}
        fake.cut()
        assert await zk.exists("/e") is not None
        assert zk.state is State.READ_ONLY
        fake.alone = set()
        await states.wait(State.CONNECTED)
        assert zk.session is session
        assert await zk.exists("/e") is not None
    assert states.told == [
        State.CONNECTED,
        State.AWAY,
        State.READ_ONLY,
        State.CONNECTED,
        State.CLOSED,
    ]


async def test_a_lock_is_not_proved_by_a_read_only_server(autojump_clock, fake):
    async with fake.connect(read_only=True) as zk:
        with pytest.raises(client.LockLost):
            async with zk.lock("/x"):
                fake.alone = {1, 2, 3}
                fake.cut()
                await trio.sleep(60)
        fake.alone = set()


async def test_what_is_pinned_to_the_session_waits_for_it(autojump_clock, fake):
    states = States()
    async with fake.connect(read_only=True, instruments=[states]) as zk:
        session = zk.session
        fake.alone = {1, 2, 3}
        fake.cut()
        await states.wait(State.READ_ONLY)
        with trio.move_on_after(1):
            await zk._calls.exists("/", session=session)
            raise AssertionError
        fake.alone = set()
        assert await zk._calls.exists("/", session=session) is not None


async def test_a_session_that_ended_meanwhile_is_followed_by_a_new_one(autojump_clock, fake):
    states = States()
    async with fake.connect(read_only=True, instruments=[states]) as zk:
        session = zk.session
        fake.alone = {1, 2, 3}
        fake.cut()
        await zk.exists("/")
        await trio.sleep(session.timeout + 1)
        fake.alone = set()
        await states.wait(State.CONNECTED)
        assert zk.session is not session
        assert session.ended is not None


# States.


async def test_states_are_told_in_order(autojump_clock, fake):
    states = States()
    async with fake.connect(instruments=[states]) as zk:
        fake.expire(zk.session.id)
        await zk.sync()
        assert zk.state is State.CONNECTED
    assert states.told == [
        State.CONNECTED,
        State.AWAY,
        State.EXPIRED,
        State.CONNECTED,
        State.CLOSED,
    ]
    assert zk.state is State.CLOSED


# The end.


async def test_the_end_waits_for_requests_that_wait_for_their_turn(autojump_clock, fake):
    """Requests that others made before the block ended are sent, not dropped."""
    async with trio.open_nursery() as nursery:
        async with fake.connect(in_flight=1) as zk:
            for number in range(10):
                nursery.start_soon(zk.create, f"/n{number}")
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()  # all of them have begun
            assert len(fake.tree.names("/")) < 10
    assert len(fake.tree.names("/")) == 10
    assert fake.sessions == {}


async def test_the_end_comes_in_time_also_when_nobody_answers(autojump_clock, fake):
    fake.mute = {OpCode.CREATE2}
    failed = []

    async def create(zk: client.Client, path: str) -> None:
        try:
            await zk.create(path)
        except (client.ClientClosed, client.OutcomeUnknown) as error:
            failed.append(type(error))

    async with trio.open_nursery() as nursery:
        async with fake.connect(in_flight=1, close_timeout=0.5) as zk:
            nursery.start_soon(create, zk, "/a")
            nursery.start_soon(create, zk, "/b")
            await until_quiet()
            began = trio.current_time()
    assert trio.current_time() - began <= 0.5
    assert sorted(each.__name__ for each in failed) == ["ClientClosed", "OutcomeUnknown"]


async def test_no_request_is_taken_after_the_end_began(autojump_clock, fake):
    async def late(zk: client.Client) -> None:
        await until_quiet()
        assert zk.state is State.CLOSED
        with pytest.raises(client.ClientClosed):
            await zk.create("/late")

    async with trio.open_nursery() as nursery, fake.connect() as zk:
        nursery.start_soon(late, zk)
        fake.mute = {OpCode.CLOSE_SESSION}
    assert fake.tree.names("/") == []


# Elsewhere.


def said_in_a_fork(speak: Callable[[], bytes]) -> bytes:
    """Call this in a copy of this process; return what it returned there, b"" when it raised."""
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(sending, speak())
        finally:
            os._exit(0)
    os.close(sending)
    said = os.read(receiving, 1000)
    os.close(receiving)
    os.waitpid(child, 0)  # it has ended
    return said


async def test_use_after_a_fork_raises_at_once(autojump_clock, fake, zk):
    """In the child there are neither the tasks nor the connection: nothing would ever answer."""
    await zk.create("/a")

    def use() -> bytes:
        with pytest.raises(client.ForeignUse):
            zk.get("/a").send(None)
        return b"raised"

    assert said_in_a_fork(use) == b"raised"
    await zk.get("/a")


async def test_a_fork_does_not_end_the_session_of_its_parent(autojump_clock, fake):
    """Where the child leaves the block as well, as sys.exit does, it says nothing to the server."""
    connected = fake.connect()
    zk = await connected.__aenter__()

    def leave() -> bytes:
        connected.__aexit__(None, None, None).send(None)
        return repr(zk.pending()).encode()

    assert said_in_a_fork(leave) == b"[]"
    await connected.__aexit__(None, None, None)
    assert fake.sessions == {}


async def test_use_in_another_run_of_trio_raises_at_once(autojump_clock, fake, zk):
    raised = []

    def elsewhere() -> None:
        try:
            trio.run(zk.exists, "/")
        except client.ForeignUse as error:
            raised.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(raised) == 1
