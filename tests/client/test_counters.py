"""Counters and values: every change is carried out exactly once, whatever becomes of its reply."""

import pytest
import trio

import client
from client.recipes import once
from coord.wire.numbers import OpCode
from tests.client import mishaps
from tests.client.quiet import until_quiet

WHILE_ADDING = (OpCode.GET_DATA, OpCode.MULTI, OpCode.SYNC, OpCode.EXISTS)
"""What is asked for while one looks into what became of a change."""


async def test_a_counter_counts(autojump_clock, fake, zk):
    counter = zk.counter("/stats/served")
    assert await counter.get() == 0
    assert [await counter.add(), await counter.add(10), await counter.add(-4)] == [1, 11, 7]
    assert (await zk.get("/stats/served")).data == b"7"
    await counter.set(3)
    assert await counter.get() == 3


async def test_nothing_but_the_value_stays_behind(autojump_clock, fake, zk):
    await zk.counter("/c").add()
    await zk.sync()
    assert fake.tree.names("/c") == []


async def test_a_client_that_ends_at_once_leaves_no_mark(autojump_clock, fake):
    async with fake.connect() as zk:
        await zk.counter("/c").add()
    assert fake.tree.names("/c") == []


async def test_what_is_no_number_is_not_counted(autojump_clock, fake, zk):
    await zk.create("/c", b"many")
    with pytest.raises(ValueError, match="/c holds no number"):
        await zk.counter("/c").add()
    assert (await zk.get("/c")).data == b"many"


@pytest.mark.parametrize(
    ("kind", "disturbed", "expires"),
    [
        ("reply", False, False),
        ("reply", True, False),
        ("reply", True, True),
        ("defer", True, False),
    ],
    ids=["alone", "among others", "and the session expires", "and the change comes late"],
)
async def test_a_lost_reply_never_counts_twice(autojump_clock, fake, zk, kind, disturbed, expires):
    counter = zk.counter("/c")
    others = 0

    def add_by_another_hand() -> None:
        nonlocal others
        others += 1
        number = int(fake.tree.nodes["/c"].data or b"0")
        fake.tree.put("/c", b"%d" % (number + 1))

    cases = mishaps.everywhere(WHILE_ADDING, kind)
    for number, (name, mishap) in enumerate(cases, 1):
        mishaps.strike(fake, kind, OpCode.MULTI)
        mishap(fake)
        if expires:
            fake.before(OpCode.SYNC, lambda: fake.expire(zk.session.id))
        if disturbed:  # another client adds one in between: to the same bytes as ours, one later
            fake.before(OpCode.SYNC, add_by_another_hand)
        await counter.add()
        fake.forget_mishaps()
        await zk.sync()
        assert fake.tree.nodes["/c"].data == b"%d" % (number + others), name
    assert others > 2 or not disturbed


async def test_a_second_loss_while_the_first_is_looked_into_is_no_harm(autojump_clock, fake, zk):
    counter = zk.counter("/c")
    for expected in range(1, 4):
        for opcode in WHILE_ADDING:
            fake.drop_reply(opcode)
        assert await counter.add() == expected
        fake.forget_mishaps()
    assert fake.tree.nodes["/c"].data == b"3"


async def test_the_same_change_by_another_is_not_taken_for_ours(autojump_clock, fake, zk):
    # Without a mark, both would see the version they expect with the bytes they wrote.
    await zk.create("/c", b"1")
    fake.drop_request(OpCode.MULTI, then=lambda: fake.tree.put("/c", b"2"))
    assert await zk.counter("/c").add() == 3


async def test_a_change_that_was_overwritten_since_is_known_by_its_mark(autojump_clock, fake, zk):
    await zk.create("/v", b"1")
    fake.drop_reply(OpCode.MULTI, then=lambda: fake.tree.put("/v", b"theirs"))
    assert await zk.value("/v").compare_and_set(b"1", b"2")
    assert await zk.value("/v").get() == b"theirs"


async def test_who_deletes_the_counter_meanwhile_makes_it_unknown(autojump_clock, fake, zk):
    await zk.create("/c", b"1")

    def delete_and_make_anew() -> None:
        for name in fake.tree.names("/c"):
            fake.tree.delete(f"/c/{name}")
        fake.tree.delete("/c")
        fake.tree.put("/c", b"1")

    fake.drop_reply(OpCode.MULTI, then=delete_and_make_anew)
    with pytest.raises(client.OutcomeUnknown, match="update /c"):
        await zk.counter("/c").add()


async def test_who_was_in_doubt_for_too_long_does_not_guess(autojump_clock, fake):
    # Others sweep marks that are old: then a mark that is missing says nothing.
    asleep = 0.0

    def fall_asleep() -> None:
        nonlocal asleep
        asleep = once.MARK_SECONDS_MAX
        fake.tree.delete(f"/c/{fake.tree.names('/c')[0]}")

    async with fake.connect(clock=lambda: trio.current_time() + asleep) as zk:
        await zk.create("/c", b"1")
        fake.drop_reply(OpCode.MULTI, then=fall_asleep)
        with pytest.raises(client.OutcomeUnknown):
            await zk.counter("/c").add()


async def test_marks_of_dead_clients_are_swept_when_there_are_many(autojump_clock, fake, zk):
    counter = zk.counter("/c")
    await counter.add()
    for number in range(once.MARKS_MAX + 1):
        fake.tree.put(f"/c/op-{number}", b"")
    fake.tree.put("/c/mine", b"")
    await counter.add()
    assert len(fake.tree.names("/c")) > once.MARKS_MAX
    fake.tree.zxid += 3600  # a second each, by the clock of the fake
    await counter.add()
    await zk.sync()
    assert fake.tree.names("/c") == ["mine"]


@pytest.mark.parametrize("error", [client.NoAuth.code, client.NoNode.code])
async def test_a_change_was_made_whatever_becomes_of_the_sweep(autojump_clock, fake, zk, error):
    counter = zk.counter("/c")
    await counter.add()
    for number in range(once.MARKS_MAX):
        fake.tree.put(f"/c/op-{number}", b"")
    fake.refuse_next(OpCode.GET_CHILDREN2, error)
    assert await counter.add() == 2
    fake.before(OpCode.GET_CHILDREN2, lambda: fake.refuse_next(OpCode.EXISTS, error))
    assert await counter.add() == 3


async def test_a_change_that_was_made_does_not_wait_for_a_connection(autojump_clock, fake, zk):
    counter = zk.counter("/c")
    await counter.add()
    for number in range(once.MARKS_MAX):
        fake.tree.put(f"/c/op-{number}", b"")
    fake.drop_request(OpCode.GET_CHILDREN2, then=lambda: fake.down.add(-1))
    with trio.fail_after(1):
        assert await counter.add() == 2


async def test_a_change_under_a_lock_fails_when_the_lock_is_lost(autojump_clock, fake, zk):
    async with zk.lock("/l") as held:
        assert await zk.counter("/c").add(guard=held.guard()) == 1
        guard = held.guard()
    with pytest.raises(client.NoNode):
        await zk.counter("/c").add(guard=guard)
    assert await zk.counter("/c").get() == 1


async def test_a_value_is_replaced_updated_and_compared(autojump_clock, fake, zk):
    value = zk.value("/v")
    assert await value.get() == b""
    await value.set(b"1")
    assert await value.update(lambda data: data + b"2") == b"12"
    assert not await value.compare_and_set(b"1", b"3")
    assert await value.compare_and_set(b"12", b"3")
    assert await value.get() == b"3"


async def test_tasks_of_one_client_take_turns(autojump_clock, fake, zk):
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(zk.counter("/c").add)
    assert await zk.counter("/c").get() == 20
    assert fake.requests[OpCode.MULTI] == 20


async def test_a_cancelled_change_leaves_no_mark_and_lets_the_next_have_its_turn(
    autojump_clock, fake, zk
):
    await zk.create("/c")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(zk.counter("/c").add)
        await until_quiet()
        nursery.cancel_scope.cancel()
    await zk.counter("/c").add()
    await zk.sync()
    assert fake.tree.names("/c") == []


async def test_the_root_is_no_counter(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="root"):
        zk.counter("/")


async def test_two_clients_and_kazoos_format_on_real_servers(hosts):
    async with client.connect(hosts) as one, client.connect(hosts) as two:
        await one.create("/c", b"5")

        async def add(zk: client.Client) -> None:
            for _ in range(10):
                await zk.counter("/c").add()

        async with trio.open_nursery() as nursery:
            for zk in (one, two, one, two):
                nursery.start_soon(add, zk)
        await one.sync()
        assert (await one.get("/c")).data == b"45"
        assert await one.value("/c").compare_and_set(b"45", b"46")
        with pytest.raises(client.NoNode):
            await one.counter("/c").add(guard=client.Guard("/none"))
        await two.sync()
        assert await two.get_children("/c") == []
