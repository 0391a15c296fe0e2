"""A client and real replicas that lose each other: it reads from one alone, and comes back."""

import pytest
import trio

import client
import client.testing
from client import State
from tests.client.states import States


async def test_one_replica_alone_is_read_from_until_the_others_are_back(autojump_clock):
    states = States()
    with trio.fail_after(100):
        async with (
            client.testing.ensemble() as servers,
            servers.connect(read_only=True, session_timeout=20, instruments=[states]) as zk,
            zk.watch("/a") as watch,
        ):
            await zk.create("/a", b"1")
            assert (await anext(watch)).data == b"1"
            session = zk.session
            servers.stop(1)
            servers.stop(2)
            await states.wait(State.READ_ONLY)
            assert (await zk.get("/a")).data == b"1"
            with pytest.raises(client.NotReadOnly):
                await zk.set("/a", b"2")
            servers.start(1)
            await states.wait(State.CONNECTED)
            assert zk.session is session
            await zk.set("/a", b"2")
            assert (await anext(watch)).data == b"2"
    assert State.EXPIRED not in states.told


async def test_a_client_that_must_write_does_not_take_one_alone(autojump_clock):
    with trio.fail_after(100):
        async with client.testing.ensemble() as servers, servers.connect(session_timeout=20) as zk:
            servers.stop(1)
            servers.stop(2)
            with trio.move_on_after(30) as scope:
                while True:
                    await zk.set("/", b"")
                    await trio.sleep(1)
            assert scope.cancelled_caught
            assert zk.state is State.AWAY
            servers.start(2)
            await zk.set("/", b"")
