"""One life of a replica: the real one, put together as the server does it, and its loop."""

from typing import TYPE_CHECKING

import attrs

from coord.consensus.configuration import Configuration
from coord.consensus.effects import Persist
from coord.consensus.log import HardState
from coord.consensus.node import Node
from coord.consensus.recovered import Recovered
from coord.consensus.settings import NodeSettings
from coord.operations.machine import StateMachine
from coord.replica.clients import Clients
from coord.replica.leases import Lease
from coord.replica.links import Links
from coord.replica.origin import Origin
from coord.replica.outside import Setup
from coord.replica.replica import Replica
from coord.replica.transfers import Transfers
from coord.state.watches import WatchTable
from tests.simulation.disk import Log, check_fit
from tests.simulation.network import End
from tests.simulation.pipe import Pipe
from tests.simulation.stock import Stock
from tests.simulation.tree import Image

if TYPE_CHECKING:
    from tests.simulation.process import Process

GATHER_US = 1000
"""While writes are gathered, the loop comes again after this time."""


class Crash(Exception):  # noqa: N818 - named for what happens
    """The process stops here and now."""


class Life:
    """One process of a replica; its own `Outside`."""

    def __init__(self, process: "Process") -> None:
        self.process = process
        self.id = process.id
        world, disk, clock = process.world, process.disk, process.clock
        plan = world.plan
        self.dirty: list[End] = []
        """Ends of links with something to send or to close, in that order."""
        self.pipes: dict[int, Pipe] = {}
        self.marked: set[int] = set()
        self._unwritten: list[Persist] = []
        self._is_writing = False
        self._handed_out = 0
        self._stored = 0
        self._last_round_ms = self._back_ms = clock.now_ms()
        self._next_tick_ms = 0
        self._was_away = False
        self._crash_share = world.faults.crash_in_effects
        image = Image(configuration=disk.configuration)
        if not disk.distrust:
            image = disk.images[disk.tree]
            check_fit(disk, image)
            world.counts["premise 10"] += 1
        world.counts["premise 14"] += 1
        self._watches = WatchTable()
        machine = StateMachine(image.store(), self._watches)
        world.invariants.opened(image.point, machine.digest)
        self.clients = Clients(
            machine,
            Origin(self.id, disk.start),
            Lease(plan.tick_ms // 2),
            self._watches,
            (2 * plan.tick_ms, 20 * plan.tick_ms),
        )
        self.clients.clock = clock.now_ms
        self.node = self._make_node(image)
        self.links = Links(
            self.id,
            disk.birth,
            self._ensemble,
            self._member_ids,
            self.node.standing,
            self.warn,
        )
        self.stock = Stock(self)
        self.replica = self._make_replica(image)

    def _make_replica(self, image: Image) -> Replica:
        plan = self.process.world.plan
        return Replica(
            self.node,
            self.clients,
            self.links,
            Transfers(self.node, self.links, self.stock),
            self,
            Setup(
                plan.tick_ms,
                plan.heartbeat_ms,
                plan.election_ms,
                image.point,
                image.configuration,
                lacks_state=self.process.disk.distrust,
            ),
        )

    def _make_node(self, image: Image) -> Node:
        world, disk, configuration = self.process.world, self.process.disk, image.configuration
        applied_index = disk.base.index if disk.distrust else image.point.index
        return Node(
            self._settings(),
            Recovered(
                hard=self.recovered_hard(applied_index),
                applied_index=applied_index,
                configuration=Configuration.decode(configuration) if configuration else None,
            ),
            Log(disk),
            world.random.randint,
            self.process.clock.now_ms(),
        )

    def _settings(self) -> NodeSettings:
        world, plan = self.process.world, self.process.world.plan
        return NodeSettings(
            id=self.id,
            birth=self.process.disk.birth,
            members=world.members,
            quorums=plan.quorums,
            heartbeat_ms=plan.heartbeat_ms,
            election_ms=plan.election_ms,
            genesis=world.genesis,
            limits=plan.limits,
        )

    def recovered_hard(self, applied_index: int) -> HardState:
        """The hard state to start from; what is applied already is committed."""
        hard = self.process.disk.hard
        return attrs.evolve(hard, commit_index=max(hard.commit_index, applied_index))

    def _ensemble(self) -> int:
        configuration = self.node.configuration
        return configuration.ensemble if configuration is not None else 0

    def _member_ids(self) -> frozenset[int]:
        return frozenset(self.process.world.plan.replicas)

    # ------------------------------------------------------------------- Outside of the replica

    def persist(self, persists: tuple[Persist, ...]) -> None:
        self.boundary()
        for persist in persists:
            self.process.world.invariants.written(persist.entries)
        self._unwritten.extend(persists)
        self._handed_out = persists[-1].number
        self.boundary()

    def install(self) -> StateMachine:
        world, disk = self.process.world, self.process.disk
        image = disk.images[disk.tree]
        check_fit(disk, image)
        disk.images = {disk.tree: image}
        self.stock.installed()
        machine = StateMachine(image.store(), self._watches)
        world.invariants.opened(image.point, machine.digest)
        world.counts["snapshot installed"] += 1
        world.trace("install", self.id, image.point.index)
        return machine

    def name_tree(self, name: str) -> None:
        self.process.disk.name_tree(name)

    def configured(self) -> None:
        pass

    def applied(self, index: int, size: int) -> None:
        self.boundary()
        self.stock.applied()
        world = self.process.world
        first = world.invariants.applied(self.replica.applied, self.clients.machine.digest)
        if first is not None:
            world.applied_first(first)

    def wall_ms(self) -> int:
        return self.process.clock.wall_ms()

    def warn(self, line: str) -> None:
        self.process.world.trace("warn", self.id, line)

    # ------------------------------------------------------------------------- what comes in

    def input(self, handler, *arguments) -> None:  # type: ignore[no-untyped-def]
        """Something has happened that the loop handles soon."""
        self.process.input(self, handler, arguments)

    def received(self, end: End, frames: list[bytes]) -> None:
        """Frames have come over a link."""
        for frame in frames:
            if end.is_closing:
                return
            self.replica.received(end.link, frame)

    def unlinked(self, end: End) -> None:
        """A link's socket is gone."""
        self.replica.unlinked(end.link)

    def stored(self, number: int) -> None:
        """The disk has done what it was given."""
        process, world = self.process, self.process.world
        self._is_writing = False
        process.disk.finish()
        world.counts["premise 13"] += 1
        if process.counts_as_voter:
            world.invariants.durable(self.id, process.disk.new_chains)
        process.disk.new_chains.clear()
        self._stored = number
        self.replica.stored(number)

    # --------------------------------------------------------------------------- the loop

    def boundary(self) -> None:
        """Two effects meet here; the process may end between them."""
        if self._crash_share and self.process.world.chance(self._crash_share):
            raise Crash

    def round(self, inbox: list[tuple]) -> None:  # type: ignore[type-arg]
        """Handle what has come, and all that follows."""
        process, replica = self.process, self.replica
        now_ms = process.clock.now_ms()
        if now_ms - self._last_round_ms > process.away_ms:
            self._was_away, self._back_ms = True, now_ms
        self._last_round_ms = now_ms
        replica.wake(now_ms)
        for handler, arguments in inbox:
            handler(*arguments)
        if now_ms >= self._next_tick_ms:
            # All that has come was read just now: it may be what was missed in a pause.
            self._next_tick_ms = now_ms + process.tick_ms
            replica.tick(was_away=self._was_away)
            self._was_away = False
        replica.advance()
        self.clients.commands.clear()
        self.flush()
        self._write()
        self.stock.keep(self._handed_out, self._stored)
        process.world.invariants.observe(self, process.world.timeline.now)
        if replica.is_gathering:
            process.wake_after(GATHER_US)

    def flush(self) -> None:
        """Send everything that was put out."""
        network = self.process.world.network
        while self.dirty:
            dirty, self.dirty = self.dirty, []
            for end in dirty:
                if end.queue:
                    network.carry(end)
                if end.is_closing:
                    network.hang_up(end)
        # In the order of their numbers: replicas keep connections in sets.
        while self.marked:
            marked, self.marked = sorted(self.marked), set()
            for number in marked:
                if number in self.pipes:
                    self.pipes[number].flush()

    def _write(self) -> None:
        if not self._unwritten or self._is_writing:
            return
        self.boundary()
        persists, self._unwritten = self._unwritten, []
        lowest = self.replica.transfers.lowest_index
        disk = self.process.disk
        configuration = disk.images[disk.tree].configuration
        disk.stage(persists, self.stock.trim_to(lowest), configuration)
        self._is_writing = True
        self.process.commit_later(persists[-1].number)
        self.boundary()
