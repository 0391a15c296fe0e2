"""Requests of one client through storms: cut connections, lost replies, servers that are down or
alone, expiries. From a seed; what a client says of a write must be true, and it must come through.

    python -m tests.client.storm --seeds 0:1000
"""

import argparse
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

import client
from client.testing.chance import decided_by
from coord.wire.numbers import OpCode
from tests.client.conftest import Fake
from tests.client.fake import fake_ensemble

TASKS = 5
ROUNDS = 12
STORM_SECONDS = 40
PATIENCE_SECONDS = 1000
PORTS = (1, 2, 3)
SHAKEN = (OpCode.CREATE2, OpCode.CREATE, OpCode.SET_DATA, OpCode.GET_DATA, OpCode.SYNC)
TROUBLES = ("reply", "request", "defer", "cut", "alone", "down", "expire")
REFUSALS = (
    client.BadVersion,  # a write that came late was before
    client.ConnectionLoss,
    client.NotReadOnly,
    client.LockLost,
    client.SessionExpired,
)
"""What a request may end with while the storm lasts."""


@attrs.define
class Worker:
    """A task with a znode of its own, so that it knows what must be there."""

    fake: Fake
    zk: client.Client
    path: str
    chance: random.Random
    sets: int = 0
    """Sets that may have been carried out."""
    made: list[str] = attrs.field(factory=list)
    """Paths that were said to have been created."""
    asked: int = 0
    """Creates that may have been carried out."""

    async def run(self) -> None:
        for number in range(ROUNDS):
            work = self.chance.choice((self.change, self.ask_many, self.add, self.hold))
            try:
                await work(number)
            except REFUSALS:
                await trio.sleep(0.2)
        self.judge()

    async def change(self, number: int) -> None:
        _, stat = await self.zk.get(self.path)
        self.sets += 1
        changed = await self.zk.set(self.path, b"%d" % number, stat.version)
        assert changed.version == stat.version + 1 == self.fake.tree.nodes[self.path].version

    async def ask_many(self, number: int) -> None:
        async with self.zk.batch() as batch:
            batch.get(self.path)
            made = batch.create(f"{self.path}/b-", sequence=True)
            changed = batch.set(self.path, b"%d" % number)
            self.asked += 1
            self.sets += 1
        changed.result()
        self.made.append(made.result())

    async def add(self, number: int) -> None:
        self.asked += 1
        name = f"{self.path}/m-"
        self.made.append(await self.zk.create(name, b"%d" % number, sequence=True, marked=True))

    async def hold(self, number: int) -> None:
        with trio.move_on_after(20):
            async with self.zk.lock("/lock"):
                await trio.sleep(self.chance.random())

    def judge(self) -> None:
        there = {f"{self.path}/{name}" for name in self.fake.tree.names(self.path)}
        assert there >= set(self.made), "what was said to be there is not"
        assert len(there) <= self.asked, "something was created twice"
        assert self.fake.tree.nodes[self.path].version <= self.sets, "something was set twice"


@asynccontextmanager
async def storm(fake: Fake, chance: random.Random) -> AsyncIterator[None]:
    """Shake everything for a while, during the block."""

    async def shake() -> None:
        with trio.move_on_after(STORM_SECONDS):
            while True:
                await trio.sleep(chance.random() * 2)
                opcode, some = chance.choice(SHAKEN), chance.sample(PORTS, chance.randint(0, 3))
                live = sorted(number for number in fake.sessions if number > 0)
                match chance.choice(
                    ("reply", "request", "defer", "cut", "alone", "down", "expire")
                ):
                    case "reply":
                        fake.drop_reply(opcode)
                    case "request":
                        fake.drop_request(opcode)
                    case "defer":
                        fake.defer_request(opcode)
                    case "alone":
                        fake.alone = set(some)
                    case "down":
                        fake.down = set(some)
                    case "expire" if live and chance.random() < 0.3:
                        fake.expire(chance.choice(live))
                fake.cut()
        fake.forget_mishaps()
        fake.alone, fake.down = set(), set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(shake)
        yield


async def weather(chance: random.Random) -> None:
    """Let one client live through one storm."""
    options = {
        "when_away": chance.choice(("wait", "fail")),
        "read_only": chance.random() < 0.5,
        "in_flight": chance.choice((1, 3, 1000)),
    }
    with trio.fail_after(PATIENCE_SECONDS):
        async with fake_ensemble(Fake) as fake:
            async with fake.connect(**options) as zk:
                paths = [f"/{number}" for number in range(TASKS)]
                for path in paths:
                    await zk.create(path)
                async with storm(fake, chance), trio.open_nursery() as nursery:
                    for path in paths:
                        worker = Worker(fake, zk, path, random.Random(chance.random()))
                        nursery.start_soon(worker.run)
                await zk._calls.keeper.attached()
                await zk.sync()
                assert zk.state is client.State.CONNECTED
            await trio.sleep(60)
            assert max(fake.sessions, default=0) <= 0  # those of servers alone are not ended
            assert fake.connections == []


def run(seed: int) -> None:
    """Run one seed on a clock that jumps."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    try:
        with decided_by(seed) as chance:
            trio.run(weather, chance, clock=clock)
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.client.storm", description=__doc__)
    parser.add_argument("--seeds", default="0:100", metavar="A:B")
    first, last = map(int, parser.parse_args().seeds.split(":"))
    for seed in range(first, last):
        run(seed)
    print(f"{last - first} storms, none of which made the client tell what is not true")


if __name__ == "__main__":
    main()
