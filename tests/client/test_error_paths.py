"""Errors name the path that the caller gave, whatever chroot stands before it at the servers."""

from collections.abc import Awaitable, Callable

import pytest

import client
from coord.wire.errors import ThrottledOp
from coord.wire.numbers import OpCode

Use = Callable[[client.Client], Awaitable[object]]


@pytest.fixture
async def inner(fake, zk):
    """A client whose chroot is named like the beginning of other znodes, and of one below it."""
    await zk.create("/app")
    await zk.create("/application")
    await zk.create("/app/app")
    await zk.create("/app/mine", ephemeral=True)
    async with fake.connect("one:1/app") as below:
        yield below


async def batched(zk: client.Client) -> object:
    async with zk.batch() as batch:
        answer = batch.get("/none")
    return answer.result()


async def transacted(zk: client.Client) -> object:
    async with zk.transaction() as both:
        both.set_data("/app", b"")
        both.delete("/none")
    return both.results


async def held(zk: client.Client) -> object:
    async with zk.lock("/locks/x") as lock:
        return await lock.client.delete("/none")


async def guarded(zk: client.Client) -> object:
    async with zk.lock("/locks/x") as lock:
        guard = lock.guard()
    return await zk.value("/n").set(b"1", guard=guard)


FAILURES: dict[str, tuple[Use, type[client.ZooKeeperError], str]] = {
    "get": (lambda zk: zk.get("/none"), client.NoNode, "/none"),
    "set": (lambda zk: zk.set("/app", b"", 7), client.BadVersion, "/app"),
    "create": (lambda zk: zk.create("/app"), client.NodeExists, "/app"),
    "create at the root": (lambda zk: zk.create("/"), client.NodeExists, "/"),
    "create below an ephemeral": (
        lambda zk: zk.create("/mine/x"),
        client.NoChildrenForEphemerals,
        "/mine/x",
    ),
    "delete": (lambda zk: zk.delete("/"), client.NotEmpty, "/"),
    "children": (lambda zk: zk.get_children("/none/app"), client.NoNode, "/none/app"),
    "permissions": (lambda zk: zk.get_acls("/none"), client.NoNode, "/none"),
    "watches": (lambda zk: zk.remove_watches("/none"), client.NoWatcher, "/none"),
    "batch": (batched, client.NoNode, "/none"),
    "transaction": (transacted, client.NoNode, "/none"),
    "bound to a lock": (held, client.NoNode, "/none"),
}


@pytest.mark.parametrize(("use", "kind", "path"), FAILURES.values(), ids=FAILURES)
async def test_an_error_names_the_path_of_the_caller(autojump_clock, inner, use, kind, path):
    with pytest.raises(kind) as caught:
        await use(inner)
    assert caught.value.args == (path,)


async def test_an_error_of_a_recipe_names_a_path_below_the_chroot(autojump_clock, inner):
    with pytest.raises(client.NoNode) as caught:
        await guarded(inner)
    assert caught.value.args[0].startswith("/locks/x/")


async def test_an_error_in_a_snapshot_names_the_path_of_the_caller(servers):
    async with servers.connect(chroot="/app") as zk:
        snapshot = zk.snapshot()
        snapshot.get("/none")
        (error,) = await snapshot.read()
        assert isinstance(error, client.NoNode)
        assert error.args == ("/none",)


async def test_the_note_of_a_transaction_names_the_path_of_the_caller(autojump_clock, inner):
    with pytest.raises(client.NoNode) as caught:
        await transacted(inner)
    assert "(delete /none)" in caught.value.__notes__[0]


LOSSES: dict[str, tuple[OpCode, Use, str]] = {
    "set": (OpCode.SET_DATA, lambda zk: zk.set("/app", b"1", 0), "/app"),
    "create": (OpCode.CREATE2, lambda zk: zk.create("/new"), "/new"),
    "numbered": (OpCode.CREATE2, lambda zk: zk.create("/n-", sequence=True), "/n-"),
    "delete": (OpCode.DELETE, lambda zk: zk.delete("/app"), "/app"),
    "permissions": (OpCode.SET_ACL, lambda zk: zk.set_acls("/app", client.OPEN_ACL), "/app"),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("can_ask", [True, False], ids=["by reading", "nothing can be read"])
async def test_what_is_unknown_names_the_path_of_the_caller(
    autojump_clock, fake, inner, loss, can_ask
):
    opcode, use, path = loss
    fake.drop_reply(opcode)
    if not can_ask:
        fake.refuse_next(OpCode.SYNC, ThrottledOp.code)
    with pytest.raises(client.OutcomeUnknown) as caught:
        await use(inner)
    assert caught.value.path == path


async def test_a_lost_write_of_a_batch_names_the_path_of_the_caller(autojump_clock, fake, inner):
    fake.drop_reply(OpCode.SET_DATA)
    async with inner.batch() as batch:
        answer = batch.set("/app", b"1")
    with pytest.raises(client.OutcomeUnknown) as caught:
        answer.result()
    assert caught.value.path == "/app"


async def test_what_was_decided_by_reading_names_the_path_of_the_caller(
    autojump_clock, fake, inner
):
    fake.drop_request(OpCode.CREATE2)
    fake.before(OpCode.SYNC, lambda: fake.tree.put("/app/new", b"", owner=99))
    with pytest.raises(client.NodeExists) as caught:
        await inner.create("/new", b"mine", idempotent=True)
    assert caught.value.args == ("/new",)


async def test_an_error_of_what_is_followed_names_the_path_of_the_caller(
    autojump_clock, fake, inner
):
    fake.refuse_next(OpCode.GET_DATA, client.NoAuth.code)
    with pytest.raises(client.NoAuth) as caught:
        async with inner.cache("/none"):
            raise AssertionError
    assert caught.value.args == ("/none",)
