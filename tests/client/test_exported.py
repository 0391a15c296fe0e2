"""A session may outlive its client: another one goes on with it."""

import trio

import client
from coord.wire.numbers import OpCode


async def test_an_exported_session_is_resumed_with_all_that_it_has(autojump_clock, fake):
    async with fake.connect() as zk:
        await zk.create("/mine", ephemeral=True)
        exported = zk.export_session()
    assert fake.requests[OpCode.CLOSE_SESSION] == 0
    async with fake.connect(session=exported) as zk, zk.lock("/l") as held:
        assert zk.session.id == exported.id
        assert await zk.get_ephemerals("/mine") == ["/mine"]
        assert held.seconds_left() > 0
    assert fake.sessions == {}


async def test_what_was_held_is_given_back_though_the_session_goes_on(autojump_clock, fake):
    # Both leave while there is no connection, so neither waits to see it done.
    left = trio.Event()

    async def hold(zk: client.Client, path: str) -> None:
        async with zk.lock(path):
            await left.wait()

    async def come_back() -> None:
        await trio.sleep(1.2)
        fake.down.clear()

    async with fake.connect(close_timeout=5) as zk:
        exported = zk.export_session()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold, zk, "/a")
            nursery.start_soon(hold, zk, "/b")
            await trio.sleep(1)
            fake.down.add(-1)
            fake.cut()
            fake.start_soon(come_back)
            left.set()
    assert exported.id in fake.sessions
    assert fake.tree.names("/a") == fake.tree.names("/b") == []


async def test_one_that_has_expired_is_followed_by_a_new_one(autojump_clock, fake):
    async with fake.connect() as zk:
        exported = zk.export_session()
    fake.expire(exported.id)
    async with fake.connect(session=exported) as zk:
        assert zk.session.id != exported.id


async def test_one_that_a_server_replaces_without_a_word_is_not_taken_for_it(autojump_clock, fake):
    async with fake.connect() as zk:
        exported = zk.export_session()
    fake.greet_with_new_session = True
    async with fake.connect(session=exported) as zk:
        assert zk.session.id != exported.id


async def test_a_session_after_the_exported_one_is_closed(autojump_clock, fake):
    async with fake.connect() as zk:
        exported = zk.export_session()
        fake.expire(exported.id)
        await zk.sync()
        await trio.sleep(1)
    assert fake.sessions == {}


def test_the_password_is_not_shown():
    exported = client.ExportedSession(7, b"secret", 10.0, 5)
    assert "secret" not in repr(exported)
