"""One seed, one run: a random ensemble in a random bad world, then a good one, and progress."""

import random
from collections.abc import Callable, Sequence

from coord.quorums import QuorumSystem
from coord.quorums.minimal import minimal_quorums
from tests.consensus.cluster import Cluster
from tests.consensus.world import Faults

SYSTEMS: tuple[tuple[int, str], ...] = (
    (1, "majority"),
    (2, "majority"),
    (2, "majority even"),
    (3, "majority"),
    (3, "majority"),
    (3, "simple L=3 R=1"),
    (3, "simple L=2 R=2"),
    (4, "majority even"),
    (4, "majority"),
    (5, "majority"),
    (5, "simple L=4 R=2"),
    (5, "simple L=4 R=2"),
    (5, "simple L=5 R=1"),
    (5, "simple L=2 R=4"),
    (4, "simple L=2 R=3"),
    (4, "grid [[1,2],[3,4]]"),
    (4, "replication=1*2+3*4 election=(1+2)*(3+4)"),
    (3, "weighted 1=3 2=1 3=1 R=3"),
    (4, "weighted 1=2 2=2 3=1 4=0 L=2 R=4"),
    (6, "hierarchical [1,2] [3,4] [5,6] groups=2 members=1"),
    (6, "grid [[1,2,3],[4,5,6]]"),
    (5, "replication=choose(2, 1, 2, 3)"),
    (5, "election=1*2+3*4*5"),
)


def survives(system: QuorumSystem) -> int:
    """How many replicas may be lost, whichever they are, while both sides have a quorum."""
    blocking = [
        *minimal_quorums(system.meets_elections),
        *minimal_quorums(system.meets_replications),
    ]
    return min(quorum.bit_count() for quorum in blocking) - 1


def draw_faults(rng: random.Random, count: int) -> Faults:
    """Draw a world; each kind of fault is quite absent in many."""
    slow = frozenset(n for n in range(1, count + 1) if rng.random() < 0.2)
    return Faults(
        loss=rng.choice((0.0, 0.0, 0.02, 0.1, 0.25)),
        duplicates=rng.choice((0.0, 0.05, 0.3)),
        delay_ms=rng.choice((0.5, 1.0, 3.0, 8.0)),
        straggler=rng.choice((0.0, 0.0, 0.02, 0.1)),
        disk_ms=rng.choice((0.5, 2.0, 6.0)),
        slow_disks=rng.choice((frozenset(), slow)),
        crash_in_effects=rng.choice((0.0, 0.0005, 0.003, 0.01)),
        says_connections=rng.choice((0.0, 0.5, 1.0)),
        transfer_failure=rng.choice((0.0, 0.3)),
    )


class Run:
    """The run of a seed: an ensemble, its world, and random events until they are called off."""

    def __init__(self, seed: int, systems: Sequence[tuple[int, str]] = SYSTEMS) -> None:
        rng = self.random = random.Random(seed)
        count, quorums = rng.choice(systems)
        observers = [count + 1] if rng.random() < 0.15 else []
        self.cluster = cluster = Cluster(
            count + len(observers),
            quorums,
            seed=rng.randrange(1 << 60),
            faults=draw_faults(rng, count),
            observers=observers,
        )
        self.is_on = True
        self.wipes_left = rng.choice((0, survives(cluster.system)))
        self._every(rng.choice((3.0, 10.0, 80.0)), self._work)
        self._every(rng.choice((80.0, 200.0, 600.0)), self._crash)
        self._every(rng.choice((60.0, 150.0)), self._restart)
        self._every(rng.choice((150.0, 400.0)), self._cut)
        self._every(rng.choice((200.0, 500.0)), cluster.heal)
        self._every(300.0, self._pause)
        self._every(rng.choice((50.0, 200.0)), self._flush)
        self._every(rng.choice((100.0, 400.0)), self._bounce)
        self._every(800.0, self._wipe)
        self._every(500.0, self._resign)
        self._every(100.0, self._flap)
        self._every(rng.choice((100.0, 500.0)), self._mutiny)

    def to_the_end(self, duration_ms: float = 4000.0) -> int:
        """Run, and return how many entries were applied; raise where a rule breaks."""
        self.cluster.start()
        self.cluster.run(duration_ms)
        self.is_on = False
        self.cluster.demand_progress()
        return len(self.cluster.checkers.applied)

    def _every(self, mean_ms: float, action: Callable[[], None]) -> None:
        def again() -> None:
            if self.is_on:
                action()
                self._every(mean_ms, action)

        self.cluster.at(self.random.expovariate(1 / mean_ms), again)

    def _any(self) -> int:
        return self.random.choice(sorted(self.cluster.replicas))

    def _work(self) -> None:
        size = self.random.choice((10, 10, 10, 300))
        for number in self.cluster.replicas:
            for _ in range(self.random.randint(1, 3)):
                self.cluster.propose(number, size)
        self.cluster.barrier(self._any())

    def _crash(self) -> None:
        if self.random.random() < 0.1:
            for number in self.cluster.replicas:
                self.cluster.crash(number)
        elif self.random.random() < 0.4 and self.cluster.leader is not None:
            self.cluster.crash(self.cluster.leader)
        else:
            self.cluster.crash(self._any())

    def _restart(self) -> None:
        down = [n for n, r in self.cluster.replicas.items() if r.node is None]
        if down:
            self.cluster.start(self.random.choice(down))

    def _bounce(self) -> None:
        leader = self.cluster.leader
        to_leader = self.random.random() < 0.3 and leader is not None
        self.cluster.restart(leader if to_leader and leader else self._any())

    def _cut(self) -> None:
        numbers = sorted(self.cluster.replicas)
        match self.random.randrange(4):
            case 0:
                self.cluster.isolate(self.cluster.leader or self._any())
            case 1:
                self.cluster.isolate(self._any())
            case 2:
                self.cluster.isolate(*(n for n in numbers if self.random.random() < 0.5))
            case _:
                pairs = [(a, b) for a in numbers for b in numbers if a != b]
                self.cluster.partition(p for p in pairs if self.random.random() < 0.25)

    def _pause(self) -> None:
        self.cluster.replicas[self._any()].pause(self.random.choice((5.0, 50.0, 250.0)))

    def _flush(self) -> None:
        self.cluster.replicas[self._any()].flush(keep=self.random.choice((0, 3, 20)))

    def _wipe(self) -> None:
        if self.wipes_left > 0 and self.cluster.checkers.applied and self.random.random() < 0.5:
            self.wipes_left -= 1
            self.cluster.wipe(self._any())

    def _resign(self) -> None:
        leader = self.cluster.leader
        if leader is not None:
            self.cluster.resign(leader)

    def _mutiny(self) -> None:
        """Cut off a leader that lives, let the others notice, and mend it while they vote."""
        leader = self.cluster.leader
        if leader is None:
            return
        self.cluster.isolate(leader)
        for number in self.cluster.replicas:
            self.cluster.say_connection(number, leader, is_made=False)
        self.cluster.at(self.random.uniform(2.0, 40.0), self.cluster.heal)

    def _flap(self) -> None:
        self.cluster.say_flap(self._any(), self._any())
