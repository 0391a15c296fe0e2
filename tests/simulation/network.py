"""The network between replicas: links that break, messages that are lost, late, repeated, held.

A link is a stream, as in life: what it carries arrives in order or not at all. Consensus, and the
writes and questions that replicas forward, promise to bear more: their messages are lost one by
one, come twice, are overtaken, and reach the receiver over a later link than they were sent on.
"""

from typing import TYPE_CHECKING

from coord.consensus.messages import MESSAGES
from coord.replica import messages as peer_messages
from coord.replica.links import Link
from tests.simulation.invariants import SAID, require

if TYPE_CHECKING:
    from tests.simulation.life import Life
    from tests.simulation.world import World

DIAL_AGAIN_US = 30_000
NAMES = {tag: cls.__name__ for tag, cls in MESSAGES.items()} | {
    cls.TAG: cls.__name__ for cls in peer_messages._OWN if cls is not peer_messages.Refusal
}
"""Every kind of message, by its tag; no link is refused among replicas of one ensemble."""
HARDY = frozenset(MESSAGES) | {130, 133, 134}
"""Tags of messages that may come in any way: Forward, BarrierRequest and BarrierReply, too."""


class End:
    """One end of a link: the transport that a life writes to."""

    unsent_bytes = 0

    def __init__(self, life: "Life", peer: int) -> None:
        self.life = life
        self.peer = peer
        self.address = f"replica {peer}"
        self.link: Link
        self.other: End
        self.queue: list[bytes] = []
        self.is_closing = False
        self.is_open = True
        self.last_arrival = 0

    def vouches_for(self, peer: int) -> bool:
        return True

    def send(self, frame: bytes) -> None:
        """Queue one frame."""
        if self.is_closing or not self.is_open:
            return
        is_refusal = frame[0] == peer_messages.Refusal.TAG
        require(not is_refusal or not self.other.is_open, f"15: a link is refused: {frame!r}")
        self.life.boundary()
        if not self.queue:
            self.life.dirty.append(self)
        self.queue.append(frame)

    def close(self) -> None:
        """Close after what is queued is sent."""
        self.is_closing = True
        self.life.dirty.append(self)


class Network:
    """All links, and what is wrong with them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._ends: dict[tuple[int, int], End] = {}
        self.cut: set[tuple[int, int]] = set()
        """(sender, receiver) pairs over which nothing comes."""
        self._spoilt: set[tuple[int, int]] = set()
        """Those over which something was swallowed: their links break when the cut is mended."""
        self.held_until: dict[tuple[int, int], int] = {}
        self._sent = [0] * 256

    @property
    def sent(self) -> dict[str, int]:
        """How many messages of each kind were sent."""
        return {name: self._sent[tag] for tag, name in NAMES.items()}

    # ----------------------------------------------------------------------------- links

    def keep_dialing(self, high: int, low: int) -> None:
        """The replica with the higher id dials the other, again and again while it runs."""
        world = self._world
        dialer, target = world.processes[high].life, world.processes[low].life
        if dialer is None or (high, low) in self._ends:
            return  # its next start, or the end of the link, begins it again
        blocked = (high, low) in self.cut or (low, high) in self.cut
        if target is None or blocked:
            world.timeline.at(DIAL_AGAIN_US, self.keep_dialing, high, low)
            return
        here, there = End(dialer, low), End(target, high)
        here.other, there.other = there, here
        self._ends[high, low], self._ends[low, high] = here, there
        world.counts["link"] += 1
        dialer.input(self._open, here, low)
        target.input(self._open, there, 0)

    def _open(self, end: End, peer: int) -> None:
        links = end.life.links
        end.link = links.dialed(end, peer) if peer else links.accepted(end)

    def break_link(self, one: int, other: int) -> None:
        """A link is gone with all that is on its way; both sides notice."""
        end = self._ends.get((one, other))
        if end is not None:
            self._world.trace("link", one, other, "breaks")
            self._part(end)

    def hang_up(self, end: End) -> None:
        """One side has closed its end; the other one sees that behind what was sent before."""
        if not end.is_open:
            return
        end.is_open = False
        end.life.input(end.life.unlinked, end)
        self._forget(end)
        wait_us = max(0, end.last_arrival - self._world.timeline.now) + 1
        self._world.timeline.at(wait_us, self._end_other, end.other)

    def _end_other(self, end: End) -> None:
        if end.is_open:
            end.is_open = False
            end.life.input(end.life.unlinked, end)
            self._forget(end)

    def _part(self, end: End) -> None:
        for side in (end, end.other):
            if side.is_open:
                side.is_open = False
                side.life.input(side.life.unlinked, side)
        self._forget(end)

    def _forget(self, end: End) -> None:
        """The link counts no more; it is dialled again after a while."""
        here, there = end.life.id, end.peer
        if self._ends.get((here, there)) in (end, end.other):
            del self._ends[here, there], self._ends[there, here]
            high, low = max(here, there), min(here, there)
            self._world.timeline.at(DIAL_AGAIN_US, self.keep_dialing, high, low)

    def process_ended(self, life: "Life", *, is_silent: bool) -> None:
        """A process is gone; its peers see it soon, or after long when the machine died."""
        for peer in self._world.plan.replicas:
            end = self._ends.get((life.id, peer))
            if end is not None:
                end.is_open = False
                wait_us = 400_000 if is_silent else 200
                self._world.timeline.at(wait_us, self._end_other, end.other)
                del self._ends[life.id, peer], self._ends[peer, life.id]

    # ---------------------------------------------------------------------------- messages

    def carry(self, end: End) -> None:
        """Take what a life has put into its end of a link."""
        frames, end.queue = end.queue, []
        if not end.is_open:
            return
        world, faults = self._world, self._world.faults
        here, there = end.life.id, end.peer
        for frame in frames:
            tag = frame[0]
            self._sent[tag] += 1
            if tag in SAID:
                world.invariants.said(end.life.process.disk, frame)
            if world.is_traced:
                world.trace("send", here, there, NAMES[tag], frame.hex())
        if (here, there) in self.cut:
            self._swallow(here, there, len(frames))
            return
        if faults.loss or faults.duplicates or faults.stragglers:
            frames = [frame for frame in frames if self._is_spared(here, there, frame)]
            if not frames:
                return
        now = world.timeline.now
        arrival = now + int(world.random.expovariate(1 / faults.delay_us))
        arrival = max(arrival, end.last_arrival, self.held_until.get((here, there), 0))
        end.last_arrival = arrival
        world.timeline.at(arrival - now, self._arrive, end.other, frames)

    def _is_spared(self, here: int, there: int, frame: bytes) -> bool:
        """Whether a message goes its usual way; else, or besides, do with it what is drawn."""
        world, faults = self._world, self._world.faults
        tag, draw = frame[0], world.random.random
        if tag not in HARDY:
            return True
        if faults.loss and draw() < faults.loss:
            world.counts["fault loss"] += 1
            return False
        if faults.duplicates and draw() < faults.duplicates:
            world.counts["fault duplicate"] += 1
            self._deliver_late(here, there, frame)
        if faults.stragglers and draw() < faults.stragglers:
            world.counts["fault straggler"] += 1
            self._deliver_late(here, there, frame)
            return False
        return True

    def _deliver_late(self, here: int, there: int, frame: bytes) -> None:
        longest_us = self._world.random.choice((2000, 20_000, 1_000_000))
        delay_us = self._world.random.randrange(longest_us)
        self._world.timeline.at(delay_us, self._arrive_late, here, there, frame)

    def _arrive_late(self, here: int, there: int, frame: bytes) -> None:
        end = self._ends.get((there, here))
        if end is not None and end.is_open:
            end.life.input(self._hand_over_late, end, frame)

    def _hand_over_late(self, end: End, frame: bytes) -> None:
        if end.link.ready and not end.is_closing:
            end.life.replica.received(end.link, frame)

    def _arrive(self, end: End, frames: list[bytes]) -> None:
        if not end.is_open:
            return
        if (end.peer, end.life.id) in self.cut:
            self._swallow(end.peer, end.life.id, len(frames))
            return
        end.life.input(end.life.received, end, frames)

    def _swallow(self, here: int, there: int, count: int) -> None:
        self._world.counts["fault swallowed by a partition"] += count
        self._spoilt.add((here, there))

    # ------------------------------------------------------------------------- partitions

    def partition(self, pairs: set[tuple[int, int]]) -> None:
        """Let nothing come over these (sender, receiver) pairs."""
        self.mend()
        self.cut = pairs
        self._world.trace("cut", *sorted(pairs))

    def mend(self) -> None:
        """Let everything come again; links that lost something break."""
        self.cut = set()
        spoilt, self._spoilt = self._spoilt, set()
        for one, other in sorted(spoilt):
            self.break_link(one, other)
        self._world.trace("mend")

    def hold(self, here: int, there: int, duration_us: int) -> None:
        """Let nothing come from one to the other for a while; then all of it comes."""
        self.held_until[here, there] = self._world.timeline.now + duration_us
