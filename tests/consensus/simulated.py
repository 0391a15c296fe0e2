"""A simulated replica: a real Node, a fake disk, a driver that may die between any two acts."""

from collections import deque
from collections.abc import Callable

from coord.consensus.configuration import Configuration
from coord.consensus.effects import Effects, InstalledSnapshot
from coord.consensus.log import Entry, EntryKind, Point, point_of
from coord.consensus.messages import Message
from coord.consensus.node import Node
from coord.consensus.settings import NodeSettings
from tests.consensus.checkers import require
from tests.consensus.disk import Disk, Tree
from tests.consensus.world import World

Verb = Callable[[Node], None]


class Crash(Exception):  # noqa: N818 - named for what happens
    """The replica stops here and now."""


class Replica:
    """One replica: its disk, and in each life its node and what hangs on it."""

    def __init__(self, world: World, number: int, disk: Disk, clock_offset: int) -> None:
        self.world = world
        self.id = number
        self.disk = disk
        self.clock_offset = clock_offset
        self.life = 0
        self.node: Node | None = None
        self.settings: NodeSettings | None = None
        self.applied = Point(0, 0, 0)
        self.configuration: Configuration | None = None
        self._forget()

    def _forget(self) -> None:
        self.paused_until = 0.0
        self.inbox: deque[Verb] = deque()
        self.waiting: deque[tuple[int, int, Message]] = deque()
        self.barriers: dict[int, int] = {}
        self.transfers: set[int] = set()
        self._is_busy = False

    # Lives

    def start(self, settings: NodeSettings) -> None:
        disk = self.disk
        self.world.log(f"{self.id} starts with {disk.hard} last={disk.last_index}")
        self.life += 1
        self.settings = settings
        self._forget()
        self.applied = disk.tree.point
        self.configuration = disk.tree.configuration
        draw = self.world.random.randint
        self.node = Node(settings, disk.recovered(), disk, draw, self.clock())
        self.wake(self.life)
        self._tick_for_ever(self.life)

    def crash(self) -> None:
        """Stop; of what the disk was at, some becomes durable and the rest is lost."""
        self.world.log(f"{self.id} crashes")
        self.node = None
        self.disk.crash(self.world.random.randint(0, len(self.disk.under_way)))

    def pause(self, duration_ms: float) -> None:
        """Stop the process for a while; its input waits."""
        self.paused_until = max(self.paused_until, self.world.now + duration_ms)
        life = self.life
        self.world.at(duration_ms, lambda: self.wake(life))

    @property
    def is_awake(self) -> bool:
        return self.node is not None and self.world.now >= self.paused_until

    def clock(self) -> int:
        return int(self.world.now) + self.clock_offset

    def _tick_for_ever(self, life: int) -> None:
        if self.life != life or self.node is None:
            return
        self.wake(life)
        if self.node is None or self.settings is None:
            return
        until_deadline = self.node.deadline_ms - self.clock()
        delay = max(1.0, min(self.settings.heartbeat_ms / 2, until_deadline))
        self.world.at(delay, lambda: self._tick_for_ever(life))

    # The driver's loop

    def input(self, verb: Verb) -> None:
        """Give the replica something to handle, soon."""
        if self.node is None:
            return
        self.inbox.append(verb)
        if not self._is_busy:
            self._is_busy = True
            life = self.life
            self.world.at(self.world.random.choice((0.0, 0.0, 0.3)), lambda: self.wake(life))

    def wake(self, life: int) -> None:
        """One turn of the loop: time, input, effects."""
        node = self.node
        if node is None or self.life != life or not self.is_awake:
            return
        self._is_busy = False
        try:
            node.tick(self.clock())
            while self.inbox:
                self.inbox.popleft()(node)
                self._observe(node)
                if self.world.random.random() < 0.3:
                    self.perform(node)
            self.perform(node)
        except Crash:
            self.world.crash(self.id)
            if self.world.faults.crash_at_boundary or self.world.random.random() < 0.7:
                delay = self.world.random.uniform(0.0, 8.0)
                self.world.at(delay, lambda: self.world.start(self.id))

    def perform(self, node: Node) -> None:
        """Do what the node asks for, until it asks for nothing."""
        while effects := node.take_effects():
            self._observe(node)
            self._perform_one(effects)
        self._observe(node)

    def _perform_one(self, effects: Effects) -> None:
        """The driver's duties, in order; a crash may come between any two."""
        self._boundary()
        for persist in effects.persist:
            self.world.checkers.written(persist.entries)
            self.disk.write(persist)
            self._sync_later(persist.number)
        self._boundary()
        for peer, message in effects.send:
            self._boundary()
            self.world.send(self.id, self.disk, peer, message)
        self.waiting.extend(effects.send_when_stored)
        self._boundary()
        if effects.install is not None:
            self._install(effects.install)
        for entry in effects.apply:
            self._apply(entry)
        self._boundary()
        for token, index in effects.confirmed:
            self.world.checkers.barrier_confirmed(index, self.barriers.pop(token))
        for token in effects.failed:
            del self.barriers[token]
        for transfer in effects.snapshots:
            self.world.transfer(self.id, transfer.peer)

    def _boundary(self) -> None:
        faults, world = self.world.faults, self.world
        world.boundaries += 1
        if world.boundaries == faults.crash_at_boundary:
            raise Crash
        if faults.crash_in_effects and world.random.random() < faults.crash_in_effects:
            raise Crash

    def _observe(self, node: Node) -> None:
        contact = node.contact_ms - self.clock_offset
        self.world.checkers.observe(node, (self.id, self.life), self.world.now, contact)

    # The disk

    def _sync_later(self, number: int) -> None:
        faults, life = self.world.faults, self.life
        mean = faults.disk_ms * (20 if self.id in faults.slow_disks else 1)
        delay = self.world.random.expovariate(1 / mean)
        self.world.at(delay, lambda: self._synced(life, number))

    def _synced(self, life: int, number: int) -> None:
        if self.node is not None and self.life == life:
            self.disk.sync(number)
            self.input(lambda node: self._stored(node, number))

    def _stored(self, node: Node, number: int) -> None:
        if number > node._journal.stored_number:
            node.stored(number)
        while self.waiting and self.waiting[0][0] <= number:
            _, peer, message = self.waiting.popleft()
            self.world.send(self.id, self.disk, peer, message)

    def flush(self, keep: int) -> None:
        """Store the tree, and trim the log up to some entries before it."""
        disk, point = self.disk, self.applied
        can_flush = disk.tree.point.index < point.index <= disk.last_index
        if self.node is None or not can_flush or point.index <= disk.base.index:
            return
        if disk.read(point.index, point.index, 1)[0].chain != point.chain:
            return  # what stands there on disk is about to be replaced
        disk.flush(Tree(point, self.configuration))
        if not self.transfers:
            disk.trim(point.index - keep)

    # The state machine

    def _apply(self, entry: Entry) -> None:
        require(entry.kind in set(EntryKind), "an entry has a kind")
        self.world.checkers.apply(self.applied.index, entry)
        self.applied = point_of(entry)
        if entry.kind == EntryKind.CONFIGURATION:
            self.configuration = Configuration.decode(entry.payload)

    def _install(self, taken: InstalledSnapshot) -> None:
        self.world.log(f"{self.id} installs a snapshot at {taken.index}")
        require(taken.index > self.applied.index, "a snapshot jumps forward")
        self.applied = Point(taken.index, taken.epoch, taken.chain)
        self.configuration = taken.configuration
