"""The process of a replica: the real one, put together as `coord.server` does it, and its rounds.

Beside the replica here is what a machine gives it: a disk, links, clients' connections, a clock.
"""

from collections.abc import Callable
from typing import Protocol

import attrs

from client.testing.disk import Disk, NoTrees
from client.testing.doors import Door
from client.testing.links import End
from client.testing.network import Network
from coord import jute
from coord.consensus.configuration import Configuration, Member
from coord.consensus.effects import Persist
from coord.consensus.log import ORIGIN
from coord.consensus.node import Node
from coord.consensus.recovered import Recovered
from coord.consensus.settings import NodeSettings
from coord.operations.batch import encode_operation, encode_request
from coord.operations.internal import ExpireRequest, Internal
from coord.operations.machine import StateMachine
from coord.replica.clients import Clients
from coord.replica.leases import Lease
from coord.replica.links import Links
from coord.replica.origin import Origin
from coord.replica.outside import Setup
from coord.replica.replica import Replica
from coord.replica.sessions import NO_SESSION
from coord.replica.transfers import Transfers
from coord.state.dict_store import DictStore
from coord.state.watches import WatchTable

TICK_MS = 2000
"""As in a real ensemble by default: sessions last 4 to 40 s, leases 1 s."""
HEARTBEAT_MS = 400
"""Rarer than in a real ensemble, for every one takes time while a test waits."""
ELECTION_MS = 1200
ROUND_EVERY_MS = HEARTBEAT_MS // 2
AWAY_MS = 3 * ROUND_EVERY_MS
"""A gap between two rounds that only a pause makes."""
GATHER_MS = 1
"""While writes are gathered, there is a round after this time."""
EPOCH_MS = 1_767_225_600_000
"""What the replicas take for the time of day when Trio's clock shows 0: the first day of 2026."""


@attrs.frozen
class Founding:
    """What all replicas are started with."""

    members: tuple[Member, ...]
    """The replicas."""
    quorums: str
    """Text form of the quorum system."""
    genesis: bytes
    """The replicated settings."""
    draw: Callable[[int, int], int]
    """Chance: a number from the first to the second, both included."""


class Surroundings(Protocol):
    """What a process has beside its disk."""

    network: Network
    founding: Founding

    def link_closed(self) -> None:
        """A link was closed by a replica; it may be made anew."""


class Process:
    """One life of a replica; its own `Outside`."""

    def __init__(self, surroundings: Surroundings, replica: int, disk: Disk) -> None:
        self.id = replica
        self.is_over = self.is_paused = False
        self.doors: dict[str, Door] = {}
        self.marked: dict[str, Door] = {}
        self._around = surroundings
        self._loop = surroundings.network.loop
        self._disk = disk
        disk.start += 1
        self._inbox: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        self._unwritten: list[Persist] = []
        self._last_round_ms = self._loop.now_ms
        self._is_tick_due = self._was_away = False
        self._watches = WatchTable()
        self.lease = Lease(TICK_MS // 2)
        self.clients = Clients(
            StateMachine(DictStore(), self._watches),
            Origin(replica, disk.start),
            self.lease,
            self._watches,
            (2 * TICK_MS, 20 * TICK_MS),
        )
        self.clients.clock = self._now_ms
        self.node = self._make_node()
        self.links = Links(
            replica, disk.birth, self._ensemble, self._members, self.node.standing, self.warn
        )
        transfers = Transfers(self.node, self.links, NoTrees())
        setup = Setup(TICK_MS, HEARTBEAT_MS, ELECTION_MS, ORIGIN, b"")
        self.replica = Replica(self.node, self.clients, self.links, transfers, self, setup)
        self._keep_ticking()

    def _make_node(self) -> Node:
        founding = self._around.founding
        settings = NodeSettings(
            id=self.id,
            birth=self._disk.birth,
            members=founding.members,
            quorums=founding.quorums,
            heartbeat_ms=HEARTBEAT_MS,
            election_ms=ELECTION_MS,
            genesis=founding.genesis,
        )
        recovered = Recovered(hard=self._disk.hard)
        return Node(settings, recovered, self._disk, founding.draw, self._now_ms())

    def _now_ms(self) -> int:
        return self._loop.now_ms

    def _ensemble(self) -> int:
        configuration = self.node.configuration
        return configuration.ensemble if isinstance(configuration, Configuration) else 0

    def _members(self) -> frozenset[int]:
        return frozenset(member.id for member in self._around.founding.members)

    @property
    def leads(self) -> bool:
        """Whether this replica leads, by its own word."""
        return self.node.established and self.node.leader == self.id

    @property
    def serves(self) -> bool:
        """Whether this replica takes clients now."""
        return not self.is_paused and self.lease.holds(self._now_ms())

    # ------------------------------------------------------------------- Outside of the replica

    def persist(self, persists: tuple[Persist, ...]) -> None:
        """Part of `Outside`."""
        self._unwritten.extend(persists)

    def install(self) -> StateMachine:
        """Part of `Outside`."""
        raise AssertionError("a snapshot is installed, though nobody sends one")

    def name_tree(self, name: str) -> None:  # noqa: ARG002 - part of a protocol
        """Part of `Outside`."""
        raise AssertionError("a tree is named, though nobody sends one")

    def configured(self) -> None:
        """Part of `Outside`."""

    def applied(self, index: int, size: int) -> None:
        """Part of `Outside`."""

    def wall_ms(self) -> int:
        """Part of `Outside`."""
        return EPOCH_MS + self._now_ms()

    def warn(self, line: str) -> None:
        """Part of `Outside`."""
        self._around.network.trace("replica", self.id, "warns:", line)

    # ------------------------------------------------------------------------------ what comes in

    def input(self, handler: Callable[..., None], *arguments: object) -> None:
        """Something has come that the next round handles."""
        if not self.is_over:
            self._inbox.append((handler, arguments))
            self._have_round()

    def dialed(self, end: End, peer: int) -> None:
        """A link to a peer is open."""
        self.input(self._dialed, end, peer)

    def accepted(self, end: End) -> None:
        """A peer has opened a link."""
        self.input(self._accepted, end)

    def frame_came(self, end: End, frame: bytes) -> None:
        """A peer has sent something."""
        self.input(self._frame_came, end, frame)

    def link_ended(self, end: End) -> None:
        """A link is gone."""
        self.input(self._link_ended, end)
        self._around.link_closed()

    def _dialed(self, end: End, peer: int) -> None:
        end.link = self.links.dialed(end, peer)

    def _accepted(self, end: End) -> None:
        end.link = self.links.accepted(end)

    def _frame_came(self, end: End, frame: bytes) -> None:
        if not end.was_closed_here:
            self.replica.received(end.link, frame)

    def _link_ended(self, end: End) -> None:
        self.replica.unlinked(end.link)

    # -------------------------------------------------------------------------------- its rounds

    def _keep_ticking(self) -> None:
        if not self.is_over:
            self._is_tick_due = True
            self._have_round()
            self._loop.after(ROUND_EVERY_MS / 1000, self._keep_ticking)

    def _have_round(self) -> None:
        if not self.is_paused and not self.is_over:
            self._loop.make_due(self)

    def pause(self) -> None:
        """Stop running, as with SIGSTOP; what comes waits."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on."""
        self.is_paused = False
        self._have_round()

    def end(self) -> None:
        """End without a word, as with SIGKILL; what is on the disk stays there."""
        self.is_over = True
        for door in list(self.doors.values()):
            door.break_off()

    def expire(self, session_id: int, attachment: int) -> None:
        """Propose the end of a session, as a leader does."""
        request = jute.encode(ExpireRequest(session_id, attachment))
        operation = encode_operation(NO_SESSION, encode_request(Internal.EXPIRE, request))
        self.clients.origin.add(operation, None)

    def round(self) -> None:
        """Handle what has come, and all that follows."""
        if self.is_over or self.is_paused:
            return
        replica, now_ms = self.replica, self._now_ms()
        self._was_away |= now_ms - self._last_round_ms > AWAY_MS
        self._last_round_ms = now_ms
        inbox, self._inbox = self._inbox, []
        replica.wake(now_ms)
        for handler, arguments in inbox:
            handler(*arguments)
        if self._is_tick_due:
            # All that has come was read just now: it may be what was missed in a pause.
            self._is_tick_due = False
            replica.tick(was_away=self._was_away)
            self._was_away = False
        replica.advance()
        while self._unwritten:
            self._write()
            replica.advance()
        self._flush()
        if replica.is_gathering:
            self._loop.after(GATHER_MS / 1000, self._have_round)
        if self.clients.pauses.wide:
            self._have_round()

    def _write(self) -> None:
        persists, self._unwritten = self._unwritten, []
        for persist in persists:
            self._disk.store(persist)
        self.replica.stored(persists[-1].number)

    def _flush(self) -> None:
        # In the order of their addresses: replicas keep connections in sets.
        while self.marked:
            marked, self.marked = self.marked, {}
            for address in sorted(marked):
                marked[address].flush()
