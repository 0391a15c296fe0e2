"""One seed, one run: a bad world for a while, then a good one, and everything must work again."""

from hashlib import sha256

from coord.state.paths import child_of
from coord.state.record import STAT_SIZE
from tests.simulation.faults import Nemesis
from tests.simulation.invariants import Violation, require
from tests.simulation.plan import Plan, draw_plan
from tests.simulation.world import World

RECOVERY_MS = 30_000
"""In a good world, everything works again within this time."""


class Run:
    """The run of a seed."""

    def __init__(self, plan: Plan, *, is_traced: bool = False) -> None:
        self.plan = plan
        self.world = World(plan, is_traced=is_traced)

    @classmethod
    def of(cls, seed: int, *, is_traced: bool = False) -> "Run":
        """The run that a seed gives."""
        return cls(draw_plan(seed), is_traced=is_traced)

    def to_the_end(self) -> None:
        """Run; raises Violation, or whatever the code under test raised."""
        plan, world = self.plan, self.world
        nemesis = Nemesis(world)
        world.run(plan.faulty_ms, lambda: False)
        world.run(2 * plan.faulty_ms, lambda: world.answered >= plan.operations)
        nemesis.is_on = False
        self._recover()

    def _recover(self) -> None:
        """The liveness phase (rule 32 at its end)."""
        world = self.world
        world.trace("calm")
        world.calm()
        for client in world.clients:
            client.pace = 1  # whether all is answered is not to hang on how long they think
        self._demand("start every replica", self._all_started)
        self._demand("answer clients", lambda: world.answered >= self.plan.operations)
        for client in world.clients:
            client.is_working = False
        self._demand("answer everything", self._all_idle)
        living = [client for client in world.clients if not client.is_dead]
        for client in living:
            client.probe()
        self._demand("write and read after the faults", self._all_idle)
        self._demand("expire the sessions of the dead", self._only_living_sessions)
        self._demand("bring everybody level", self._is_level)
        for process in world.processes.values():
            self._check_tree(process.id)
        world.counts["premise 32"] += 1

    def _demand(self, what: str, holds) -> None:  # type: ignore[no-untyped-def]
        if not self.world.run(RECOVERY_MS, holds):
            raise Violation(f"no progress: the ensemble cannot {what}")

    def _all_started(self) -> bool:
        for process in self.world.processes.values():
            process.start()
        return all(process.life is not None for process in self.world.processes.values())

    def _all_idle(self) -> bool:
        return all(client.is_dead or client.is_idle for client in self.world.clients)

    def _only_living_sessions(self) -> bool:
        living = {client.session for client in self.world.clients if not client.is_dead}
        return set(self.world.history.sessions) <= living

    def _is_level(self) -> bool:
        if not self._all_started():  # damage may be found as late as now
            return False
        count = len(self.world.invariants.sequence)
        return all(
            process.life is not None and process.life.replica.applied.index == count
            for process in self.world.processes.values()
        )

    def _check_tree(self, number: int) -> None:
        """A replica's whole tree is the model's."""
        life = self.world.processes[number].life
        assert life is not None
        store, model = life.clients.machine.store, self.world.history.model
        paths = [b"/"]
        for path in paths:
            record = store.get(path)
            assert record is not None
            state = model.at(path.decode(), model.zxid)
            names = store.children(path)
            paths += [child_of(path, name) for name in names]
            if path.startswith(b"/zookeeper"):
                continue
            same = record[-STAT_SIZE:] == state.stat
            same = same and frozenset(name.decode() for name in names) == state.children
            require(same, f"32: replica {number} has another {path!r}")
        require(len(paths) == len(model.nodes) + 2, f"32: replica {number} has other nodes")

    @property
    def mark(self) -> str:
        """A few letters that differ when anything went another way."""
        world = self.world
        digest = world.invariants.digests[-1] if world.invariants.digests else 0
        text = f"{world.timeline.now} {digest} {sorted(world.counts.items())} {world.network.sent}"
        return sha256(text.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        plan, world = self.plan, self.world
        return (
            f"{plan.voters}+{plan.observers} {plan.quorums}: {world.answered} operations, "
            f"{len(world.invariants.sequence)} entries, {world.counts['role leader']} leaders, "
            f"{world.timeline.now / 1e6:.1f} s, {self.mark}"
        )
