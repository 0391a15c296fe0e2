"""Reads while leaders are deposed: short schedules, each drawn from one seed.

`python -m tests.consensus.depositions --seeds 0:10000` runs many; the last line is a summary, and
the exit status is 1 when a read was stale. Each schedule cuts off, deafens, pauses or kills those
who lead, while all who think that they lead are asked for read barriers and for writes: see rules 7
and 8 of the checkers.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Sequence

from coord.consensus.role import RoleName
from coord.quorums.expression import replicas_of
from coord.quorums.minimal import minimal_quorums
from tests.consensus.chaos import draw_faults
from tests.consensus.cluster import Cluster

SYSTEMS: tuple[tuple[int, str], ...] = (
    (3, "majority"),
    (3, "simple L=1 R=3"),
    (3, "simple L=3 R=1"),
    (4, "simple L=2 R=3"),
    (4, "majority even"),
    (4, "replication=1*3+2*4 election=1*2+3*4"),
    (5, "majority"),
    (5, "simple L=2 R=4"),
    (5, "simple L=4 R=2"),
    (5, "weighted 1=3 2=1 3=1 4=1 5=1 R=4"),
)
DURATION_MS = 500.0
KINDS = ("left", "left", "left", "cut off", "deaf", "dumb", "paused", "killed")
"""Left: by just as many as can elect another leader, so that as many as can be stay with it."""


class Schedule:
    """The run of a seed."""

    def __init__(self, seed: int, systems: Sequence[tuple[int, str]] = SYSTEMS) -> None:
        rng = self.random = random.Random(f"deposition {seed}")
        count, self.quorums = rng.choice(systems)
        self.cluster = Cluster(count, self.quorums, seed=rng.randrange(1 << 60))
        self.cluster.start()
        self.cluster.await_leader()
        self.cluster.faults = draw_faults(rng, count)
        self.cluster.faults.crash_in_effects = 0.0
        self.counts: Counter[str] = Counter()
        self._epochs = {self._greatest_epoch()}

    def to_the_end(self) -> Counter[str]:
        """Run, and return what has happened; raises Violation for a stale read."""
        cluster = self.cluster
        self._again(3.0, self._read)
        self._again(6.0, self._write)
        self._again(60.0, self._depose)
        self._again(90.0, self._mend)
        cluster.run(DURATION_MS)
        self.counts["reads confirmed"] = cluster.checkers.barriers_confirmed
        self.counts["leaders deposed"] = len(self._epochs) - 1
        return self.counts

    def _again(self, mean_ms: float, action) -> None:  # type: ignore[no-untyped-def]
        def act() -> None:
            action()
            self._again(mean_ms, action)

        self.cluster.at(self.random.expovariate(1 / mean_ms), act)

    def _leading(self) -> list[int]:
        """Who thinks that it leads."""
        replicas = self.cluster.replicas.values()
        return [r.id for r in replicas if r.node and r.node.role is RoleName.LEADER]

    def _greatest_epoch(self) -> int:
        return max(self.cluster.node(n).epoch for n in self._leading())

    def _read(self) -> None:
        leading = self._leading()
        if leading:
            self._epochs.add(self._greatest_epoch())
        for number in leading:
            self.cluster.barrier(number)
        self.counts["reads asked of two leaders"] += len(leading) > 1

    def _write(self) -> None:
        for number in self._leading():
            self.cluster.propose(number)

    def _depose(self) -> None:
        """Let the others lose a leader, who may take a while to notice."""
        cluster, others = self.cluster, list(self.cluster.numbers)
        leader = cluster.leader or self.random.choice(others)
        others.remove(leader)
        kind = self.random.choice(KINDS)
        self.counts[kind] += 1
        match kind:
            case "cut off":
                cluster.isolate(leader)
            case "left":
                others = self._successors(leader) or others
                cluster.isolate(*others)
            case "deaf":
                cluster.partition((other, leader) for other in others)
            case "dumb":
                cluster.partition((leader, other) for other in others)
            case "paused":
                cluster.replicas[leader].pause(self.random.uniform(20.0, 300.0))
            case _:
                cluster.restart(leader)
        if self.random.random() < 0.7:  # they need not wait for a silence
            for other in others:
                cluster.say_connection(other, leader, is_made=False)

    def _successors(self, leader: int) -> list[int]:
        """Just enough others to elect another one; none where nobody can without the leader."""
        quorums = minimal_quorums(self.cluster.system.elects)
        without = [quorum for quorum in sorted(quorums) if not quorum >> leader & 1]
        return list(replicas_of(self.random.choice(without))) if without else []

    def _mend(self) -> None:
        self.cluster.heal()
        self.cluster.start()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.consensus.depositions")
    parser.add_argument("--seeds", default="0:10000", help="A:B runs seeds A to B - 1")
    options = parser.parse_args()
    first, last = (int(part) for part in options.seeds.split(":"))
    counts: Counter[str] = Counter()
    failed = 0
    for seed in range(first, last):
        schedule = Schedule(seed)
        try:
            counts.update(schedule.to_the_end())
        except Exception as error:  # noqa: BLE001 - every failure of a seed is to be reported
            failed += 1
            print(f"seed {seed}, {schedule.quorums}: {type(error).__name__}: {error}", flush=True)
    told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    print(f"{last - first} schedules, {failed} failed; {told}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
