"""Elections: leading is a hold; everybody can observe who leads."""

# ruff: noqa: PT012  (what raises is the whole block)

import functools
import itertools

import pytest
import trio

import client
from coord.wire.numbers import OpCode
from tests.client.quiet import until_quiet


@pytest.mark.parametrize("layout", ["coord", "kazoo", "curator"])
async def test_leaders_follow_each_other_and_are_seen(autojump_clock, fake, zk, layout):
    seen = []

    async def stand(name: bytes) -> None:
        async with zk.lead("/svc", name, layout=layout) as term:
            terms.append((name, term.token))
            await trio.sleep(1)

    terms: list[tuple[bytes, int]] = []
    async with trio.open_nursery() as nursery, zk.observe("/svc", layout=layout) as leaders:
        assert await anext(leaders) is None
        for name in (b"a", b"b", b"c"):
            nursery.start_soon(stand, name)
            await until_quiet()
        async for leader in leaders:
            if leader is None:
                break
            seen.append((leader.data, leader.token))
    assert seen == terms
    assert [name for name, _ in terms] == [b"a", b"b", b"c"]
    assert sorted(terms, key=lambda each: each[1]) == terms


async def test_those_who_stand_behind_wake_no_observer(autojump_clock, fake, zk):
    async with zk.observe("/svc") as leaders, zk.lead("/svc", b"a"):
        assert (await anext(leaders)).data == b"a"
        (connection,) = fake.connections
        reads = fake.requests[OpCode.GET_CHILDREN2]
        async with fake.connect() as other, trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(other.lead("/svc", b"b").__aenter__)
            with trio.move_on_after(1):
                await anext(leaders)
            nursery.cancel_scope.cancel()
        assert connection.child == set()
        assert fake.requests[OpCode.GET_CHILDREN2] - reads <= 15


async def test_an_observer_goes_on_after_its_session(autojump_clock, fake, zk):
    async with fake.connect() as other, zk.observe("/svc") as leaders:
        async with other.lead("/svc", b"a"):
            assert (await anext(leaders)).data == b"a"
            fake.expire(zk.session.id)
        assert await anext(leaders) is None


@pytest.mark.parametrize("layout", ["coord", "kazoo", "curator"])
async def test_a_leader_may_say_something_else_of_itself(autojump_clock, fake, zk, layout):
    async with (
        zk.lead("/svc", b"starting", layout=layout) as term,
        fake.connect() as other,
        other.observe("/svc", layout=layout) as leaders,
    ):
        assert (await anext(leaders)).data == term.value == b"starting"
        fake.drop_reply(OpCode.SET_DATA)
        await term.update(b"ready")
        assert await anext(leaders) == client.Leader(b"ready", term.token)
        assert term.value == b"ready"


async def test_what_a_leader_says_is_known_also_when_it_did_not_wait(autojump_clock, fake, zk):
    async with zk.lead("/svc", b"starting") as term:
        with trio.CancelScope() as scope:
            fake.before(OpCode.SET_DATA, scope.cancel)
            await term.update(b"ready")
        assert scope.cancelled_caught
        await until_quiet()
        assert (await zk.get(term.guard().path)).data == term.value == b"ready"


async def test_one_that_leads_no_longer_says_nothing(autojump_clock, fake, zk):
    with pytest.raises(client.LockLost, match="deleted"):
        async with zk.lead("/svc", b"a") as term:
            fake.before(OpCode.SET_DATA, lambda: fake.tree.delete(term.guard().path))
            with pytest.raises(client.LockLost):
                await term.update(b"b")
            assert term.value == b"a"
            await trio.sleep_forever()


async def test_a_leader_that_is_lost_is_told(autojump_clock, fake, zk):
    with pytest.raises(client.LockLost, match="/svc"):
        async with zk.lead("/svc", b"a") as term:
            assert isinstance(term, client.Term)
            fake.expire(zk.session.id)
            await trio.sleep_forever()


async def test_one_that_resigns_ends_its_body_without_an_error(autojump_clock, fake, zk):
    ended = False
    async with zk.lead("/svc", b"a") as term:
        try:
            term.resign()
            await trio.sleep_forever()
        finally:
            ended = True
            assert len(fake.tree.names("/svc")) == 1
    assert ended
    assert term.lost is None
    assert fake.tree.names("/svc") == []


async def no_mishap(fake) -> None:
    """All goes well."""


async def lose_the_reply(fake) -> None:
    fake.drop_reply(OpCode.MULTI)


async def lose_the_request(fake) -> None:
    fake.drop_request(OpCode.MULTI)


async def let_one_leave(fake) -> None:
    fake.before(OpCode.MULTI, lambda: fake.tree.delete(f"/svc/{contenders(fake)[1]}"))


def contenders(fake) -> list[str]:
    return sorted(fake.tree.names("/svc"), key=lambda name: name[-10:])


@pytest.mark.parametrize("meet", [no_mishap, lose_the_reply, lose_the_request, let_one_leave])
async def test_one_that_resigns_may_say_who_leads_next(autojump_clock, fake, zk, meet):
    """Those before that one stand behind it then, and all have greater tokens than before."""
    led: list[tuple[bytes, int]] = []

    async def stand(data: bytes) -> None:
        async with zk_of[data].lead("/svc", data) as term:
            led.append((data, term.token))
            await trio.sleep(1)
            assert len(fake.tree.names("/svc")) == 4 - len(led)

    async with fake.connect() as one, fake.connect() as two, fake.connect() as three:
        zk_of = {b"b": one, b"c": two, b"d": three}
        async with trio.open_nursery() as nursery, zk.lead("/svc", b"a") as first:
            for data in zk_of:
                nursery.start_soon(stand, data)
                await trio.sleep(1)
            await meet(fake)
            await first.resign_to(b"c")
            await trio.sleep_forever()
    assert [data for data, _ in led] == [b"c", b"d", b"b"]
    tokens = [first.token, *(token for _, token in led)]
    assert tokens == sorted(tokens)


async def test_one_that_resigns_to_nobody_goes_on(autojump_clock, fake, zk):
    async with zk.lead("/svc", b"a") as term:
        with pytest.raises(LookupError):
            await term.resign_to(b"a")
        await trio.sleep(1)
        term.check()
    async with zk.lead("/svc", b"a", layout="kazoo") as term:
        with pytest.raises(ValueError, match="layout"):
            await term.resign_to(b"b")


async def test_one_that_leads_no_longer_displaces_nobody(autojump_clock, fake, zk):
    waiting = [f"{'0' * 32}-{99:016x}-{number:010d}" for number in (1, 2)]
    with pytest.raises(client.LockLost, match="deleted"):
        async with zk.lead("/svc", b"a") as term:
            for name, data in zip(waiting, (b"b", b"c"), strict=True):
                fake.tree.put(f"/svc/{name}", data, owner=99)
            fake.before(OpCode.MULTI, lambda: fake.tree.delete(term.guard().path))
            await term.resign_to(b"c")
    assert contenders(fake) == waiting


async def test_the_leader_runner_stands_again_after_each_loss(autojump_clock, fake, zk):
    terms = []

    async def work(term: client.Term) -> str:
        terms.append(term.token)
        if len(terms) == 1:
            fake.expire(zk.session.id)
        elif len(terms) == 2:
            term.resign()
        else:
            return "done"
        await trio.sleep_forever()
        raise AssertionError

    assert await zk.run_leader("/svc", work) == "done"
    assert terms == sorted(terms)
    assert len(terms) == 3
    assert fake.tree.names("/svc") == []


async def test_an_error_of_the_work_ends_the_leader_runner(autojump_clock, fake, zk):
    async def work(term: client.Term) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        await zk.run_leader("/svc", work)
    assert fake.tree.names("/svc") == []


async def test_the_loss_of_another_lock_is_an_error_of_the_work(autojump_clock, fake, zk):
    terms = []

    async def work(term: client.Term) -> None:
        terms.append(term)
        assert len(terms) == 1, "the leadership was not lost"
        async with zk.lock("/other"):
            fake.tree.delete(f"/other/{fake.tree.names('/other')[0]}")
            await trio.sleep_forever()

    with pytest.raises(client.LockLost) as caught:
        await zk.run_leader("/svc", work)
    assert caught.value.path == "/other"


async def test_an_error_of_the_work_is_followed_by_another_term_after_a_pause(
    autojump_clock, fake, zk
):
    began = []

    async def work(term: client.Term) -> None:
        began.append(trio.current_time())
        raise KeyError("mine")

    restart = client.Backoff(first=1, longest=2, times=3)
    with pytest.raises(KeyError):
        await zk.run_leader("/svc", work, restart=restart)
    pauses = [late - early for early, late in itertools.pairwise(began)]
    assert len(pauses) == 3
    assert 0.5 <= pauses[0] <= 1.1
    assert all(1 <= each <= 2.1 for each in pauses[1:])


async def test_one_that_resigns_lets_another_lead(autojump_clock, fake, zk):
    led = []

    async def work(name: str, term: client.Term) -> None:
        led.append(name)
        await trio.sleep(1)
        term.resign()
        await trio.sleep(1)

    async with fake.connect() as other, trio.open_nursery() as nursery:
        for who, name in ((zk, "a"), (other, "b")):
            nursery.start_soon(who.run_leader, "/svc", functools.partial(work, name))
            await trio.sleep(0.1)
        await trio.sleep(9)
        nursery.cancel_scope.cancel()
    assert led[:6] == ["a", "b", "a", "b", "a", "b"]
