"""The queue of work: one worker at a time for an entry, and no entry lost or put twice."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio
from trio._core import _run

import client
from client.recipes import once
from coord.wire.numbers import OpCode
from tests.client import mishaps
from tests.client.cancelling import MISHAPS, leaves_nothing
from tests.client.mishaps import steps_that_leave_nothing
from tests.client.quiet import until_quiet

SOME = sorted(MISHAPS)[:: min(4, mishaps.STRIDE)]


def names(fake, part: str) -> list[str]:
    """The znodes two levels below a part of the queue."""
    return [
        name for bucket in fake.tree.names(f"/q/{part}")
        for name in fake.tree.names(f"/q/{part}/{bucket}")
    ]  # fmt: skip


async def test_entries_are_worked_on_in_the_order_they_were_put(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    ids = [await queue.put(b"%d" % number) for number in range(5)]
    assert await queue.size() == 5
    for number in range(5):
        async with queue.claim() as claim:
            assert (claim.id, claim.data, claim.attempt) == (ids[number], b"%d" % number, 1)
    assert await queue.size() == 0
    await zk.sync()
    assert names(fake, "entries") == fake.tree.names("/q/taken") == []
    assert fake.tree.names("/q/marks") == []


async def test_without_waiting_it_would_block(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    await queue.put(b"1")
    async with queue.claim(wait=False):
        with pytest.raises(trio.WouldBlock):
            async with queue.claim(wait=False):
                raise AssertionError


async def test_a_claim_waits_for_an_entry_and_leaves_it_to_one_only(autojump_clock, fake, zk):
    got = []

    async def work(zk: client.Client) -> None:
        async with zk.queue("/q").claim() as claim:
            got.append(claim.data)
            await trio.sleep(1)

    async with fake.connect() as other, trio.open_nursery() as nursery:
        for who in (zk, other, zk):
            nursery.start_soon(work, who)
        await until_quiet()
        for number in range(3):
            await other.queue("/q").put(b"%d" % number)
    assert sorted(got) == [b"0", b"1", b"2"]


async def test_a_claim_has_a_token_and_a_guard(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    await queue.put(b"1")
    with pytest.raises(ZeroDivisionError):
        async with queue.claim() as claim:
            first = claim.token
            await zk.counter("/c").add(guard=claim.guard())
            raise ZeroDivisionError
    async with queue.claim() as claim:
        assert claim.token > first
        guard = claim.guard()
    with pytest.raises(client.NoNode):
        await zk.counter("/c").add(guard=guard)


async def test_an_entry_whose_work_failed_is_there_again_and_dead_in_the_end(
    autojump_clock, fake, zk
):
    queue = zk.queue("/q", attempts=3)
    id_ = await queue.put(b"bad")
    for attempt in (1, 2, 3):
        with pytest.raises(ZeroDivisionError):
            async with queue.claim(wait=False) as claim:
                assert (claim.attempt, claim.is_last_attempt) == (attempt, attempt == 3)
                raise ZeroDivisionError
    with pytest.raises(trio.WouldBlock):
        async with queue.claim(wait=False):
            raise AssertionError
    assert await queue.dead() == [client.Entry(id_, b"bad")]
    assert await queue.size() == 0
    assert fake.tree.names("/q/taken") == []


async def test_an_entry_that_kills_its_workers_is_dead_in_the_end(autojump_clock, fake, zk):
    queue = zk.queue("/q", attempts=2)
    await queue.put(b"killer")
    for _ in range(2):
        with pytest.raises(client.LockLost):
            async with queue.claim():
                fake.expire(zk.session.id)
                await trio.sleep_forever()
    with pytest.raises(trio.WouldBlock):
        async with queue.claim(wait=False):
            raise AssertionError
    assert [entry.data for entry in await queue.dead()] == [b"killer"]


async def test_a_lost_session_cancels_the_worker_and_frees_the_entry(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    await queue.put(b"1")
    reached = False
    with pytest.raises(client.LockLost, match="expired"):
        async with queue.claim():
            fake.expire(zk.session.id)
            await trio.sleep(5)
            reached = True
    assert not reached
    async with queue.claim() as claim:
        assert claim.attempt == 2


async def test_a_cancelled_worker_gives_the_entry_back(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    await queue.put(b"1")
    with trio.move_on_after(1):
        async with queue.claim():
            await trio.sleep_forever()
    assert fake.tree.names("/q/taken") == []
    assert await queue.size() == 1


async def test_who_gives_up_a_claim_it_never_got_does_not_take_away_anothers(autojump_clock, fake):
    async with fake.connect("one:1") as zk, fake.connect("two:2") as other:
        await zk.queue("/q").put(b"1")

        def cut_off() -> None:
            fake.down = {1}

        fake.drop_request(OpCode.MULTI, then=cut_off)
        with trio.move_on_after(1):
            async with zk.queue("/q").claim():
                raise AssertionError
        async with other.queue("/q").claim():
            fake.down = set()
            await trio.sleep(5)
            assert len(fake.tree.names("/q/taken")) == 1
        assert await other.queue("/q").size() == 0


async def test_marks_of_dead_producers_are_swept(autojump_clock, fake, zk):
    queue = zk.queue("/q")
    await queue.put(b"1")
    for number in range(once.MARKS_MAX):
        fake.tree.put(f"/q/marks/op-{number}", b"")
    fake.tree.zxid += 3600  # a second each, by the clock of the fake
    fake.drop_reply(OpCode.CREATE2)
    await zk.queue("/q").put(b"2")
    assert len(fake.tree.names("/q/marks")) >= once.MARKS_MAX
    await zk.queue("/q").put(b"3")
    await zk.sync()
    assert len(fake.tree.names("/q/marks")) <= 1  # that whose reply was lost goes with its session


async def test_an_entry_is_put_whatever_becomes_of_the_sweep(autojump_clock, fake, zk):
    await zk.queue("/q").put(b"1")
    for number in range(once.MARKS_MAX):
        fake.tree.put(f"/q/marks/op-{number}", b"")
    fake.refuse_next(OpCode.CREATE2, client.QuotaExceeded.code)
    await zk.queue("/q").put(b"2")
    assert await zk.queue("/q").size() == 2


async def test_buckets_take_a_bounded_number_of_entries_and_go_when_empty(autojump_clock, fake, zk):
    queue = zk.queue("/q", bucket_entries=3)
    for number in range(8):
        await queue.put(b"%d" % number)
    buckets = fake.tree.names("/q/entries")
    assert [len(fake.tree.names(f"/q/entries/{each}")) for each in buckets] == [3, 3, 2]
    for number in range(8):
        async with queue.claim() as claim:
            assert claim.data == b"%d" % number
    with pytest.raises(trio.WouldBlock):
        async with queue.claim(wait=False):
            raise AssertionError
    assert fake.tree.names("/q/entries") == buckets[-1:]
    await queue.put(b"8")
    await queue.put(b"9")
    assert fake.tree.names("/q/entries") == ["0000000003", "0000000004"]


@pytest.mark.parametrize("kind", mishaps.KINDS)
async def test_a_put_is_done_once_whatever_gets_lost_even_if_the_entry_is_gone_by_then(
    autojump_clock, fake, zk, kind
):
    queue = zk.queue("/q")
    await queue.put(b"0")

    def consume() -> None:
        for bucket in fake.tree.names("/q/entries"):
            for name in fake.tree.names(f"/q/entries/{bucket}"):
                fake.tree.delete(f"/q/entries/{bucket}/{name}")
                consumed.append(name)

    for name, mishap in mishaps.everywhere((OpCode.MULTI, OpCode.SYNC, OpCode.GET_DATA), kind):
        for eager in (False, True):
            consumed: list[str] = []
            consume()
            del consumed[:]
            mishaps.strike(fake, kind, OpCode.MULTI)
            mishap(fake)
            if eager:
                fake.before(OpCode.GET_DATA, consume)
            id_ = await queue.put(b"1")
            fake.forget_mishaps()
            consume()
            assert [each.rpartition("-")[0] for each in consumed] == [id_], name


@pytest.mark.parametrize("kind", mishaps.KINDS)
async def test_a_claim_and_its_end_are_right_whatever_gets_lost(autojump_clock, fake, zk, kind):
    queue = zk.queue("/q")
    for name, mishap in mishaps.everywhere((OpCode.MULTI, OpCode.SYNC, OpCode.GET_DATA), kind):
        await queue.put(b"1")
        mishaps.strike(fake, kind, OpCode.MULTI)
        mishap(fake)
        async with queue.claim() as claim:
            assert fake.tree.names("/q/taken") == [f"{claim.id}-{int(claim_number(fake)):010d}"]
            mishaps.strike(fake, kind, OpCode.MULTI)
        fake.forget_mishaps()
        await zk.sync()
        assert names(fake, "entries") == fake.tree.names("/q/taken") == [], name


def claim_number(fake) -> str:
    return fake.tree.names("/q/taken")[0].rpartition("-")[2]


def claim_one(zk: client.Client):
    return zk.queue("/q").claim()


def put_one(fake) -> None:
    """Let there be one entry, never claimed before."""
    for path in ("/q", "/q/entries", "/q/entries/0000000001", "/q/taken", "/q/dead", "/q/marks"):
        if path not in fake.tree.nodes:
            fake.tree.put(path, b"")
    for name in names(fake, "entries"):
        fake.tree.delete(f"/q/entries/0000000001/{name}")
    number = fake.tree.nodes["/q/entries/0000000001"].creates
    fake.tree.put(f"/q/entries/0000000001/{'0' * 32}-{number:010d}", b"1")


@pytest.mark.parametrize("mishap", SOME)
async def test_a_claim_that_is_cancelled_at_a_checkpoint_is_given_back_or_finished(
    autojump_clock, fake, zk, mishap
):
    # The harness claims once more at the end, without a mishap and without waiting.
    count = await leaves_nothing(fake, zk, claim_one, mishap, prepare=lambda: put_two(fake))
    assert count > 5


def put_two(fake) -> None:
    put_one(fake)
    number = fake.tree.nodes["/q/entries/0000000001"].creates
    fake.tree.put(f"/q/entries/0000000001/{'1' * 32}-{number:010d}", b"2")


@pytest.fixture
def deterministic_scheduling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)


@pytest.mark.parametrize("seed", range(3))
async def test_a_claim_that_is_cancelled_at_a_step_of_any_task_is_given_back_or_finished(
    deterministic_scheduling, autojump_clock, fake, zk, seed
):
    # In different orders of the tasks: the one that watches the claim may not have run at all yet.
    mishaps.make_repeatable(seed)
    assert await steps_that_leave_nothing(fake, zk, claim_one, put_one) > 20


async def test_workers_on_a_real_server(hosts):
    async with client.connect(hosts) as zk, client.connect(hosts) as other:
        queue = zk.queue("/q", attempts=2, bucket_entries=5)
        ids = [await queue.put(b"%d" % number) for number in range(12)]

        async def work(zk: client.Client) -> None:
            for _ in range(6):
                async with zk.queue("/q").claim() as claim, claim.finish() as both:
                    both.create(f"/done-{claim.id}", claim.data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, zk)
            nursery.start_soon(work, other)
        await zk.sync()
        done = [name for name in await zk.get_children("/") if name.startswith("done-")]
        assert sorted(done) == sorted(f"done-{each}" for each in ids)
        assert await queue.size() == 0
        await queue.put(b"bad")
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                async with queue.claim():
                    raise ZeroDivisionError
        assert [entry.data for entry in await queue.dead()] == [b"bad"]
        assert await zk.get_children("/q/taken") == []
