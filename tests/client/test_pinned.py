"""What a hold gives its body: operations bound to it, a warning before the end, and fences."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio

import client
from coord.wire.numbers import OpCode


def delete_contender(fake) -> None:
    (name,) = fake.tree.names("/x")
    fake.tree.delete(f"/x/{name}")


async def test_every_write_of_the_bound_client_carries_the_guard(autojump_clock, fake, zk):
    async with zk.lock("/x") as held:
        before = fake.requests.copy()
        assert await held.client.create("/a/b", b"1", makepath=True) == "/a/b"
        stat = await held.client.set("/a/b", b"2")
        assert (await held.client.get("/a/b")) == (b"2", stat)
        path, stat = await held.client.create("/a/n-", sequence=True, include_data=True)
        assert (path, stat.ephemeral_owner) == ("/a/n-0000000001", 0)
        await held.client.delete("/a", recursive=True)
        sent = fake.requests - before
    assert sent[OpCode.MULTI] >= 6
    assert not sent[OpCode.SET_DATA] + sent[OpCode.CREATE2] + sent[OpCode.DELETE]


async def test_errors_of_the_write_come_out_as_usual(autojump_clock, fake, zk):
    async with zk.lock("/x") as held:
        with pytest.raises(client.NoNode):
            await held.client.set("/a", b"")
        await held.client.create("/a")
        with pytest.raises(client.NodeExists):
            await held.client.create("/a")
        with pytest.raises(client.BadVersion):
            await held.client.delete("/a", 7)


@pytest.mark.parametrize("write", ["create", "set", "delete", "transaction"])
async def test_nothing_is_written_once_the_znode_of_the_hold_has_gone(
    autojump_clock, fake, zk, write
):
    await zk.create("/a")
    tasks = {
        "create": lambda bound: bound.create("/b"),
        "set": lambda bound: bound.set("/a", b"late"),
        "delete": lambda bound: bound.delete("/a"),
        "transaction": lambda bound: commit(bound.transaction()),
    }
    with pytest.raises(client.LockLost, match="deleted") as caught:
        async with zk.lock("/x") as held:
            fake.before(OpCode.MULTI, lambda: delete_contender(fake))
            with trio.CancelScope(shield=True), pytest.raises(client.LockLost, match="gone"):
                await tasks[write](held.client)
            await trio.sleep_forever()
    assert caught.value.__cause__ is None  # the body found what it expected
    assert (await zk.get("/a")).data == b""
    assert await zk.exists("/b") is None


async def commit(transaction: client.Transaction) -> None:
    async with transaction:
        transaction.set_data("/a", b"late")


async def test_a_transaction_of_a_hold_gives_the_results_of_its_writes(autojump_clock, fake, zk):
    async with zk.lock("/x") as held:
        async with held.transaction() as both:
            both.create("/a", b"1")
            both.set_data("/a", b"2")
        assert both.results[0] == "/a"
        assert len(both.results) == 2
        with pytest.raises(client.BadVersion) as caught:
            async with held.transaction() as both:
                both.check("/a")
                both.delete("/a", 9)
        assert "operation 2 of 2 (delete /a)" in caught.value.__notes__[0]


async def test_nothing_goes_on_in_another_session(autojump_clock, fake, zk):
    await zk.create("/a")
    with pytest.raises(client.LockLost) as caught:
        async with zk.lock("/x") as held:
            fake.expire(zk.session.id)
            with trio.CancelScope(shield=True):
                await zk.set("/a", b"a plain client goes on in a new session")
                with pytest.raises(client.SessionChanged):
                    await held.client.set("/a", b"late")
                with pytest.raises(client.SessionChanged):
                    await held.client.get("/a")
    assert caught.value.__cause__ is None
    with pytest.raises(client.SessionChanged):
        await held.client.exists("/a")
    assert (await zk.get("/a")).data.startswith(b"a plain client")


async def test_a_lost_reply_is_decided_though_the_session_ended_with_it(autojump_clock, fake, zk):
    # Whether it was done is found out in the new session; done again it is not.
    await zk.create("/a")
    for drop in (fake.drop_reply, fake.drop_request):
        with pytest.raises(client.LockLost) as caught:
            async with zk.lock("/x") as held:
                session_id = zk.session.id
                drop(OpCode.MULTI, lambda number=session_id: fake.expire(number))
                with trio.CancelScope(shield=True):
                    if drop == fake.drop_reply:
                        with pytest.raises(client.OutcomeUnknown):
                            await held.client.set("/a", b"1", 0)
                    else:
                        with pytest.raises(client.SessionChanged):
                            await held.client.set("/a", b"2", 1)
        assert caught.value.__cause__ is None
    assert (await zk.get("/a")).data == b"1"


async def test_what_no_transaction_can_hold_is_refused(autojump_clock, fake, zk):
    await zk.create("/a")
    async with zk.lock("/x") as held:
        with pytest.raises(ValueError, match="guard"):
            await held.client.set_acls("/a", client.OPEN_ACL)


async def test_the_end_of_a_connection_is_told_before_the_hold_ends(autojump_clock, fake, zk):
    async with zk.lock("/x") as held:
        assert not held.is_suspended
        fake.down = {-1}
        fake.cut()
        await held.suspended()
        assert held.is_suspended
        assert held.seconds_left() > 5
        fake.down = set()
        await trio.sleep(5)
        assert not held.is_suspended
        with trio.move_on_after(20) as scope:
            await held.suspended()
        assert scope.cancelled_caught
        held.check()


async def test_a_fence_refuses_a_token_below_one_that_it_has_seen():
    fence = client.Fence(5)
    fence.admit(5)
    fence.admit(7)
    with pytest.raises(client.StaleToken) as caught:
        fence.admit(6)
    assert (caught.value.token, caught.value.highest) == (6, 7)


async def test_a_stored_fence_is_one_for_all_clients(autojump_clock, fake, zk):
    async with fake.connect() as other:
        await zk.fence("/fences/a").admit(5)
        await other.fence("/fences/a").admit(7)
        with pytest.raises(client.StaleToken, match="7"):
            await zk.fence("/fences/a").admit(6)
        assert await zk.fence("/fences/a").highest() == 7


async def test_an_order_that_was_let_through_and_comes_late_is_refused(autojump_clock, fake, zk):
    await zk.create("/state")
    fence = zk.fence("/fence")
    with pytest.raises(client.BadVersion):
        async with zk.transaction() as late:
            await fence.admit(5, late)
            late.set_data("/state", b"5")
            async with zk.transaction() as order:
                await fence.admit(6, order)
                order.set_data("/state", b"6")
    assert (await zk.get("/state")).data == b"6"


@pytest.mark.parametrize("mishap", ["drop_reply", "drop_request"])
async def test_a_stored_fence_outlives_lost_replies(autojump_clock, fake, zk, mishap):
    for opcode in (OpCode.CREATE2, OpCode.SET_DATA):
        getattr(fake, mishap)(opcode)
    await zk.fence("/fence").admit(5)
    assert await zk.fence("/fence").highest() == 5


async def test_a_body_that_was_stopped_past_its_session_is_refused(autojump_clock, fake, zk):
    # Its write was decided upon before the stop and is sent after it.
    await zk.create("/state")
    async with fake.connect() as other:
        with pytest.raises(client.LockLost) as caught:
            async with zk.lock("/x") as held:
                fake.expire(zk.session.id, quietly=True)
                async with other.lock("/x") as next_one:
                    await other.fence("/fence").admit(next_one.token)
                with trio.CancelScope(shield=True):
                    with pytest.raises((client.LockLost, client.SessionChanged)):
                        await held.client.set("/state", b"late")
                    guarded = zk.transaction()
                    guarded.add(held.guard())
                    guarded.set_data("/state", b"late")
                    with pytest.raises(client.NoNode):
                        await guarded.commit()
                    with pytest.raises(client.StaleToken):
                        await zk.fence("/fence").admit(held.token)
    assert caught.value.__cause__ is None
    assert (await zk.get("/state")).data == b""


class Heard(client.Instrument):
    """What an instrument hears of locks."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, int, object]] = []

    def lock_waited(self, path: str, token: int, seconds: float) -> None:
        self.told.append(("waited", path, token, seconds))

    def lock_held(self, path: str, token: int, seconds: float) -> None:
        self.told.append(("held", path, token, seconds))

    def lock_lost(self, path: str, token: int, reason: str) -> None:
        self.told.append(("lost", path, token, reason))


async def test_instruments_hear_how_long_a_lock_was_waited_for_and_held(autojump_clock, fake):
    heard = Heard()
    async with fake.connect(instruments=[heard]) as zk, fake.connect() as other:
        async with trio.open_nursery() as nursery, other.lock("/x"):

            async def hold() -> None:
                async with zk.lock("/x"):
                    await trio.sleep(2)

            nursery.start_soon(hold)
            await trio.sleep(3)
        with pytest.raises(client.LockLost):
            async with zk.lock("/x"):
                fake.expire(zk.session.id)
                await trio.sleep_forever()
    waited, held, _, lost = heard.told
    assert (*waited[:2], *held[:3]) == ("waited", "/x", "held", "/x", waited[2])
    assert waited[3] == pytest.approx(3, abs=0.1)
    assert held[3] == pytest.approx(2, abs=0.1)
    assert (lost[0], lost[3]) == ("lost", "the server has expired the session")
