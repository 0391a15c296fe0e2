"""Twenty clients and one lock: sessions expire, replicas are killed and stopped, and clients too.

    python -m tests.ensemble.exclusion --rounds 30
    python -m tests.ensemble.exclusion --rounds 30 --servers zookeeper

Everything is on one host with one monotonic clock. So it can be told that no two bodies ran at
once, and that none ran after a server had deleted its znode; but for those that stood still with
their whole process, which must have been refused by the guard and by the fence when they woke.
Against coord holds are proved by pings, against ZooKeeper by sync.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

import client
from tests.ensemble.holders import FENCE, PATH, STATE, Body
from tests.ensemble.processes import Process, wait_for
from tests.ensemble.servers import REPOSITORY, CoordEnsemble, Ensemble, ZooKeeperEnsemble

PROGRESS_S = 120.0
PROGRESS_BODIES = 10
"""After each mishap the lock must go round so many times."""
WORKERS = 5
CLIENTS = 20

MISHAPS = ("kill", "stop a replica", "stop a holder", "wait")
"""What may come next; that a client cuts itself off comes by itself."""


class Overlap(AssertionError):  # noqa: N818 - it names what was found
    """A body ran when it was not to."""


class Observer(threading.Thread):
    """Notes when each replica is first seen to have deleted a contender."""

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__(daemon=True, name="observer")
        self.deleted: dict[str, float] = {}
        """By path: the monotonic time."""
        self._ensemble = ensemble
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None

    def stop(self) -> None:
        """Have it end."""
        assert self._token is not None, "not started"
        trio.from_thread.run_sync(self._scope.cancel, trio_token=self._token)

    def run(self) -> None:
        """Watch until stopped."""
        trio.run(self._observe)

    async def _observe(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                for replica in self._ensemble.ids:
                    nursery.start_soon(self._follow, self._ensemble.hosts_of([replica]))

    async def _follow(self, hosts: str) -> None:
        async with client.connect(hosts) as zk, zk.events(PATH, recursive=True) as events:
            async for event in events:
                if isinstance(event, client.Resynced):
                    continue
                if event.kind == client.EventType.NODE_DELETED:
                    self.deleted.setdefault(event.path, time.monotonic())


class Contest:
    """The clients, in processes of their own, and what befalls them."""

    def __init__(
        self,
        ensemble: Ensemble,
        folder: Path,
        *,
        workers: int = WORKERS,
        clients: int = CLIENTS,
        timeout_s: float = 4.0,
    ) -> None:
        self.ensemble = ensemble
        self.folder = folder
        self.timeout_s = timeout_s
        self.observer = Observer(ensemble)
        prove = "ping" if ensemble.kind == "coord" else "sync"
        self.workers = [
            Process(
                [
                    *(sys.executable, "-m", "tests.ensemble.holders", ensemble.hosts, str(folder)),
                    *("--clients", str(clients // workers), "--seed", str(number)),
                    *("--timeout", str(timeout_s), "--prove", prove),
                ],
                folder / f"worker.{number}",
                {"PYTHONPATH": str(REPOSITORY)},
            )
            for number in range(workers)
        ]

    def __enter__(self) -> "Contest":
        trio.run(self._prepare)
        self.observer.start()
        for worker in self.workers:
            worker.start()
        self.progress()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        self.observer.stop()
        self.observer.join(30)

    async def _prepare(self) -> None:
        async with client.connect(self.ensemble.hosts) as zk:
            for path in (PATH, FENCE, STATE):
                await zk.ensure_path(path)

    @property
    def bodies(self) -> list[Body]:
        """All bodies so far, by their start."""
        found: list[Body] = []
        for journal in self.folder.glob("bodies.*"):
            text = journal.read_text()
            lines = text[: text.rfind("\n") + 1].splitlines()
            found += [Body(**json.loads(line)) for line in lines]
        return sorted(found, key=lambda body: body.start)

    def progress(self) -> None:
        """Wait until the lock has gone round."""
        before = len(self.bodies)

        def reached() -> bool:
            for worker in self.workers:
                assert worker.running, worker.output[-3000:]
            return len(self.bodies) >= before + PROGRESS_BODIES

        wait_for(reached, seconds=PROGRESS_S, what=f"{PROGRESS_BODIES} more bodies")

    def befall(self, mishap: str, chance: random.Random) -> None:
        """Let something happen, and see the lock go round afterwards."""
        replica = chance.choice([self.ensemble.leader(), *self.ensemble.ids])
        if mishap == "kill":
            self.ensemble.kill(replica)
            self.progress()
            self.ensemble.restart(replica)
        elif mishap == "stop a replica":
            with self._long_bodies(), self.ensemble.paused(replica):
                self._wait(1.5 * self.timeout_s)
        elif mishap == "stop a holder":
            self.stop_holder()
        else:
            self._wait(self.timeout_s)
        self.progress()

    def stop_holder(self) -> None:
        """Stop the process of whoever holds, until its session has expired for certain."""
        with self._long_bodies():
            name = wait_for(self._long_holder, seconds=PROGRESS_S, what="a body that is long")
            worker = self.workers[int(name.partition(".")[0])]
            worker.signal(signal.SIGSTOP)
        try:
            self._wait(1.5 * self.timeout_s + self.ensemble.tick_ms / 1000)
            self.progress()
        finally:
            worker.signal(signal.SIGCONT)

        def woke_up() -> bool:
            return any(b.holder == name and b.stood_still > self.timeout_s for b in self.bodies)

        wait_for(woke_up, seconds=PROGRESS_S, what="the body that stood still tells of it")

    def _long_holder(self) -> str | None:
        name, _, what = (self.folder / "holder").read_text().partition(" ")
        return name if what == "long" else None

    def _long_bodies(self) -> "LongBodies":
        return LongBodies(self.folder / "long")

    @staticmethod
    def _wait(seconds: float) -> None:
        end = time.monotonic() + seconds
        wait_for(lambda: time.monotonic() > end, seconds=seconds + 60, what="time passes")


@attrs.frozen
class LongBodies:
    """A scope in which the bodies that begin would outlast their sessions."""

    mark: Path

    def __enter__(self) -> None:
        self.mark.touch()

    def __exit__(self, *_: object) -> None:
        self.mark.unlink()


def verify(bodies: Sequence[Body], deleted: dict[str, float], timeout_s: float) -> str:
    """Overlap where a body ran beside another or after its znode; else what was looked at."""
    latest: Body | None = None
    seen = stopped = 0
    for body in bodies:
        if latest is not None and body.start < latest.end:
            raise Overlap(f"{latest} and {body}: {latest.end - body.start:.3f} s together")
        if latest is None or body.end > latest.end:
            latest = body
        if body.znode in deleted:
            seen += 1
            if body.end > deleted[body.znode]:
                late = body.end - deleted[body.znode]
                raise Overlap(f"{body} ran for {late:.3f} s after its znode was deleted")
        if body.stood_still > 1.4 * timeout_s:
            stopped += 1
            if not (body.guard_refused and body.fence_refused):
                raise Overlap(f"{body} was not refused")
    tokens = [body.token for body in bodies]
    if tokens != sorted(tokens):
        raise Overlap("tokens do not grow")
    lost = sum(body.was_lost for body in bodies)
    return (
        f"{len(bodies)} bodies, {lost} lost, {seen} seen to end before their znode,"
        f" {stopped} stopped past their session and refused by guard and fence"
    )


def main() -> None:
    """Let many things happen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", choices=("coord", "zookeeper"), default="coord")
    parser.add_argument("--timeout", type=float, default=4.0, help="of the sessions, in seconds")
    options = parser.parse_args()
    kind = CoordEnsemble if options.servers == "coord" else ZooKeeperEnsemble
    chance = random.Random(options.seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        kind(Path(folder) / "servers", tick_ms=1000) as ensemble,
        Contest(ensemble, Path(folder), timeout_s=options.timeout) as contest,
    ):
        for number in range(1, options.rounds + 1):
            mishap = MISHAPS[number % len(MISHAPS)]
            contest.befall(mishap, chance)
            told = verify(contest.bodies, contest.observer.deleted, options.timeout)
            print(f"{number}: {mishap}: {told}", flush=True)
        bodies = contest.bodies
    print(verify(bodies, contest.observer.deleted, options.timeout))
    print("no two bodies at once, none after its znode")


if __name__ == "__main__":
    main()
