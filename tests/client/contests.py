"""Read/write locks and semaphores contended for among mishaps: one seed is one run.

    python -m tests.client.contests --rounds 100 --seed 0

Connections break, replies get lost, servers fall silent or are cut off from their leader, and
sessions expire for that, while clients read, write, upgrade and take permits, with a patience that
varies. Nobody may be beside one that is alone, and no more than the limit may have a permit.
At the end all is healed, and everything must have been given back.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import attrs
import trio

import client
from tests.client import rounds
from tests.client.cancelling import ephemerals
from tests.client.conftest import Fake
from tests.client.fake import fake_ensemble
from tests.client.mishaps import disturb, make_repeatable

CLIENTS = 4
LIMIT = 2
SECONDS = 60.0


@attrs.define
class Report:
    """What happened in a run."""

    reads: int = 0
    writes: int = 0
    upgrades: int = 0
    permits: int = 0
    losses: int = 0
    deadlocks: int = 0

    def add(self, other: "Report") -> None:
        for name in attrs.fields_dict(Report):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Contest:
    """One run."""

    def __init__(self, fake: Fake, seed: int, seconds: float = SECONDS) -> None:
        self.fake = fake
        self.seed = seed
        self.seconds = seconds
        self.random = make_repeatable(seed)
        self.report = Report()
        self.readers: set[object] = set()
        self.alone: set[object] = set()
        self.permits = 0
        self.token = 0

    async def run(self) -> Report:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._disturb)
            async with trio.open_nursery() as contenders:
                for _ in range(CLIENTS):
                    contenders.start_soon(self._contend)
            nursery.cancel_scope.cancel()
        await trio.sleep(10)
        assert ephemerals(self.fake) == [], f"seed {self.seed}: somebody is still in a queue"
        assert self.fake.sessions == {}
        return self.report

    async def _disturb(self) -> None:
        await disturb(self.fake, self.random, expires=False)

    async def _contend(self) -> None:
        async with self.fake.connect(session_timeout=4) as zk:
            while trio.current_time() < self.seconds:
                act = self.random.choice((self._read, self._write, self._upgrade, self._permit))
                with trio.move_on_after(self.random.choice((0.5, 3, 20))):
                    try:
                        await act(zk)
                    except client.LockLost:
                        self.report.losses += 1
                await trio.sleep(self.random.uniform(0, 0.5))

    async def _read(self, zk: client.Client) -> None:
        async with zk.read_lock("/x"):
            self.report.reads += 1
            with self._inside(self.readers):
                await self._stay()

    async def _write(self, zk: client.Client) -> None:
        async with zk.write_lock("/x") as held:
            self.report.writes += 1
            assert held.token > self.token, f"seed {self.seed}: a token came back"
            self.token = held.token
            with self._inside(self.alone):
                await self._stay()

    async def _upgrade(self, zk: client.Client) -> None:
        async with zk.read_lock("/x") as reading:
            with self._inside(self.readers) as ours:
                await self._stay()
                with suppress(client.WouldDeadlock):
                    async with reading.upgrade():
                        self.report.upgrades += 1
                        with self._inside(self.alone, ours):
                            await self._stay()
                    return
                self.report.deadlocks += 1

    async def _permit(self, zk: client.Client) -> None:
        async with zk.semaphore("/s", LIMIT):
            self.report.permits += 1
            self.permits += 1
            assert self.permits <= LIMIT, f"seed {self.seed}: {self.permits} permits"
            try:
                await self._stay()
            finally:
                self.permits -= 1

    async def _stay(self) -> None:
        await trio.sleep(self.random.choice((0.0, 0.1, 1.0, 3.0, 9.0)))

    @contextmanager
    def _inside(self, room: set[object], base: object = None) -> Iterator[object]:
        ours = object()
        room.add(ours)
        beside = self.alone - {ours}
        if room is self.alone:
            beside |= self.readers - {base}
        assert not beside, f"seed {self.seed}: {len(beside)} beside one that is to be alone"
        try:
            yield ours
        finally:
            room.discard(ours)


async def run(seed: int) -> Report:
    async with fake_ensemble(Fake) as fake:
        return await Contest(fake, seed).run()


if __name__ == "__main__":
    sys.exit(rounds.main(__doc__, run, Report()))
