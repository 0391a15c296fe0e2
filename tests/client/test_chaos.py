"""Clients contend for a lock while connections break, replies get lost and servers fall silent.

One seed is one run, mishaps and all; a failure names its seed.
"""

import random

import pytest
import trio
from trio._core import _run

import client
from coord.wire.numbers import OpCode
from tests.client.conftest import Fake

SEEDS = range(8)
CLIENTS = 4
SECONDS = 60.0

OPCODES = (
    OpCode.CREATE2,
    OpCode.DELETE,
    OpCode.GET_DATA,
    OpCode.GET_CHILDREN2,
    OpCode.EXISTS,
    OpCode.SYNC,
    OpCode.PING,
    OpCode.MULTI,
)


class Contest:
    """Who is inside, and who has been."""

    def __init__(self, fake: Fake, seed: int, prove: str) -> None:
        self.fake = fake
        self.random = random.Random(seed)
        self.seed = seed
        self.prove = prove
        self.inside = 0
        self.overlaps = 0
        self.entries = 0
        self.losses = 0
        self.token = 0

    async def contend(self) -> None:
        """Take the lock again and again, with a patience that varies."""
        async with self.fake.connect(session_timeout=4, prove=self.prove) as zk:
            while trio.current_time() < SECONDS:
                with trio.move_on_after(self.random.choice((0.5, 3, 20))):
                    try:
                        async with zk.lock("/x") as held:
                            await self.hold(zk, held)
                    except client.LockLost:
                        self.losses += 1
                await trio.sleep(self.random.uniform(0, 0.5))

    async def hold(self, zk: client.Client, held: client.Held) -> None:
        """Be the only one, for a while."""
        self.overlaps += self.inside > 0
        self.inside += 1
        self.entries += 1
        try:
            assert held.token > self.token, f"seed {self.seed}: a token came back"
            self.token = held.token
            await trio.sleep(self.random.choice((0.0, 0.1, 2.0, 6.0)))
        finally:
            self.inside -= 1

    async def disturb(self) -> None:
        """Let one mishap follow the other."""
        fake = self.fake
        while True:
            await trio.sleep(self.random.uniform(0, 3))
            match self.random.randrange(8):
                case 0:
                    fake.cut()
                case 1:
                    fake.drop_reply(self.random.choice(OPCODES))
                case 2:
                    fake.drop_request(self.random.choice(OPCODES))
                case 3:
                    fake.defer_request(OpCode.CREATE2)
                case 4:
                    fake.down = {self.random.choice((-1, 1, 2, 3))}
                    fake.cut()
                    await trio.sleep(self.random.uniform(0, 8))
                    fake.down = set()
                case 5:
                    fake.mute = {self.random.choice(OPCODES)}
                    await trio.sleep(self.random.uniform(0, 8))
                    fake.mute = set()
                    fake.cut()  # whatever was swallowed is asked for again
                case 6:
                    fake.cut_off.add(self.random.choice((1, 2, 3)))
                    await trio.sleep(self.random.uniform(0, 8))
                    fake.cut_off.clear()
                    fake.cut()

    async def run(self) -> None:
        """Contend and be disturbed; at the end heal, and demand that everything is given back."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.disturb)
            async with trio.open_nursery() as contenders:
                for _ in range(CLIENTS):
                    contenders.start_soon(self.contend)
            nursery.cancel_scope.cancel()
        fake = self.fake
        fake.down, fake.mute = set(), set()
        fake.cut_off.clear()
        fake.forget_mishaps()
        await trio.sleep(10)
        assert fake.tree.names("/x") == [], f"seed {self.seed}: somebody is still in the queue"
        assert fake.sessions == {}


def make_repeatable(seed: int) -> None:
    """Let Trio and the clients draw from the seed, too."""
    random.seed(seed)
    _run._r.seed(seed)


@pytest.fixture(autouse=True)
def deterministic_scheduling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)


@pytest.mark.parametrize("seed", SEEDS)
async def test_nobody_holds_the_lock_beside_another(autojump_clock, fake, seed):
    make_repeatable(seed)
    contest = Contest(fake, seed, "sync")
    await contest.run()
    assert contest.overlaps == 0, f"seed {seed}: two inside at once"
    assert contest.entries > 10
