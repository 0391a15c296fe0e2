"""The whole simulated world of one seed: replicas, network, clients, and what is known of them."""

import random
from collections import Counter
from collections.abc import Callable

from coord import jute
from coord.consensus.configuration import Member, MemberRole
from coord.consensus.log import Entry
from coord.quorums import parse
from coord.state.settings import FORMAT_LEVEL, Settings
from tests.simulation.client import Client
from tests.simulation.clock import MS, Timeline
from tests.simulation.history import History
from tests.simulation.invariants import Invariants
from tests.simulation.network import Network
from tests.simulation.pipe import Pipe
from tests.simulation.plan import Faults, Plan
from tests.simulation.process import Process
from tests.simulation.workload import Workload


class World:
    """Everything there is."""

    pipe_class: type[Pipe] = Pipe

    def __init__(self, plan: Plan, *, is_traced: bool = False) -> None:
        self.plan = plan
        self.faults = plan.faults
        self.random = random.Random(f"world {plan.seed}")
        self.timeline = Timeline()
        self.counts: Counter[str] = Counter()
        self.is_traced = is_traced
        self.lines: list[str] = []
        self.system = parse(plan.quorums, range(1, plan.voters + 1))
        self.members = tuple(
            Member(
                number,
                0,
                MemberRole.VOTER if number <= plan.voters else MemberRole.OBSERVER,
                f"p{number}:1",
                f"c{number}:1",
            )
            for number in plan.replicas
        )
        settings = Settings(FORMAT_LEVEL, bytes(32), bytes(16), None, False)
        self.genesis = jute.encode(settings)
        self.invariants = Invariants(self.counts, self.system)
        self.history = History(self)
        self.workload = Workload(self.random)
        self.network = Network(self)
        self.answered = 0
        self.pipes_made = 0
        self.processes = {number: Process(self, number) for number in plan.replicas}
        for process in self.processes.values():
            process.start()
        self.clients: list[Client] = []
        for _ in range(plan.clients):
            self.add_client()

    def add_client(self) -> Client:
        """One more client."""
        client = Client(self, len(self.clients) + 1)
        self.clients.append(client)
        return client

    def chance(self, share: float) -> bool:
        """Whether something happens that happens so often."""
        return self.random.random() < share

    def client_delay_us(self) -> int:
        """The way between a client and a replica."""
        return 50 + int(self.random.expovariate(1 / 200))

    def trace(self, *words: object) -> None:
        """Note what happened, when a trace is wanted."""
        if self.is_traced:
            self.lines.append(f"{self.timeline.now:>9} {' '.join(map(str, words))}")

    def applied_first(self, entry: Entry) -> None:
        """An entry was applied, here for the first time anywhere."""
        if self.is_traced:
            self.trace("apply", entry.index, hex(entry.epoch), entry.kind, hex(entry.chain))
        self.history.apply(entry)

    def run(self, duration_ms: int, is_over: Callable[[], bool]) -> bool:
        """Let time pass until something holds; tell whether it did in time."""
        return self.timeline.run(duration_ms * MS, is_over)

    @property
    def leader(self) -> int | None:
        """The replica that leads, by its own word, in the greatest epoch."""
        leaders = [
            (process.life.node.epoch, number)
            for number, process in self.processes.items()
            if process.life is not None
            and process.life.node.established
            and process.life.node.leader == number
        ]
        return max(leaders)[1] if leaders else None

    def calm(self) -> None:
        """All faults end."""
        self.faults = Faults()
        self.network.mend()
        self.network.held_until.clear()
        for process in self.processes.values():
            process.disk.is_full = False
            process.slow_until = 0
            if process.life is not None:
                process.life._crash_share = 0.0
