"""A znode as an object: checked when it is read, changed exactly once."""

# ruff: noqa: PT012  (what raises is the whole block)

import json

import attrs
import pytest
import trio

import client
from coord.wire.numbers import OpCode

PATH = "/svc"


@attrs.frozen
class Service:
    host: str
    port: int = attrs.field(default=80, validator=attrs.validators.gt(0))


@pytest.fixture
def service(zk):
    return zk.typed(PATH, Service)


def more(old: Service) -> Service:
    return attrs.evolve(old, port=old.port + 1)


async def test_an_object_is_created_read_and_changed(autojump_clock, fake, zk, service):
    stat = await service.create(Service("a", 81))
    assert fake.tree.nodes[PATH].data == b'{"host":"a","port":81}'
    assert await service.get() == client.Found(Service("a", 81), stat)
    assert await service.update(more) == Service("a", 82)
    assert (await service.get()).value == Service("a", 82)
    with pytest.raises(client.NodeExists):
        await service.create(Service("b"))


async def test_a_change_that_rests_on_what_was_found_fails_when_it_has_changed(
    autojump_clock, fake, zk, service
):
    await service.create(Service("a"))
    found = await service.get()
    assert await service.update(Service("b"), found) == Service("b")
    with pytest.raises(client.BadVersion):
        await service.update(Service("c"), found)
    assert (await service.get()).value == Service("b")


async def test_changes_by_many_are_all_made(autojump_clock, fake, zk, service):
    await service.create(Service("a", 1))
    async with fake.connect() as other, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(service.update, more)
            nursery.start_soon(other.typed(PATH, Service).update, more)
    assert (await service.get()).value.port == 11


@pytest.mark.parametrize("lose", ["drop_reply", "drop_request", "defer_request"])
async def test_a_change_whose_reply_was_lost_is_made_once(autojump_clock, fake, zk, service, lose):
    await service.create(Service("a", 1))
    getattr(fake, lose)(OpCode.MULTI)
    assert await service.update(more) == Service("a", 2)
    await zk.sync()
    assert (await service.get()).value.port == 2
    assert fake.tree.names(PATH) == []


async def test_the_same_bytes_by_somebody_else_are_not_taken_for_our_own(
    autojump_clock, fake, zk, service
):
    # Our request is lost; another client makes the very change that we wanted, in our place.
    await service.create(Service("a", 1))
    theirs = b'{"host":"a","port":2}'
    fake.drop_request(OpCode.MULTI, lambda: fake.tree.put(PATH, theirs))
    assert await service.update(more) == Service("a", 3)


async def test_of_an_ephemeral_znode_the_outcome_may_be_unknown_but_is_not_guessed(
    autojump_clock, fake, zk, service
):
    await service.create(Service("a", 1), ephemeral=True)
    assert await service.update(more) == Service("a", 2)
    fake.drop_request(OpCode.MULTI)
    assert await service.update(more) == Service("a", 3)
    fake.drop_reply(OpCode.MULTI)
    with pytest.raises(client.OutcomeUnknown):
        await service.update(more)


async def test_a_change_under_a_lock_fails_when_the_lock_is_gone(autojump_clock, fake, zk, service):
    await service.create(Service("a", 1))
    with pytest.raises(client.LockLost):
        async with zk.lock("/lock") as held:
            guard = held.guard()
            await service.update(more, guard=guard)
            (node,) = fake.tree.names("/lock")
            fake.tree.delete(f"/lock/{node}")
            with trio.CancelScope(shield=True), pytest.raises(client.NoNode):
                await service.update(more, guard=guard)
    assert (await service.get()).value.port == 2


async def test_wrong_data_and_wrong_objects_are_refused_with_all_that_is_wrong(
    autojump_clock, fake, zk, service
):
    fake.tree.put(PATH, b'{"hots": "a", "port": 0}')
    with pytest.raises(client.BadData) as caught:
        await service.update(more)
    assert len(caught.value.problems) == 2
    assert "/svc, version 0" in caught.value.__notes__[0]
    with pytest.raises(client.NoNode):
        await zk.typed("/none", Service).update(more)


async def test_its_states_are_followed(autojump_clock, fake, zk, service):
    async with service.watch() as states:
        assert isinstance(await anext(states), client.BadConfig)
        await service.create(Service("a"))
        assert await anext(states) == Service("a")


async def test_another_format_has_its_own_functions(autojump_clock, fake, zk):
    def loads(data: bytes) -> object:
        return json.loads(data[::-1])

    def dumps(raw: object) -> bytes:
        return json.dumps(raw).encode()[::-1]

    backwards = client.Codec(client.strict_converter(), loads, dumps, "backwards JSON")
    service = zk.typed(PATH, Service, codec=backwards)
    await service.create(Service("a"))
    assert fake.tree.nodes[PATH].data.startswith(b"}08")
    assert (await service.get()).value == Service("a")
    fake.tree.put(PATH, b"{")
    async with zk.config(PATH, Service, codec=backwards) as states:
        assert (await anext(states)).problems[0].startswith("not backwards JSON")


async def test_hooks_for_further_types_may_be_added(autojump_clock, fake, zk):
    @attrs.frozen
    class Job:
        every: complex

    with pytest.raises(Exception, match="complex"):
        client.JSON.decode(b'{"every": "1j"}', Job)
    converter = client.strict_converter()
    converter.register_structure_hook(complex, lambda text, _: complex(text))
    converter.register_unstructure_hook(complex, str)
    job = zk.typed(PATH, Job, codec=client.Codec(converter))
    await job.create(Job(1j))
    assert await job.update(lambda old: Job(old.every * 2)) == Job(2j)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"host": "a", "host": "b"}', "twice: host"),
        (b'{"host": "a", "port": NaN}', "NaN is no number"),
        (b"[" * 100_000, "not JSON"),
        (b'"\xff"', "not JSON"),
        (b"", "not JSON"),
        (b"null", "an object is needed"),
    ],
)
def test_what_json_readers_let_pass_is_bad_data(data, problem):
    with pytest.raises(client.BadData, match=problem):
        client.JSON.decode(data, Service)


def test_what_has_no_json_is_not_written():
    with pytest.raises(ValueError, match="JSON"):
        client.JSON.encode(float("nan"), float)
