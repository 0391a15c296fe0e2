"""Cancel a scope at every checkpoint that its task comes to, one after the other.

    async def test_a_claim_leaves_nothing(autojump_clock, fake, zk):
        await leaves_nothing(fake, zk, lambda who: who.claim("/q"), "none")

`leaves_nothing` cancels at the first checkpoint, then at the second, and so on until the attempt
comes to its end; after each it demands that no ephemeral znode is left, and that nothing is held.
At the end another client must get what is asked for without waiting.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio

import client
from coord.wire.numbers import OpCode
from tests.client.conftest import Fake
from tests.client.quiet import until_quiet

Attempt = Callable[[client.Client], AbstractAsyncContextManager[Any]]
"""Makes what is tried, for one client."""

FOREIGNER = 99
"""The session of somebody else's znodes."""

CREATES = (OpCode.CREATE2, OpCode.MULTI)
"""How ephemeral znodes come to be."""


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


async def cancelled_at(number: int, attempt: AbstractAsyncContextManager[Any]) -> bool:
    """Hold for three checkpoints, cancelled at a checkpoint; return whether that came."""
    with trio.CancelScope() as scope:
        instrument = CancelAt(trio.lowlevel.current_task(), number, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            async with attempt:
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return scope.cancel_called


def ephemerals(fake: Fake) -> list[str]:
    """The paths of all znodes that a session owns."""
    return sorted(path for path, node in fake.tree.nodes.items() if node.owner)


def away_for_a_while(fake: Fake) -> None:
    """No server can be reached, now and when something is created."""
    fake.down = {-1}
    for opcode in CREATES:
        fake.before(opcode, fake.cut)
    fake.cut()

    async def come_back() -> None:
        await trio.sleep(0.3)
        fake.down = set()

    fake.start_soon(come_back)


def at_each(mishap: str, *opcodes: OpCode) -> Callable[[Fake], None]:
    """Return what lets a mishap come at the next request of each of these kinds."""

    def arrange(fake: Fake) -> None:
        for opcode in opcodes:
            getattr(fake, mishap)(opcode)

    return arrange


MISHAPS: dict[str, Callable[[Fake], None]] = {
    "none": lambda fake: None,
    "the reply to the create is lost": at_each("drop_reply", *CREATES),
    "the create is late": at_each("defer_request", *CREATES),
    "the create is lost": at_each("drop_request", *CREATES),
    "a look at the children is lost": at_each("drop_reply", OpCode.GET_CHILDREN2),
    "the reply to the delete is lost": at_each("drop_reply", OpCode.DELETE),
    "nobody can be reached for a while": away_for_a_while,
}


async def leaves_nothing(
    fake: Fake,
    zk: client.Client,
    attempt: Attempt,
    mishap: str,
    *,
    prepare: Callable[[], None] = lambda: None,
) -> int:
    """Cancel an attempt at each of its checkpoints; return how many there were.

    `prepare` is called before each; what a foreigner owns then must have gone when it is over.
    """
    prepare()
    async with attempt(zk):
        pass  # makes the parents: else the first attempts do, and none is cancelled further on
    number = 1
    while True:
        prepare()
        MISHAPS[mishap](fake)
        cancelled = await cancelled_at(number, attempt(zk))
        if mishap == "none":
            mine = (path for path, node in fake.tree.nodes.items() if node.owner == zk.session.id)
            assert list(mine) == [], f"cancelled at checkpoint {number}"
        fake.down = set()
        await trio.sleep(2)
        await zk.sync()  # whatever an old connection still carried is carried out by now
        fake.forget_mishaps()
        await until_quiet()
        assert ephemerals(fake) == [], f"cancelled at checkpoint {number}"
        assert not zk.session.holds
        if not cancelled:
            break
        number += 1
    async with fake.connect() as other:
        with trio.fail_after(0.01):
            async with attempt(other):
                pass
    return number


def leaving_soon(fake: Fake, path: str) -> None:
    """Put a foreigner's znode there, and take it away after a second."""
    parent = path.rpartition("/")[0]
    for place in range(2, parent.count("/") + 2):
        ancestor = "/".join(parent.split("/")[:place])
        if ancestor not in fake.tree.nodes:
            fake.tree.put(ancestor, b"")
    numbered = path.format(fake.tree.nodes[parent].creates)
    fake.tree.put(numbered, b"", owner=FOREIGNER)

    async def leave() -> None:
        await trio.sleep(1)
        fake.tree.delete(numbered)

    fake.start_soon(functools.partial(leave))
