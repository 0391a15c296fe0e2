"""What a client waits for can be seen, also when it waits in vain."""

import logging

import pytest
import trio

import client
from coord.wire.numbers import OpCode
from tests.client.quiet import until_quiet


def seen(zk: client.Client) -> list[tuple[str, str, bool]]:
    return [(each.operation, each.path, each.is_sent) for each in zk.pending()]


async def test_requests_are_seen_until_they_are_answered(autojump_clock, fake):
    fake.mute = {OpCode.GET_DATA}
    async with fake.connect(in_flight=1) as zk, trio.open_nursery() as nursery:
        nursery.start_soon(zk.get, "/")
        await trio.sleep(1)
        nursery.start_soon(zk.exists, "/")
        await trio.sleep(1)
        sent, waiting = zk.pending()
        assert sent == client.PendingRequest("get_data", "/", 2.0, True, zk.session)
        assert waiting == client.PendingRequest("exists", "/", 1.0, False, None)
        assert [str(sent), str(waiting)] == [
            "get_data / (sent 2.0 s ago)",
            "exists / (waits 1.0 s)",
        ]
        fake.mute = set()
        fake.cut()
    assert zk.pending() == []


async def test_paths_are_those_of_the_client(autojump_clock, fake):
    fake.tree.put("/app", b"")
    async with fake.connect("one:1/app") as zk, trio.open_nursery() as nursery:
        fake.mute = {OpCode.GET_DATA, OpCode.WHO_AM_I}
        nursery.start_soon(zk.get, "/a")
        nursery.start_soon(zk.who_am_i)
        await until_quiet()
        assert sorted(seen(zk)) == [("get_data", "/a", True), ("who_am_i", "", True)]
        nursery.cancel_scope.cancel()


async def test_every_request_of_a_batch_is_seen(autojump_clock, fake):
    fake.mute = {OpCode.EXISTS}
    async with fake.connect(in_flight=2) as zk, trio.open_nursery() as nursery:
        batch = zk.batch()
        for path in ("/a", "/b", "/c"):
            batch.exists(path)
        nursery.start_soon(batch.send)
        await until_quiet()
        assert seen(zk) == [("exists", path, path != "/c") for path in ("/a", "/b", "/c")]
        nursery.cancel_scope.cancel()


async def test_what_is_pinned_is_seen_with_its_session(autojump_clock, fake, zk):
    async with zk.lock("/l") as held, trio.open_nursery() as nursery:
        fake.down = {-1}
        fake.cut()
        await until_quiet()
        nursery.start_soon(held.client.create, "/a")
        await trio.sleep(1)
        (waiting,) = (each for each in zk.pending() if each.operation == "multi")
        assert waiting.session is held.session
        assert not waiting.is_sent
        fake.down = set()


async def test_one_that_was_cancelled_is_logged_and_seen_until_its_reply(
    autojump_clock, fake, zk, caplog
):
    caplog.set_level(logging.DEBUG, "client")
    fake.mute = {OpCode.GET_DATA}
    with trio.move_on_after(1):
        await zk.get("/a")
    assert seen(zk) == [("get_data", "/a", True)]
    assert [each.message for each in caplog.records] == [
        "nobody waits for the reply to get_data /a"
    ]
    fake.cut()
    await until_quiet()
    assert zk.pending() == []


async def test_the_end_says_what_it_leaves_without_an_outcome(autojump_clock, fake, caplog):
    caplog.set_level(logging.DEBUG, "client")
    fake.mute = {OpCode.CREATE2}
    async with trio.open_nursery() as nursery, fake.connect(in_flight=1) as zk:
        for path in ("/a", "/b"):
            nursery.start_soon(create, zk, path)
            await until_quiet()
    ends = [each.message for each in caplog.records if each.message.startswith("closed")]
    assert ends == [
        "closed with 2 without an outcome, first: "
        "create2 /a (sent 1.0 s ago), create2 /b (waits 1.0 s)"
    ]


async def create(zk: client.Client, path: str) -> None:
    with pytest.raises((client.ClientClosed, client.OutcomeUnknown)):
        await zk.create(path)


async def test_an_orderly_end_leaves_nothing(autojump_clock, fake, caplog):
    caplog.set_level(logging.DEBUG, "client")
    async with fake.connect() as zk:
        await zk.create("/a")
    assert not [each for each in caplog.records if each.message.startswith("closed")]
