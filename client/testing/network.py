"""The network of an ensemble: who reaches whom, and how long that takes.

A connection is a `Pipe` each way, and behaves as TCP does: what is sent arrives in order; while its
ends are cut off from each other it waits, and arrives once they are not.
"""

import logging
import random
from collections.abc import Callable

import trio

from client.testing.loop import Loop

LOG = logging.getLogger("client.testing")

Party = object
"""Who can be cut off: a replica, by its id, or a client."""


class Network:
    """All that is between the replicas of an ensemble, and between them and clients."""

    def __init__(self, loop: Loop, chance: random.Random, latency: float) -> None:
        self.loop = loop
        self._chance = chance
        self._latency = latency
        self._sides: list[frozenset[Party]] = []
        """Each was parted from all others."""
        self._cuts: list[frozenset[Party]] = []
        """Pairs that do not reach each other."""
        self._pipes: dict[Pipe, None] = {}
        """Those in which something waits, in the order in which that began."""

    def reaches(self, one: Party, other: Party) -> bool:
        """Whether these two reach each other."""
        if frozenset((one, other)) in self._cuts:
            return False
        return all((one in side) == (other in side) for side in self._sides)

    def part(self, side: frozenset[Party]) -> None:
        """Part these from all others."""
        self._sides.append(side)
        self.trace("part", *side)

    def cut(self, one: Party, other: Party) -> None:
        """Let these two not reach each other."""
        self._cuts.append(frozenset((one, other)))
        self.trace("cut", one, other)

    def heal(self, parties: frozenset[Party]) -> None:
        """Undo all partitions and cuts that name one of these; of none: undo all."""
        self._sides = [side for side in self._sides if parties and not side & parties]
        self._cuts = [pair for pair in self._cuts if parties and not pair & parties]
        self.trace("heal", *parties)
        pipes, self._pipes = self._pipes, {}
        for pipe in pipes:
            pipe.go_on()

    def delay(self) -> float:
        """How long something takes to arrive, in seconds."""
        return self._chance.uniform(0, 2 * self._latency) if self._latency else 0.0

    def holds(self, pipe: "Pipe") -> None:
        """Something waits in a pipe until its ends reach each other."""
        self._pipes[pipe] = None

    def trace(self, *words: object) -> None:
        """Log what happens, for whoever wants to see it."""
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug("%.6f %s", trio.current_time(), " ".join(map(str, words)))


class Pipe:
    """One direction of a connection."""

    def __init__(
        self,
        network: Network,
        sender: Party,
        receiver: Party,
        deliver: Callable[[bytes | None], None],
    ) -> None:
        """`deliver` is given what arrives; None: the sender has closed it."""
        self._network = network
        self._sender = sender
        self._receiver = receiver
        self._deliver = deliver
        self._held: list[bytes | None] = []
        self._arrival = 0.0

    def send(self, data: bytes | None) -> None:
        """Put something on its way."""
        network = self._network
        now, delay = trio.current_time(), network.delay()
        if delay or self._arrival > now:
            self._arrival = max(self._arrival, now + delay)
            network.loop.after(self._arrival - now, self._arrive, data)
        else:
            self._arrive(data)

    def go_on(self) -> None:
        """Let arrive what waits, if the ends reach each other now."""
        held, self._held = self._held, []
        for data in held:
            self._arrive(data)

    def _arrive(self, data: bytes | None) -> None:
        network = self._network
        if self._held or not network.reaches(self._sender, self._receiver):
            self._held.append(data)
            network.holds(self)
            return
        size = "end" if data is None else len(data)
        network.trace(self._sender, "->", self._receiver, size)
        self._deliver(data)
