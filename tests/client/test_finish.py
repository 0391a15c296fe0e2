"""The end of an entry of a queue of work: with its effect, once, and by who has claimed it."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio

import client
from coord.wire.numbers import OpCode
from tests.client import mishaps
from tests.client.quiet import until_quiet


async def test_an_entry_goes_together_with_the_effect_of_its_work(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    await queue.put(b"1")
    async with queue.claim() as claim:
        async with claim.finish() as both:
            both.create("/result", b"one")
        assert claim.is_finished
        fake.expire(zk.session.id)  # there is nothing left to lose
        await trio.sleep(1)
    assert (await zk.get("/result")).data == b"one"
    assert await queue.size() == 0


async def test_an_effect_that_fails_leaves_the_entry(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    await queue.put(b"1")
    with pytest.raises(client.NoNode, match="/none"):
        async with queue.claim() as claim, claim.finish() as both:
            both.create("/result")
            both.set_data("/none", b"")
    assert await queue.size() == 1
    assert await zk.exists("/result") is None


async def test_an_entry_whose_end_cannot_be_marked_stays(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    await queue.put(b"1")
    with pytest.raises(client.NoChildrenForEphemerals):
        async with queue.claim() as claim, claim.finish() as both:
            both.create("/result")
            fake.tree.delete("/q/marks")
            fake.tree.put("/q/marks", b"", owner=99)
    assert await queue.size() == 1
    assert await zk.exists("/result") is None


async def test_who_has_lost_a_claim_cannot_finish_the_entry(autojump_clock, fake, zk):
    # The process stood still: its session is over and another has the entry, but it runs on.
    queue = zk.queue("/q")
    await queue.put(b"1")
    async with fake.connect() as other:
        with pytest.raises(client.LockLost):
            async with queue.claim() as claim:
                await until_quiet()
                for name in fake.tree.names("/q/taken"):
                    fake.tree.remove(f"/q/taken/{name}")
                fake.tree._events.clear()  # without a word
                async with other.queue("/q").claim() as theirs:
                    assert theirs.token > claim.token
                    with pytest.raises(client.LockLost):
                        async with claim.finish() as both:
                            both.create("/result")
                    assert len(fake.tree.names("/q/taken")) == 1
                assert await zk.exists("/result") is None
    assert await queue.size() == 0


def entries(fake) -> list[str]:
    return fake.tree.names("/q/entries/0000000001")


async def finish_one(zk: client.Client) -> list[object]:
    async with zk.queue("/q").claim() as claim:
        async with claim.finish() as both:
            both.create("/result", b"one")
        return both.results


@pytest.mark.parametrize("kind", mishaps.KINDS)
async def test_an_effect_is_there_once_whatever_gets_lost(autojump_clock, fake, zk, kind):
    queue = zk.queue("/q")
    for name, mishap in mishaps.everywhere((OpCode.MULTI, OpCode.SYNC, OpCode.GET_DATA), kind):
        await queue.put(b"1")
        fake.before(OpCode.MULTI, lambda mishap=mishap: finish_meets(fake, kind, mishap))
        await finish_one(zk)
        fake.forget_mishaps()
        await zk.delete("/result")
        assert entries(fake) == fake.tree.names("/q/marks") == [], name


def finish_meets(fake, kind, mishap) -> None:
    mishaps.strike(fake, kind, OpCode.MULTI)
    mishap(fake)


async def test_an_entry_that_another_has_finished_was_not_finished_with_our_effect(
    autojump_clock, fake, zk
):
    await zk.queue("/q").put(b"1")

    def be_finished_by_another_hand() -> None:
        fake.tree.delete(f"/q/taken/{fake.tree.names('/q/taken')[0]}")
        fake.tree.delete(f"/q/entries/0000000001/{entries(fake)[0]}")

    fake.before(OpCode.MULTI, lambda: None)
    fake.drop_request(OpCode.MULTI, then=be_finished_by_another_hand)
    with pytest.raises(client.LockLost):
        await finish_one(zk)
    assert await zk.exists("/result") is None


async def test_a_claim_is_watched_again_when_its_finish_has_failed(autojump_clock, fake, zk):
    await zk.queue("/q").put(b"1")
    reached = False
    with pytest.raises(client.LockLost, match=r"deleted$"):
        async with zk.queue("/q").claim() as claim:
            with pytest.raises(client.NoNode):
                async with claim.finish() as both:
                    both.set_data("/none", b"")
            await until_quiet()
            fake.tree.delete(f"/q/taken/{fake.tree.names('/q/taken')[0]}")
            await trio.sleep(5)
            reached = True
    assert not reached
