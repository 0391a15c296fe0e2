"""Locks and elections cancelled at every checkpoint, one after the other: nothing stays behind."""

import functools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import client
from coord.wire.numbers import OpCode

Acquire = Callable[[client.Client], AbstractAsyncContextManager[client.Held]]

RECIPES: dict[str, Acquire] = {
    "lock": lambda zk: zk.lock("/x/queue"),
    "kazoo lock": lambda zk: zk.lock("/x/queue", layout="kazoo"),
    "lead": lambda zk: zk.lead("/x/queue", b"me"),
    "lock by ping": lambda zk: zk.lock("/x/queue", prove="ping"),
}

FOREIGNERS = {
    "lock": "0" * 32 + "-" + "0" * 15 + "9-{:010d}",
    "kazoo lock": "0" * 32 + "__lock__{:010d}",
    "lead": "0" * 32 + "-" + "0" * 15 + "9-{:010d}",
    "lock by ping": "0" * 32 + "-" + "0" * 15 + "9-{:010d}",
}
"""Znodes that another client contends with."""

MISHAPS: dict[str, Callable[..., None]] = {
    "none": lambda fake: None,
    "the reply to the create is lost": lambda fake: fake.drop_reply(OpCode.CREATE2),
    "the create is late": lambda fake: fake.defer_request(OpCode.CREATE2),
    "the create is lost": lambda fake: fake.drop_request(OpCode.CREATE2),
    "the parent is missing": lambda fake: _remove_parent(fake),
    "a look at the queue is lost": lambda fake: fake.drop_reply(OpCode.GET_CHILDREN2),
    "the reply to the delete is lost": lambda fake: fake.drop_reply(OpCode.DELETE),
    "nobody can be reached for a while": lambda fake: _away(fake),
}


class CancelAt(trio.abc.Instrument):
    """Cancels a scope when a task has come to its n-th checkpoint."""

    def __init__(self, task: trio.lowlevel.Task, number: int, scope: trio.CancelScope) -> None:
        self._task = task
        self._left = number
        self._scope = scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if not self._left:
                self._scope.cancel()


async def cancelled_at(number: int, acquire: AbstractAsyncContextManager[client.Held]) -> bool:
    """Hold for three checkpoints, cancelled at a checkpoint; return whether that came."""
    with trio.CancelScope() as scope:
        instrument = CancelAt(trio.lowlevel.current_task(), number, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            async with acquire:
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return scope.cancel_called


@pytest.mark.parametrize("mishap", MISHAPS)
@pytest.mark.parametrize("recipe", RECIPES)
async def test_a_free_queue_is_empty_afterwards(autojump_clock, fake, zk, recipe, mishap):
    number = 1
    while await _cancelled(fake, zk, recipe, mishap, number):
        assert _queue(fake) == [], f"cancelled at checkpoint {number}"
        assert not zk.session.holds
        number += 1
    assert _queue(fake) == []
    assert number > 5


@pytest.mark.parametrize("mishap", sorted(MISHAPS.keys() - {"the parent is missing"}))
@pytest.mark.parametrize("recipe", RECIPES)
async def test_a_contended_queue_is_empty_when_the_holder_has_left(
    autojump_clock, fake, zk, recipe, mishap
):
    await zk.ensure_path("/x/queue")
    number = 1
    while True:
        holder = FOREIGNERS[recipe].format(fake.tree.nodes["/x/queue"].creates)
        fake.tree.put(f"/x/queue/{holder}", b"", owner=99)
        fake.start_soon(functools.partial(_leave_soon, fake, holder))
        goes_on = await _cancelled(fake, zk, recipe, mishap, number)
        assert _queue(fake) == [], f"cancelled at checkpoint {number}"
        assert not zk.session.holds
        if not goes_on:
            break
        number += 1
    assert number > 5


async def _cancelled(fake, zk: client.Client, recipe: str, mishap: str, number: int) -> bool:
    MISHAPS[mishap](fake)
    cancelled = await cancelled_at(number, RECIPES[recipe](zk))
    if mishap == "none":
        assert zk.session.id not in {fake.tree.nodes[f"/x/queue/{n}"].owner for n in _queue(fake)}
    fake.down = set()
    await trio.sleep(2)
    await zk.sync()  # whatever an old connection still carried is carried out by now
    fake.forget_mishaps()
    await wait_all_tasks_blocked()
    return cancelled


async def _leave_soon(fake, holder: str) -> None:
    """The holder goes after a second, for those who were not cancelled before."""
    await trio.sleep(1)
    fake.tree.delete(f"/x/queue/{holder}")


def _queue(fake) -> list[str]:
    return fake.tree.names("/x/queue")


def _remove_parent(fake) -> None:
    if "/x/queue" in fake.tree.nodes:
        fake.tree.delete("/x/queue")


def _away(fake) -> None:
    fake.down = {-1}
    fake.before(OpCode.CREATE2, fake.cut)
    fake.cut()

    async def come_back() -> None:
        await trio.sleep(0.3)
        fake.down = set()

    fake.start_soon(come_back)
