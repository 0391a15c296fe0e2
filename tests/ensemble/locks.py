"""Lock holders while replicas are killed and stopped: no two bodies run at the same time.

    python -m tests.ensemble.locks --kills 20 --stops 20

A body ends as soon as its client is told that the connection is in doubt, as kazoo's documentation
asks; a lock that another client gets before that shows as an overlap.
"""

import argparse
import itertools
import logging
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import attrs
import trio
from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from client import LockLost, Prove, ZooKeeperError, connect
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble, Ensemble, ZooKeeperEnsemble

PATH = "/locks/shared"
CONTENDERS = 4
BODY_S = (0.002, 0.03)
ACQUIRE_S = 2.0
PROGRESS_SECONDS_MAX = 60.0


class Overlap(AssertionError):  # noqa: N818 - it names what was found
    """Two clients were inside the lock's body at once."""


@attrs.frozen
class Body:
    """One run of a body under the lock."""

    start: float
    """When it began, by the monotonic clock."""
    end: float
    """When it ended or was told to end."""
    holder: str
    """Whose it was."""


class Contender(threading.Thread):
    """Takes the lock again and again; `bodies` says when it had it."""

    def __init__(self, ensemble: Ensemble, number: int, *, timeout_s: float) -> None:
        super().__init__(daemon=True, name=f"contender {number}")
        self.bodies: list[Body] = []
        self.error: BaseException | None = None
        self.holds_long = False
        self._stopping = threading.Event()
        self._ensemble = ensemble
        self._timeout_s = timeout_s
        self._chance = random.Random(number)

    def stop(self) -> None:
        """Ask it to end."""
        self._stopping.set()

    def run(self) -> None:
        """Contend until stopped."""
        try:
            self.contend()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self.error = error

    def contend(self) -> None:
        """Connect and take the lock until stopped; notes each body."""
        raise NotImplementedError

    @property
    def body_s(self) -> float:
        """For how long the next body shall run: over the end of the session during a stop."""
        return 1.5 * self._timeout_s if self.holds_long else self._chance.uniform(*BODY_S)


class KazooContender(Contender):
    """Uses kazoo's lock as its documentation says."""

    def contend(self) -> None:
        """Connect and take the lock until stopped."""
        client = KazooClient(self._ensemble.hosts, timeout=self._timeout_s)
        doubt = threading.Event()

        def listen(state: str) -> None:
            if state == KazooState.CONNECTED:
                doubt.clear()
            else:
                doubt.set()

        client.add_listener(listen)
        client.start(timeout=PROGRESS_SECONDS_MAX)
        try:
            while not self._stopping.is_set():
                try:
                    self._take(client, doubt)
                except (KazooException, KazooTimeoutError):
                    # The session or the connection is gone; the lock node goes with the session.
                    self._stopping.wait(0.05)
        finally:
            client.stop()
            client.close()

    def _take(self, client: KazooClient, doubt: threading.Event) -> None:
        lock = client.Lock(PATH, self.name)
        if not lock.acquire(timeout=ACQUIRE_S):
            return
        start = time.monotonic()
        if not doubt.is_set():
            doubt.wait(self.body_s)
            self.bodies.append(Body(start, time.monotonic(), self.name))
        lock.release()


class ClientContender(Contender):
    """Uses the lock of our own client, which cancels the body by itself."""

    def contend(self) -> None:
        """Run a loop of its own in this thread."""
        trio.run(self._contend)

    async def _contend(self) -> None:
        prove: Prove = "ping" if self._ensemble.kind == "coord" else "sync"
        async with connect(
            self._ensemble.hosts, session_timeout=self._timeout_s, prove=prove
        ) as zk:
            await zk.ensure_path(PATH)
            while not self._stopping.is_set():
                with suppress(LockLost, ZooKeeperError):
                    async with zk.lock(PATH, self.name.encode()):
                        start = time.monotonic()
                        try:
                            await trio.sleep(self.body_s)
                        finally:
                            self.bodies.append(Body(start, time.monotonic(), self.name))


CONTENDER_KINDS: dict[str, type[Contender]] = {"kazoo": KazooContender, "coord": ClientContender}


class Contention:
    """Contenders while replicas are killed and stopped."""

    def __init__(self, ensemble: Ensemble, kind: type[Contender], *, timeout_s: float) -> None:
        self.ensemble = ensemble
        self.timeout_s = timeout_s
        self.contenders = [kind(ensemble, n, timeout_s=timeout_s) for n in range(CONTENDERS)]

    def __enter__(self) -> "Contention":
        for contender in self.contenders:
            contender.start()
        self.progress()
        return self

    def __exit__(self, *_: object) -> None:
        for contender in self.contenders:
            contender.stop()
        for contender in self.contenders:
            contender.join(PROGRESS_SECONDS_MAX)

    @property
    def bodies(self) -> list[Body]:
        """All bodies so far, by their start."""
        found = (body for contender in self.contenders for body in list(contender.bodies))
        return sorted(found, key=lambda body: body.start)

    def progress(self) -> None:
        """Wait until every contender has had the lock once more."""
        before = [len(contender.bodies) for contender in self.contenders]

        def reached() -> bool:
            for contender in self.contenders:
                if contender.error is not None:
                    raise contender.error
            now = [len(contender.bodies) for contender in self.contenders]
            return all(late > early for early, late in zip(before, now, strict=True))

        wait_for(reached, seconds=PROGRESS_SECONDS_MAX, what="the lock for everybody once more")

    def kill(self, replica: int) -> None:
        """SIGKILL a replica, see the lock go round, start it again."""
        self.ensemble.kill(replica)
        self.progress()
        self.ensemble.restart(replica)
        self.progress()

    def stop(self, replica: int) -> None:
        """SIGSTOP a replica for longer than the sessions last, then let it go on."""
        for contender in self.contenders:
            contender.holds_long = True
        with self.ensemble.paused(replica):
            end = time.monotonic() + 1.3 * self.timeout_s
            wait_for(lambda: time.monotonic() > end, seconds=120, what="the end of the stop")
        for contender in self.contenders:
            contender.holds_long = False
        self.progress()


def verify(bodies: Sequence[Body]) -> None:
    """Overlap when two bodies, given by their start, ran at the same time."""
    for early, late in itertools.pairwise(bodies):
        if late.start < early.end:
            raise Overlap(f"{early} and {late}: {early.end - late.start:.3f} s together")


def main() -> None:
    """Kill and stop many times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--servers", choices=("coord", "zookeeper"), default="coord")
    parser.add_argument("--client", choices=CONTENDER_KINDS, default="kazoo", help="whose lock")
    options = parser.parse_args()
    logging.disable()  # kazoo tells of every lost connection
    kind = CoordEnsemble if options.servers == "coord" else ZooKeeperEnsemble
    with (
        tempfile.TemporaryDirectory() as folder,
        kind(Path(folder), tick_ms=1000) as ensemble,
        Contention(ensemble, CONTENDER_KINDS[options.client], timeout_s=2.0) as contention,
    ):
        rounds = ["kill"] * options.kills + ["stop"] * options.stops
        random.Random(1).shuffle(rounds)
        for number, what in enumerate(rounds, 1):
            # Mostly the leader; now and then one of those that the clients talk to.
            victim = ensemble.leader() if number % 3 else ensemble.followers()[0]
            getattr(contention, what)(victim)
            verify(contention.bodies)
            print(f"{number}: {what} {victim}, {len(contention.bodies)} bodies", flush=True)
    verify(contention.bodies)
    print(f"{len(contention.bodies)} bodies, no two of them at once")


if __name__ == "__main__":
    main()
