"""Replicas are killed or stopped under load; a command, and what the tests of it share.

python -m tests.ensemble.kills --rounds 20 --victim leader
python -m tests.ensemble.kills --rounds 100 --victim any --replicas 4 --quorums "grid [[1,2],[3,4]]"
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from tests.ensemble import storm
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble, Ensemble, ZooKeeperEnsemble
from tests.ensemble.storm import Watcher, Writer

WRITERS = 8
PROGRESS = 100
"""So many acknowledged writes of everybody between two kills, at least."""
PROGRESS_SECONDS_MAX = 30.0


@attrs.frozen
class Kill:
    """One kill, or stop, and what the clients felt of it."""

    time: float
    """When the signal was sent, by the monotonic clock."""
    replicas: tuple[int, ...]
    """Who was killed or stopped."""
    gap_s: float
    """The longest time without an acknowledged write of anybody, until all replicas serve."""
    needlessly_lost: int
    """Connections to replicas that live which broke nevertheless."""


class Storm:
    """Eight writers and a watcher of each replica, while an ensemble loses replicas."""

    def __init__(
        self, ensemble: Ensemble, *, writers: int = WRITERS, watcher_timeout_ms: int = 10_000
    ) -> None:
        self.ensemble = ensemble
        ids = list(ensemble.ids)
        self.writers = [Writer(ensemble, ids[n % len(ids)], n) for n in range(writers)]
        self.watchers = [Watcher(ensemble, i, timeout_ms=watcher_timeout_ms) for i in ids]
        self.kills: list[Kill] = []

    def __enter__(self) -> "Storm":
        storm.prepare(self.ensemble)
        for client in self.clients:
            client.start()
        try:
            self.progress()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.stop()

    @property
    def clients(self) -> list[storm.Client]:
        """Everybody."""
        return [*self.watchers, *self.writers]

    def final_tree(self) -> list[storm.Node]:
        """Let everybody end, and read what the replicas hold."""
        self.progress()
        return storm.final_tree(self.ensemble, self.writers, self.watchers)

    @property
    def acknowledged(self) -> int:
        """How many writes were acknowledged so far."""
        return sum(len(writer.acknowledged) for writer in self.writers)

    def progress(self) -> None:
        """Wait until writes were acknowledged; raise what a client has to say."""
        goal = self.acknowledged + PROGRESS

        def reached() -> bool:
            for client in self.clients:
                if client.error is not None:
                    raise client.error
            return self.acknowledged >= goal

        wait_for(reached, seconds=PROGRESS_SECONDS_MAX, what=f"{PROGRESS} more writes")

    def kill(self, replicas: Sequence[int]) -> Kill:
        """SIGKILL these, see writes go on where a quorum is left, start them again."""
        now = time.monotonic()
        for replica in replicas:
            self.ensemble.kill(replica)
        if self.ensemble.goes_on_without(replicas):
            self.progress()
        after = time.monotonic()
        for replica in replicas:
            self.ensemble.restart(replica, wait=False)
        self.ensemble.wait_until_serving(replicas)
        return self._note(replicas, now, after)

    def stop(self, replicas: Sequence[int], *, seconds: float) -> Kill:
        """SIGSTOP these for so long, then let them go on."""
        now = time.monotonic()
        with ExitStack() as stack:
            for replica in replicas:
                stack.enter_context(self.ensemble.paused(replica))
            end = now + seconds
            wait_for(lambda: time.monotonic() > end, seconds=2 * seconds, what="the end of a stop")
            after = time.monotonic()
        self.ensemble.wait_until_serving(replicas)
        return self._note(replicas, now, after)

    def _note(self, replicas: Sequence[int], now: float, after: float) -> Kill:
        """See writes go on, look at what the clients felt, send them home."""
        self.progress()
        losses = [
            loss
            for client in self.clients
            for loss in client.losses
            if now <= loss.time <= after and loss.replica not in replicas
        ]
        gap_s = storm.longest_gap_s(self.writers, now, time.monotonic())
        kill = Kill(now, tuple(replicas), gap_s, len(losses))
        self.kills.append(kill)
        for client in self.clients:
            client.go_home()
        self.progress()
        return kill


def leader(ensemble: Ensemble) -> Sequence[int]:
    """Name the victim: who leads."""
    return [ensemble.leader()]


def follower(ensemble: Ensemble) -> Sequence[int]:
    """Name the victim: one who follows."""
    return ensemble.followers()[:1]


def everybody(ensemble: Ensemble) -> Sequence[int]:
    """Name the victims."""
    return list(ensemble.ids)


def anybody(ensemble: Ensemble) -> Sequence[int]:
    """Draw the victims: any number, and who leads among them in every other round."""
    number = CHANCE.randint(1, len(ensemble.ids))
    chosen = set(CHANCE.sample(list(ensemble.ids), number))
    if CHANCE.random() < 0.5:
        chosen.add(ensemble.leader())
    return sorted(chosen)


CHANCE = random.Random(0)  # the same victims in each run, as far as the leaders are the same
VICTIMS: dict[str, Callable[[Ensemble], Sequence[int]]] = {
    "leader": leader,
    "follower": follower,
    "all": everybody,
    "any": anybody,
}


def _ensemble(folder: Path, options: argparse.Namespace) -> Ensemble:
    if options.servers == "zookeeper":
        return ZooKeeperEnsemble(folder, options.replicas, tick_ms=2000)
    return CoordEnsemble(folder, options.replicas, tick_ms=2000, quorums=options.quorums)


def main() -> None:
    """Kill many times and print what the clients felt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--victim", choices=VICTIMS, default="leader")
    parser.add_argument("--stop", type=float, metavar="SECONDS", help="SIGSTOP instead of SIGKILL")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--servers", choices=("coord", "zookeeper"), default="coord")
    parser.add_argument("--quorums", default="majority", help="of coord")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        _ensemble(Path(folder), options) as ensemble,
        Storm(ensemble) as blowing,
    ):
        for number in range(1, options.rounds + 1):
            victims = VICTIMS[options.victim](ensemble)
            if options.stop:
                kill = blowing.stop(victims, seconds=options.stop)
            else:
                kill = blowing.kill(victims)
            print(
                f"{number}: {kill.replicas} gone, {kill.gap_s:.3f} s without a write, "
                f"{kill.needlessly_lost} connections to others lost",
                flush=True,
            )
        tree = blowing.final_tree()
    storm.verify_writes(tree, blowing.writers)
    for watcher in blowing.watchers:
        storm.verify_watch(tree, watcher)
    gaps = [kill.gap_s for kill in blowing.kills]
    unknown = sum(len(writer.unknown) for writer in blowing.writers)
    print(
        f"median gap {statistics.median(gaps):.3f} s, longest {max(gaps):.3f} s; "
        f"{blowing.acknowledged} writes acknowledged, {unknown} unknown: all properties hold"
    )


if __name__ == "__main__":
    main()
