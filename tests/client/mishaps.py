"""Mishaps for tests: one at the n-th request, or one after the other from a seed."""

import random
from collections.abc import Callable, Iterable, Iterator

import trio
from trio._core import _run

from coord.wire.numbers import OpCode
from tests.client.fake import FakeEnsemble

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


def everywhere(
    opcodes: Iterable[OpCode], numbers: int = 3
) -> Iterator[tuple[str, Callable[[FakeEnsemble], None]]]:
    """Yield a name and a mishap for each kind, each of the requests and each of its occurrences."""
    for kind in KINDS:
        for opcode in opcodes:
            for number in range(1, numbers + 1):
                name = f"{kind} of {opcode.name} {number}"
                yield name, lambda fake, k=kind, o=opcode, n=number: at(fake, k, o, n)


def make_repeatable(seed: int) -> random.Random:
    """Let Trio and the clients draw from the seed, too."""
    random.seed(seed)
    _run._r.seed(seed)
    return random.Random(seed)


async def disturb(fake: FakeEnsemble, chance: random.Random, *, pause: float = 3.0) -> None:
    """Let one mishap follow the other until cancelled; then heal."""
    try:
        while True:
            await trio.sleep(chance.uniform(0, pause))
            await _disturb_once(fake, chance)
    finally:
        fake.down, fake.mute = set(), set()
        fake.cut_off.clear()
        fake.forget_mishaps()
        fake.cut()


async def _disturb_once(fake: FakeEnsemble, chance: random.Random) -> None:
    opcode = chance.choice(REQUESTS)
    match chance.randrange(9):
        case 0:
            fake.cut()
        case 1 | 2:
            strike(fake, chance.choice(KINDS), chance.choice((OpCode.MULTI, opcode)))
        case 3:
            strike(fake, chance.choice(KINDS), opcode)
        case 4:
            if fake.sessions:
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
