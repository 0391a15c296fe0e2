"""The world of a simulated ensemble: time as a queue of events, chance, and a network."""

import heapq
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable

import attrs

from coord.consensus import messages
from coord.consensus.messages import Message
from tests.consensus.checkers import Checkers, require
from tests.consensus.disk import Disk


@attrs.define
class Faults:
    """How unkind the world is; all zero is a kind one."""

    loss: float = 0.0
    duplicates: float = 0.0
    delay_ms: float = 1.0
    straggler: float = 0.0
    """Share of messages that come very late."""
    disk_ms: float = 2.0
    slow_disks: frozenset[int] = frozenset()
    crash_in_effects: float = 0.0
    """Chance of a crash at each boundary between two effects."""
    crash_at_boundary: int = 0
    """Number of the one boundary at which a replica crashes; 0 for none."""
    says_connections: float = 1.0
    """Chance that a replica is told of a connection made or lost."""
    transfer_failure: float = 0.0


class World(ABC):
    """Time, chance and the network; one seed gives the whole run."""

    def __init__(self, seed: int, faults: Faults | None) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.faults = faults or Faults()
        self.checkers = Checkers()
        self.boundaries = 0
        self.cut: set[tuple[int, int]] = set()
        self.trace: deque[str] = deque(maxlen=4000)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0

    @property
    @abstractmethod
    def numbers(self) -> tuple[int, ...]:
        """The ids of all replicas."""

    @abstractmethod
    def deliver(self, sender: int, peer: int, message: Message) -> None:
        """Hand a message to a replica."""

    @abstractmethod
    def say_connection(self, to: int, about: int, *, is_made: bool) -> None:
        """Tell a replica, perhaps, that a connection was made or lost."""

    @abstractmethod
    def start(self, *numbers: int) -> None:
        """Start replicas."""

    @abstractmethod
    def crash(self, number: int) -> None:
        """Stop a replica."""

    @abstractmethod
    def transfer(self, sender: int, receiver: int) -> None:
        """Carry a snapshot."""

    # Time

    def at(self, delay_ms: float, action: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (self.now + delay_ms, self._sequence, action))

    def run(self, duration_ms: float) -> None:
        """Let time pass."""
        end = self.now + duration_ms
        while self._events and self._events[0][0] <= end:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = end

    def run_until(self, condition: Callable[[], bool], limit_ms: float) -> None:
        """Let time pass until a condition holds; fail when it does not in time."""
        end = self.now + limit_ms
        while not condition():
            require(bool(self._events) and self._events[0][0] <= end, "no progress in time")
            self.now, _, action = heapq.heappop(self._events)
            action()

    def log(self, text: str) -> None:
        self.trace.append(f"{self.now:10.2f} {text}")

    # The network

    def send(self, sender: int, disk: Disk, peer: int, message: Message) -> None:
        """Take a message from a replica, whose disk must bear out what it says."""
        self.checkers.say(disk, message)
        data = messages.encode(message)
        self.log(f"{sender} -> {peer} {message}")
        if (sender, peer) in self.cut or self.random.random() < self.faults.loss:
            return
        copies = 2 if self.random.random() < self.faults.duplicates else 1
        for _ in range(copies):
            delay = self.random.expovariate(1 / self.faults.delay_ms)
            if self.random.random() < self.faults.straggler:
                delay += self.random.uniform(50.0, 1500.0)
            self.at(delay, lambda: self._arrive(sender, peer, data))

    def _arrive(self, sender: int, peer: int, data: bytes) -> None:
        if (sender, peer) not in self.cut:
            self.deliver(sender, peer, messages.decode(data))

    def partition(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Lose all messages of these (sender, receiver) pairs, and no others."""
        self.cut = set(pairs)
        self.log(f"cut {sorted(self.cut)}")

    def isolate(self, *numbers: int) -> None:
        """Cut some replicas off from the others, both ways."""
        inside, everybody = set(numbers), set(self.numbers)
        self.partition(
            pair for a in inside for b in everybody - inside for pair in ((a, b), (b, a))
        )

    def heal(self) -> None:
        """Mend the network and tell everybody."""
        was_cut, self.cut = self.cut, set()
        self.log("heal")
        for sender, receiver in sorted(was_cut):
            self.say_connection(receiver, sender, is_made=True)
