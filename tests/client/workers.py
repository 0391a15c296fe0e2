"""Workers, producers, counters and members among mishaps: one seed is one run.

    python -m tests.client.workers --rounds 100 --seed 0

Entries are put, claimed and finished while connections break, replies get lost, servers fall silent
and sessions expire. Then all is healed, and it must be seen that every entry was finished exactly
once, that no two claims of one entry overlapped, that each addition was counted once, and that
every member is there with what it said last. Where sessions are ended from outside at any moment
(in odd seeds) nobody can be told before it happens: there claims may overlap, but only one can
finish.
"""

import sys
from collections import Counter

import attrs
import trio

import client
from tests.client import rounds
from tests.client.conftest import Fake
from tests.client.fake import fake_ensemble
from tests.client.mishaps import disturb, make_repeatable

WORKERS = 4
PRODUCERS = 2
ENTRIES = 12
"""Entries of each producer."""
HEALED_SECONDS = 120.0
"""Within which all must be finished once nothing disturbs any more."""


@attrs.define
class Report:
    """What happened in a run."""

    entries: int = 0
    claims: int = 0
    failures: int = 0
    losses: int = 0
    additions: int = 0

    def add(self, other: "Report") -> None:
        for name in attrs.fields_dict(Report):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Works:
    """One run."""

    def __init__(self, fake: Fake, seed: int, entries: int = ENTRIES) -> None:
        self.fake = fake
        self.entries = PRODUCERS * entries
        self.seed = seed
        self.random = make_repeatable(seed)
        self.report = Report()
        self.is_strict = seed % 2 == 0
        self.put: list[str] = []
        self.inside: Counter[str] = Counter()
        self.said: dict[str, bytes] = {}
        self.healed = trio.Event()

    async def run(self) -> Report:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.mishaps)
            for number in range(WORKERS):
                nursery.start_soon(self.work, f"worker-{number}")
            async with trio.open_nursery() as producers:
                for _ in range(PRODUCERS):
                    producers.start_soon(self.produce)
            await self.check()
            nursery.cancel_scope.cancel()
        await trio.sleep(20)
        assert self.fake.tree.names("/group") == [], f"seed {self.seed}: a member is still there"
        return self.report

    async def mishaps(self) -> None:
        with trio.move_on_after(self.random.uniform(10, 60)):
            await disturb(self.fake, self.random, expires=not self.is_strict, pause=1.5)
        self.healed.set()

    async def produce(self) -> None:
        async with self.fake.connect(session_timeout=4) as zk:
            for _ in range(self.entries // PRODUCERS):
                self.put.append(await zk.queue("/q", attempts=1000, bucket_entries=4).put(b"x"))
                await trio.sleep(self.random.uniform(0, 3))

    async def work(self, name: str) -> None:
        async with (
            self.fake.connect(session_timeout=4) as zk,
            zk.member("/group", b"", name=name) as member,
        ):
            while True:
                try:
                    async with zk.queue("/q", attempts=1000, bucket_entries=4).claim() as claim:
                        await self.body(zk, claim)
                except client.LockLost:
                    self.report.losses += 1
                except ZeroDivisionError:
                    self.report.failures += 1
                await zk.counter("/additions").add()
                self.report.additions += 1
                said = b"%d" % self.report.additions
                with trio.move_on_after(5):
                    self.said[name] = said
                    await member.update(said)

    async def body(self, zk: client.Client, claim: client.Claim) -> None:
        assert not (self.inside[claim.id] and self.is_strict), f"seed {self.seed}: two claims"
        self.inside[claim.id] += 1
        self.report.claims += 1
        try:
            await trio.sleep(self.random.choice((0.0, 0.1, 2.0, 8.0)))
            if self.random.random() < 0.2:
                raise ZeroDivisionError
            if self.random.random() < 0.9:
                await zk.ensure_path("/done")
                async with claim.finish() as both:  # NodeExists if it was finished before
                    both.create(f"/done/{claim.id}")
        finally:
            self.inside[claim.id] -= 1

    async def check(self) -> None:
        """Wait until all is done, and demand that it is right."""
        fake, seed = self.fake, self.seed
        await self.healed.wait()
        async with fake.connect() as zk:
            with trio.move_on_after(HEALED_SECONDS):
                while await zk.queue("/q").size():  # noqa: ASYNC110  (on a clock that jumps)
                    await trio.sleep(1)
            assert await zk.queue("/q").size() == 0, f"seed {seed}: entries are left"
            await trio.sleep(20)
        assert taken(fake) == [], f"seed {seed}: claims are left"
        assert len(set(self.put)) == self.entries, f"seed {seed}: not all were put"
        stray = set(fake.tree.names("/done")) - set(self.put)
        assert not stray, f"seed {seed}: entries that nobody put: {stray}"
        counted = int(fake.tree.nodes["/additions"].data or b"0")
        assert counted == self.report.additions, f"seed {seed}: {counted} counted"
        for name, said in self.said.items():
            assert fake.tree.nodes[f"/group/{name}"].data == said, f"seed {seed}: {name}"
        self.report.entries = len(self.put)


def taken(fake: Fake) -> list[str]:
    return fake.tree.names("/q/taken")


async def run(seed: int) -> Report:
    async with fake_ensemble(Fake) as fake:
        return await Works(fake, seed).run()


if __name__ == "__main__":
    sys.exit(rounds.main(__doc__, run, Report()))
