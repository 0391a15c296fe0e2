"""Configuration: checked objects, and values that say what is wrong."""

import json

import attrs

import client


@attrs.frozen
class Limits:
    rate: float
    burst: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen
class App:
    name: str
    limits: Limits
    tags: tuple[str, ...] = ()


@attrs.frozen
class Chain:
    name: str
    size: int | None = None
    next: "Chain | None" = None


def put(fake, **raw) -> None:
    fake.tree.put("/app", json.dumps(raw).encode())


async def test_a_configuration_is_an_object_and_changes_come_as_new_ones(autojump_clock, fake, zk):
    put(fake, name="a", limits={"rate": 2})
    async with zk.config("/app", App) as states:
        assert await anext(states) == App("a", Limits(2.0))
        put(fake, name="a", limits={"rate": 2, "burst": 5}, tags=["x"])
        assert await anext(states) == App("a", Limits(2.0, 5), ("x",))


async def test_a_bad_configuration_says_all_that_is_wrong_and_keeps_the_last_good_one(
    autojump_clock, fake, zk
):
    put(fake, name="a", limits={"rate": 2})
    async with zk.config("/app", App) as states:
        good = await anext(states)
        put(fake, limits={"rate": "much", "burst": 0, "brust": 1}, nmae="a")
        bad = await anext(states)
        assert isinstance(bad, client.BadConfig)
        assert bad.last_good is good
        assert bad.stat.version == 1
        problems = "\n".join(bad.problems)
        for part in ("name", "rate", "nmae", "brust"):
            assert part in problems
        put(fake, name="a", limits={"rate": 2, "burst": 0})
        bad = await anext(states)
        assert ">= 1" in bad.problems[0]
        put(fake, name="b", limits={"rate": 2})
        assert (await anext(states)).name == "b"


async def test_what_is_no_json_is_bad(autojump_clock, fake, zk):
    fake.tree.put("/app", b"{")
    async with zk.config("/app", App) as states:
        bad = await anext(states)
        assert bad.last_good is None
        assert bad.problems[0].startswith("not JSON")
        fake.tree.put("/app", b"\xff")
        assert (await anext(states)).problems[0].startswith("not JSON")
        fake.tree.put("/app", b"[]")
        assert isinstance(await anext(states), client.BadConfig)


async def test_a_missing_configuration_is_bad_until_it_is_there(autojump_clock, fake, zk):
    async with zk.config("/app", App) as states:
        bad = await anext(states)
        assert bad.problems == ("/app does not exist",)
        assert bad.stat is None
        put(fake, name="a", limits={"rate": 2})
        assert (await anext(states)).name == "a"


async def test_nothing_is_taken_for_what_it_is_not(autojump_clock, fake, zk):
    put(fake, name=5, limits=[], tags=["x", 1])
    async with zk.config("/app", App) as states:
        bad = await anext(states)
    assert sorted(bad.problems) == [
        "a text is needed, not a whole number @ $.name",
        "a text is needed, not a whole number @ $.tags[1]",
        "an object is needed, not a list @ $.limits",
    ]


async def test_a_configuration_may_be_of_optional_parts_and_of_itself(autojump_clock, fake, zk):
    fake.tree.put("/app", b'{"name": "a", "next": {"name": "b", "size": 2}}')
    async with zk.config("/app", Chain) as states:
        assert await anext(states) == Chain("a", next=Chain("b", 2))
