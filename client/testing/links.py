"""Links between the replicas of an ensemble: dialled when both ends run and reach each other."""

from collections.abc import Mapping
from typing import Protocol

from client.testing.network import Network, Pipe
from coord.replica.links import Link

DIAL_AGAIN_S = 0.1
"""After a link was closed by one of its ends."""


class Life(Protocol):
    """The process of a replica, as its links see it."""

    id: int

    def dialed(self, end: "End", peer: int) -> None:
        """A link to a peer is open."""

    def accepted(self, end: "End") -> None:
        """A peer has opened a link."""

    def frame_came(self, end: "End", frame: bytes) -> None:
        """The peer has sent something."""

    def link_ended(self, end: "End") -> None:
        """The link is gone."""


class End:
    """One end of a link; its `LinkTransport`."""

    unsent_bytes = 0
    """The network takes everything."""

    def __init__(self, life: Life, peer: int) -> None:
        self.address = f"replica {peer}"
        self.link: Link
        """Once the replica knows of it."""
        self.life = life
        self.peer = peer
        self.pipe: Pipe
        """What is sent into it arrives at the other end."""
        self.is_open = True
        self.was_closed_here = False

    def vouches_for(self, peer: int, /) -> bool:  # noqa: ARG002 - part of a protocol
        """Nobody has to show a certificate."""
        return True

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        if self.is_open:
            self.pipe.send(frame)

    def close(self) -> None:
        """Close after what was sent has arrived."""
        self.was_closed_here = True
        if self.is_open:
            self.is_open = False
            self.pipe.send(None)
            self.life.link_ended(self)

    def arrived(self, frame: bytes | None) -> None:
        """The other end has sent something, or was closed."""
        if not self.is_open:
            return
        if frame is None:
            self.is_open = False
            self.life.link_ended(self)
        else:
            self.life.frame_came(self, frame)


class Cabling:
    """All links."""

    def __init__(self, network: Network, lives: Mapping[int, Life]) -> None:
        """`lives` are the replicas that run now."""
        self._network = network
        self._lives = lives
        self._ends: dict[tuple[int, int], End] = {}
        """By the replica that has it, and the one at the other end."""

    def dial(self) -> None:
        """Make all links that are missing and can be made."""
        for high in sorted(self._lives):
            for low in sorted(self._lives):
                is_missing = low < high and not self._is_linked(high, low)
                if is_missing and self._network.reaches(high, low):
                    self._link(self._lives[high], self._lives[low])

    def _is_linked(self, high: int, low: int) -> bool:
        return any(
            end is not None and end.is_open
            for end in (self._ends.get((high, low)), self._ends.get((low, high)))
        )

    def _link(self, dialer: Life, target: Life) -> None:
        here, there = End(dialer, target.id), End(target, dialer.id)
        here.pipe = Pipe(self._network, dialer.id, target.id, there.arrived)
        there.pipe = Pipe(self._network, target.id, dialer.id, here.arrived)
        self._ends[dialer.id, target.id] = here
        self._ends[target.id, dialer.id] = there
        dialer.dialed(here, target.id)
        target.accepted(there)

    def dial_later(self) -> None:
        """A link was closed; it may be made anew."""
        self._network.loop.after(DIAL_AGAIN_S, self.dial)

    def process_ended(self, replica: int) -> None:
        """Close all links of a replica."""
        for (one, _other), end in self._ends.items():
            if one == replica and end.is_open:
                end.is_open = False
                end.pipe.send(None)
