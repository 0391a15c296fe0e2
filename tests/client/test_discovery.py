"""Members as others see them, and instances of a service: which are picked, and which are not."""

import pytest
import trio

import client
from client.recipes.instances import STRATEGIES
from tests.client.quiet import until_quiet


def put(fake, name: str, **options) -> None:
    if "/svc" not in fake.tree.nodes:
        fake.tree.put("/svc", b"")
    fake.tree.put(f"/svc/{name}", client.Instance(f"{name}:80", **options).encode())


async def test_members_are_told_with_what_they_say(autojump_clock, fake, zk):
    async with fake.connect() as other, other.members("/group") as states:
        assert await anext(states) == {}
        async with zk.member("/group", b"1", name="me") as member:
            assert await anext(states) == {"me": b"1"}
            await member.update(b"2")
            assert await anext(states) == {"me": b"2"}
            async with zk.member("/group", b"3", name="you"):
                assert await anext(states) == {"me": b"2", "you": b"3"}
            assert await anext(states) == {"me": b"2"}
        assert await anext(states) == {}


async def test_instances_are_picked_in_turn_by_their_weights(autojump_clock, fake, zk):
    put(fake, "a")
    put(fake, "b", weight=2)
    async with zk.discover("/svc") as service:
        picked = [service.pick().name for _ in range(9)]
        assert (picked.count("a"), picked.count("b")) == (3, 6)
        put(fake, "c")  # it is not picked thrice to make up for what it missed
        await until_quiet()
        picked = [service.pick().name for _ in range(8)]
        assert (picked.count("a"), picked.count("b"), picked.count("c")) == (2, 4, 2)


async def test_the_least_used_is_picked(autojump_clock, fake, zk):
    put(fake, "a")
    put(fake, "b")
    async with zk.discover("/svc", "least_used") as service:
        with service.using() as first, service.using() as second:
            assert {first.name, second.name} == {"a", "b"}
        with service.using() as first:
            for _ in range(3):
                assert service.pick().name != first.name


async def test_a_key_sticks_to_its_instance_and_moves_only_when_that_goes(autojump_clock, fake, zk):
    for name in "abcd":
        put(fake, name)
    keys = [f"user {number}" for number in range(200)]
    async with zk.discover("/svc", "sticky") as service:
        before = {key: service.pick(key).name for key in keys}
        assert set(before.values()) == set("abcd")
        assert before == {key: service.pick(key).name for key in keys}
        fake.tree.delete("/svc/a")
        await until_quiet()
        after = {key: service.pick(key).name for key in keys}
        assert all(after[key] == before[key] for key in keys if before[key] != "a")


async def test_who_is_picked_by_chance_is_picked_by_weight(autojump_clock, fake, zk):
    put(fake, "a", weight=1)
    put(fake, "b", weight=9)
    async with zk.discover("/svc", "random") as service:
        picked = [service.pick().name for _ in range(500)]
    assert 10 < picked.count("a") < 120


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_an_instance_that_drains_is_not_picked_and_goes_when_it_ends(
    autojump_clock, fake, zk, strategy
):
    mine = client.Instance("here:80")
    put(fake, "other")
    async with fake.connect() as server, zk.discover("/svc", strategy) as service:
        async with server.member("/svc", mine.encode(), name="mine") as member:
            await until_quiet()
            assert {service.pick(f"{n}").name for n in range(50)} == {"mine", "other"}
            await member.update(mine.drain().encode())
            await until_quiet()
            assert {service.pick(f"{n}").name for n in range(50)} == {"other"}
            assert [each.draining for each in service.instances] == [True, False]
        await until_quiet()
        assert [each.name for each in service.instances] == ["other"]


def fail(service: client.Discovery, times: int) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="down"), service.using(where=lambda i: i.name == "bad"):
            raise OSError("down")


async def test_an_instance_that_fails_on_end_is_ejected_for_longer_each_time(
    autojump_clock, fake, zk
):
    put(fake, "bad")
    put(fake, "good")
    async with zk.discover("/svc", eject_after=3, eject_seconds=5) as service:
        fail(service, 2)
        assert "bad" in {service.pick().name for _ in range(4)}
        fail(service, 1)
        assert {service.pick().name for _ in range(4)} == {"good"}
        await trio.sleep(5)
        assert "bad" in {service.pick().name for _ in range(9)}
        fail(service, 3)
        await trio.sleep(6)
        assert {service.pick().name for _ in range(4)} == {"good"}
        await trio.sleep(4)
        with service.using(where=lambda each: each.name == "bad"):
            pass  # it works again: the slate is clean
        fail(service, 3)
        assert service.is_ejected(service.instances[0])
        await trio.sleep(5)
        assert "bad" in {service.pick().name for _ in range(9)}


async def test_a_new_registration_of_an_ejected_instance_is_picked(autojump_clock, fake, zk):
    put(fake, "bad")
    put(fake, "good")
    async with zk.discover("/svc", eject_after=1) as service:
        fail(service, 1)
        fake.tree.delete("/svc/bad")
        put(fake, "bad")
        await until_quiet()
        assert "bad" in {service.pick().name for _ in range(4)}


async def test_a_doubtful_instance_is_better_than_none(autojump_clock, fake, zk):
    put(fake, "bad")
    async with zk.discover("/svc", eject_after=1) as service:
        fail(service, 1)
        assert service.is_ejected(service.pick())


async def test_without_an_instance_there_is_none_to_pick_but_one_may_be_waited_for(
    autojump_clock, fake, zk
):
    async with zk.discover("/svc") as service:
        with pytest.raises(client.NoInstance, match="/svc"):
            service.pick()

        async def come() -> None:
            await trio.sleep(3)
            put(fake, "a")

        fake.start_soon(come)
        assert (await service.wait()).address == "a:80"


async def test_instances_are_picked_by_what_they_say(autojump_clock, fake, zk):
    put(fake, "a", labels={"zone": "1"})
    put(fake, "b", labels={"zone": "2"})
    async with zk.discover("/svc") as service:
        in_two = [service.pick(where=lambda each: each.labels["zone"] == "2") for _ in range(3)]
        assert {each.name for each in in_two} == {"b"}


async def test_what_is_no_instance_is_left_out_and_named(autojump_clock, fake, zk):
    put(fake, "a")
    bad = {
        "json": b"{",
        "list": b"[]",
        "weight": b'{"address": "x", "weight": 0}',
        "labels": b'{"address": "x", "labels": {"a": 1}}',
        "key": b'{"address": "x", "wieght": 1}',
        "address": b'{"address": 5}',
        "bytes": b"\xff",
    }
    for name, data in bad.items():
        fake.tree.put(f"/svc/{name}", data)
    async with zk.discover("/svc") as service:
        assert [each.name for each in service.instances] == ["a"]
        assert service.problems.keys() == bad.keys()
        assert "wieght" in service.problems["key"]


async def test_without_servers_those_known_last_are_picked(autojump_clock, fake, zk):
    put(fake, "a")
    async with zk.discover("/svc") as service:
        assert service.stale_since is None
        fake.down = {-1}
        fake.cut()
        await trio.sleep(5)
        assert service.pick().name == "a"
        assert service.stale_since is not None


async def test_a_real_group_is_seen_and_discovered(hosts):
    mine = client.Instance("here:80", labels={"zone": "a"})
    async with (
        client.connect(hosts) as zk,
        client.connect(hosts) as other,
        other.members("/svc") as states,
        other.discover("/svc") as service,
    ):
        assert await anext(states) == {}
        async with zk.member("/svc", mine.encode(), name="me") as member:
            assert await anext(states) == {"me": mine.encode()}
            found = await service.wait()
            assert (found.address, found.labels, found.name) == ("here:80", {"zone": "a"}, "me")
            await member.update(mine.drain().encode())
            assert await anext(states) == {"me": mine.drain().encode()}
        assert await anext(states) == {}
