"""Mishaps for tests: one at the n-th request, or one after the other from a seed."""

import itertools
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio
from trio._core import _run

import client
from coord.wire.numbers import OpCode
from tests.client.fake import FakeEnsemble
from tests.client.quiet import until_quiet

REQUESTS = (
    OpCode.CREATE2,
    OpCode.DELETE,
    OpCode.GET_DATA,
    OpCode.GET_CHILDREN2,
    OpCode.SET_DATA,
    OpCode.EXISTS,
    OpCode.SYNC,
    OpCode.PING,
    OpCode.MULTI,
)

KINDS = ("reply", "request", "defer")
"""The reply is lost, the request is lost, the request comes late."""


def at(fake: FakeEnsemble, kind: str, opcode: OpCode, number: int) -> None:
    """Let something happen to the n-th request of a kind, counted from 1."""
    for _ in range(number - 1):
        fake.before(opcode, lambda: None)
    strike(fake, kind, opcode)


def strike(fake: FakeEnsemble, kind: str, opcode: OpCode) -> None:
    {"reply": fake.drop_reply, "request": fake.drop_request, "defer": fake.defer_request}[kind](
        opcode
    )


STRIDE = int(os.environ.get("COORD_MISHAPS", "6"))
"""Of the mishaps `everywhere` tests take one in so many. All of them:
COORD_MISHAPS=1 python -m pytest tests/client/test_work.py (and likewise the other recipes)."""


def everywhere(
    opcodes: Iterable[OpCode], beside: str, *, numbers: int = 2
) -> Iterator[tuple[str, Callable[[FakeEnsemble], None]]]:
    """Yield a name and a mishap for each kind, each of the requests and each of its occurrences.

    beside: the kind of mishap that comes with each; decides which are taken where not all are.
    """
    cases = itertools.product(KINDS, opcodes, range(1, numbers + 1))
    for kind, opcode, number in itertools.islice(cases, KINDS.index(beside) % STRIDE, None, STRIDE):
        name = f"{kind} of {opcode.name} {number}"
        yield name, lambda fake, k=kind, o=opcode, n=number: at(fake, k, o, n)


def make_repeatable(seed: int) -> random.Random:
    """Let Trio and the clients draw from the seed, too."""
    random.seed(seed)
    _run._r.seed(seed)
    return random.Random(seed)


async def disturb(
    fake: FakeEnsemble, chance: random.Random, *, expires: bool, pause: float = 3.0
) -> None:
    """Let one mishap follow the other until cancelled; then heal.

    expires: also end sessions at any moment, without a warning.
    """
    try:
        while True:
            await trio.sleep(chance.uniform(0, pause))
            await _disturb_once(fake, chance, expires=expires)
    finally:
        fake.down, fake.mute = set(), set()
        fake.cut_off.clear()
        fake.forget_mishaps()
        fake.cut()


async def _disturb_once(fake: FakeEnsemble, chance: random.Random, *, expires: bool) -> None:
    opcode = chance.choice(REQUESTS)
    match chance.randrange(9):
        case 0:
            fake.cut()
        case 1 | 2:
            strike(fake, chance.choice(KINDS), chance.choice((OpCode.MULTI, opcode)))
        case 3:
            strike(fake, chance.choice(KINDS), opcode)
        case 4:
            if fake.sessions and expires:
                fake.expire(chance.choice(sorted(fake.sessions)))
        case 5:
            fake.down = {chance.choice((-1, 1, 2, 3))}
            fake.cut()
            await trio.sleep(chance.uniform(0, 8))
            fake.down = set()
        case 6:
            fake.mute = {opcode}
            await trio.sleep(chance.uniform(0, 8))
            fake.mute = set()
            fake.cut()  # whatever was swallowed is asked for again
        case 7:
            fake.cut_off.add(chance.choice((1, 2, 3)))
            await trio.sleep(chance.uniform(0, 8))
            fake.cut_off.clear()
            fake.cut()


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope after the n-th step of whatever task, servers' tasks included."""

    def __init__(self, number: int, scope: trio.CancelScope) -> None:
        self._left = number
        self._scope = scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if not self._left:
            self._scope.cancel()


async def steps_that_leave_nothing(
    fake: FakeEnsemble,
    zk: client.Client,
    attempt: Callable[[client.Client], AbstractAsyncContextManager[Any]],
    mishap: Callable[[Any], None] = lambda _fake: None,
) -> int:
    """Cancel an attempt after each step of all tasks; return how many there were.

    Where tasks in the background do the work, the checkpoints of the caller's task alone are few.
    """
    mishap(fake)
    async with attempt(zk):
        pass  # makes the parents: else the first attempts do, and none is cancelled further on
    number = 0
    while True:
        number += 1
        mishap(fake)
        with trio.CancelScope() as scope:
            instrument = CancelAtStep(number, scope)
            trio.lowlevel.add_instrument(instrument)
            try:
                async with attempt(zk):
                    pass
            finally:
                trio.lowlevel.remove_instrument(instrument)
        fake.down = set()
        await trio.sleep(0.5)
        await zk.sync()
        fake.forget_mishaps()
        await until_quiet()
        left = [path for path, node in fake.tree.nodes.items() if node.owner]
        assert left == [], f"cancelled at step {number}"
        if not scope.cancel_called:
            return number
