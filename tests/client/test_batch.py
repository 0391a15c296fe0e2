"""Many requests at once."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio
import trio.testing

import client
from coord.wire.numbers import OpCode
from tests.client.quiet import until_quiet


async def test_a_batch_gives_each_request_its_outcome(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    async with zk.batch() as batch:
        data = batch.get("/a")
        made = batch.create("/a/n-", b"", sequence=True)
        stat = batch.set("/a", b"2", 0)
        stale = batch.set("/a", b"3", 0)
        there, missing = batch.exists("/a"), batch.exists("/b")
        none = batch.get("/b")
        names = batch.get_children("/a")
        gone = batch.delete("/a/n-0000000000")
    assert data.result().data == b"1"
    assert made.result() == "/a/n-0000000000"
    assert stat.result().version == 1
    with pytest.raises(client.BadVersion):
        stale.result()
    assert there.result() == stat.result()._replace(
        cversion=1, num_children=1, pzxid=there.result().pzxid
    )
    assert missing.result() is None
    with pytest.raises(client.NoNode, match="/b"):
        none.result()
    assert names.result() == ["n-0000000000"]
    assert gone.result() is None


async def test_a_batch_larger_than_the_window_is_sent_in_order(autojump_clock, fake):
    async with fake.connect(in_flight=7) as zk:
        await zk.create("/a")
        async with zk.batch() as batch:
            made = [batch.create("/a/n-", sequence=True) for _ in range(100)]
        assert [each.result() for each in made] == [f"/a/n-{number:010}" for number in range(100)]


async def test_a_batch_is_sent_below_the_chroot(autojump_clock, fake, zk):
    await zk.create("/app")
    async with fake.connect("one:1/app") as inner:
        async with inner.batch() as batch:
            made = batch.create("/n-", sequence=True)
            wrong = batch.get("/none")
        assert made.result() == "/n-0000000000"
        with pytest.raises(client.NoNode):
            wrong.result()


async def test_reads_of_a_batch_are_repeated_and_lost_writes_are_unknown(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    fake.drop_reply(OpCode.SET_DATA)
    async with zk.batch() as batch:
        before = batch.get("/a")
        lost = batch.set("/a", b"2")
        after = batch.get("/a")
    assert before.result().data == b"1"
    with pytest.raises(client.OutcomeUnknown, match=r"^set /a:"):
        lost.result()
    assert after.result().data == b"2"
    assert fake.tree.nodes["/a"].version == 1


async def test_a_batch_cut_at_any_request_writes_nothing_twice(autojump_clock, fake, zk):
    for number in range(1, 10):
        await zk.create(f"/{number}")
        for _ in range(number - 1):
            fake.before(OpCode.CREATE, lambda: None)
        fake.drop_request(OpCode.CREATE)
        async with zk.batch() as batch:
            made = [batch.create(f"/{number}/n-", sequence=True) for _ in range(9)]
        known = 0
        for each in made:
            try:
                each.result()
            except client.OutcomeUnknown:
                continue
            known += 1
        assert known <= len(await zk.get_children(f"/{number}")) <= 9
        fake.forget_mishaps()


class Stuck(trio.abc.Stream):
    """A stream that takes no more bytes once it is told so."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.is_stuck = False

    async def send_all(self, data: bytes) -> None:
        if self.is_stuck:
            await trio.sleep_forever()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_a_batch_that_was_never_handed_over_is_sent_again(autojump_clock, fake):
    streams: list[Stuck] = []

    async def open_stream(host: str, port: int) -> Stuck:
        streams.append(Stuck(await fake.open_stream(host, port)))
        return streams[-1]

    async with fake.connect(open_stream=open_stream) as zk, trio.open_nursery() as nursery:
        await zk.create("/a")
        streams[-1].is_stuck = True
        nursery.start_soon(zk.exists, "/")  # fills the connection
        await until_quiet()
        batch = zk.batch()
        changed = [batch.set("/a", b"") for _ in range(5)]
        nursery.start_soon(batch.send)
        await until_quiet()
        fake.cut()
    assert [each.result().version for each in changed] == [1, 2, 3, 4, 5]


async def test_what_cannot_be_sent_is_the_outcome_of_its_request_alone(autojump_clock, fake, zk):
    async with zk.batch() as batch:
        large = batch.create("/a", bytes(2**20))
        small = batch.create("/b", b"x")
    with pytest.raises(ValueError, match="limit"):
        large.result()
    assert small.result() == "/b"


async def test_an_outcome_is_not_there_before_the_batch_was_sent(autojump_clock, fake, zk):
    batch = zk.batch()
    answer = batch.get("/")
    with pytest.raises(RuntimeError, match="sent"):
        answer.result()
    await batch.send()
    assert answer.result().data == b""
    await batch.send()  # nothing is left
    with pytest.raises(KeyError):
        async with zk.batch() as other:
            other.create("/never")
            raise KeyError
    assert await zk.exists("/never") is None


async def test_a_cancelled_batch_does_not_disturb_what_follows(autojump_clock, fake, zk):
    with trio.CancelScope() as scope:
        fake.before(OpCode.EXISTS, scope.cancel)
        async with zk.batch() as batch:
            for _ in range(10):
                batch.exists("/")
    assert scope.cancelled_caught
    assert await zk.create("/a") == "/a"
