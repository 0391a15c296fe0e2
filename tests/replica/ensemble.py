"""Whole replicas over links, disks and trees in memory; nothing moves unless a test says so."""

from collections import deque
from collections.abc import Callable

from coord import jute
from coord.consensus.configuration import Member, MemberRole
from coord.consensus.effects import InstalledSnapshot, Persist
from coord.consensus.log import ORIGIN, Point
from coord.consensus.node import Node
from coord.consensus.settings import NodeSettings
from coord.operations.machine import StateMachine
from coord.replica.clients import Clients
from coord.replica.leases import Lease
from coord.replica.links import Link, Links
from coord.replica.origin import Origin
from coord.replica.outside import Setup
from coord.replica.replica import Replica
from coord.replica.transfers import Transfers
from coord.state.dict_store import DictStore
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.state.store import Store, Table
from coord.state.watches import WatchTable
from tests.consensus.disk import Disk
from tests.replica.served import Client

GENESIS = jute.encode(Settings(FORMAT_LEVEL, b"k" * 32, b"p" * 16, None, False))


SOMEWHERE = Point(5, 1, (1 << 64) - 1)


class Wire:
    """One end of a link: what was sent over it."""

    def __init__(self) -> None:
        self.address = "test"
        self.unsent_bytes = 0
        self.frames: deque[bytes] = deque()
        self.closed = False

    def vouches_for(self, peer: int) -> bool:
        return True

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def close(self) -> None:
        self.closed = True


class Stock:
    """Trees that are never flushed; `exports` holds what the tests want to be sent."""

    def __init__(self) -> None:
        self.exports: list[Export] = []
        self.imports: list[Import] = []
        self.discarded: list[str] = []
        self.asked: list[int] = []

    def export(self, least_index: int) -> "Export | None":
        self.asked.append(least_index)
        return self.exports.pop() if self.exports else None

    def receive(self) -> "Import":
        self.imports.append(Import(f"tree.{len(self.imports) + 2}"))
        return self.imports[-1]

    def discard(self, name: str) -> None:
        self.discarded.append(name)


class Export:
    def __init__(self, chunks: int, point: Point = SOMEWHERE, configuration: bytes = b"") -> None:
        self.point = point
        self.configuration = configuration
        self.closed = False
        self._chunks = iter(bytes([number]) for number in range(chunks))

    def next_chunk(self) -> bytes | None:
        return next(self._chunks, None)

    def close(self) -> None:
        self.closed = True


class Import:
    """Takes chunks; `answer` says that the oldest one is stored."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.abandoned = False
        self.waiting: deque[Callable[[bool], None]] = deque()

    def feed(self, chunk: bytes, done: Callable[[bool], None]) -> None:
        self.waiting.append(done)

    def finish(self, done: Callable[[bool], None]) -> None:
        self.waiting.append(done)

    def abandon(self) -> None:
        self.abandoned = True


class Running:
    """One replica; its own `Outside`."""

    def __init__(self, number: int, members: tuple[Member, ...], quorums: str) -> None:
        self.disk = Disk(birth=number)
        self.warnings: list[str] = []
        self.stock = Stock()
        self.next_machine: StateMachine | None = None
        self.named: list[str] = []
        self.is_disk_stuck = False
        self._unstored = 0
        watches = WatchTable()
        settings = NodeSettings(
            id=number,
            birth=number,
            members=members,
            quorums=quorums,
            heartbeat_ms=100,
            election_ms=1000,
            genesis=GENESIS,
        )
        self.node = Node(settings, self.disk.recovered(), self.disk, lambda low, _high: low, 0)
        machine = StateMachine(DictStore(), watches)
        self.clients = Clients(machine, Origin(number, 1), Lease(1000), watches, (4000, 40_000))
        ids = frozenset(member.id for member in members)
        self.links = Links(
            number, number, lambda: 0, lambda: ids, self.node.standing, self.warnings.append
        )
        self.transfers = Transfers(self.node, self.links, self.stock)
        self.replica = Replica(
            self.node,
            self.clients,
            self.links,
            self.transfers,
            self,
            Setup(2000, 100, 1000, ORIGIN, b""),
        )

    def persist(self, persists: tuple[Persist, ...]) -> None:
        for persist in persists:
            self.disk.write(persist)
        self._unstored = persists[-1].number

    def install(self) -> StateMachine:
        assert self.next_machine is not None
        return self.next_machine

    def name_tree(self, name: str) -> None:
        self.named.append(name)

    def configured(self) -> None:
        pass

    def applied(self, index: int, size: int) -> None:
        pass

    def wall_ms(self) -> int:
        return self.replica.now_ms

    def warn(self, line: str) -> None:
        self.warnings.append(line)

    def machine_copy(self) -> Store:
        """The state as it is, in a store of its own."""
        source, copy = self.clients.machine.store, DictStore()
        paths = [b"/"]
        for path in paths:
            record = source.get(path)
            assert record is not None
            copy.put(path, record)
            paths += [path.rstrip(b"/") + b"/" + name for name in source.children(path)]
        for table in Table:
            for key, value in source.rows(table):
                copy.put_row(table, key, value)
        return copy

    def lose_state(self) -> None:
        """The replica has begun anew, and its state is not to be trusted."""
        self.clients.close_all()
        self.clients.machine = StateMachine(DictStore(), self.clients.watches)
        self.replica.sessions.installed(0)
        self.replica.reload.begin()

    def store(self) -> None:
        """The disk has done what it was given."""
        if self._unstored and not self.is_disk_stuck:
            number, self._unstored = self._unstored, 0
            self.disk.sync(number)
            self.replica.stored(number)


class Ensemble:
    """Replicas 1..count; time and messages move together in `run`."""

    def __init__(self, count: int, quorums: str = "majority") -> None:
        self.now_ms = 0
        members = tuple(
            Member(number, 0, MemberRole.VOTER, f"p{number}:1", f"c{number}:1")
            for number in range(1, count + 1)
        )
        self.members = {number: Running(number, members, quorums) for number in range(1, count + 1)}
        self.stopped: set[int] = set()
        self.wires: dict[tuple[int, int], Wire] = {}
        self.ends: dict[tuple[int, int], Link] = {}
        for high in self.members:
            for low in range(1, high):
                self.link(high, low)

    def __getitem__(self, number: int) -> Running:
        return self.members[number]

    def link(self, high: int, low: int) -> None:
        """The replica with the higher id dials the other one."""
        self.wires[high, low], self.wires[low, high] = Wire(), Wire()
        self.ends[high, low] = self[high].links.dialed(self.wires[high, low], low)
        self.ends[low, high] = self[low].links.accepted(self.wires[low, high])

    def unlink(self, one: int, other: int) -> None:
        """Both ends see the link end."""
        for ends in ((one, other), (other, one)):
            self[ends[0]].replica.unlinked(self.ends[ends])
            self.wires[ends].frames.clear()

    def run(self, duration_ms: int) -> None:
        """Let time pass, in steps of a tick."""
        for _ in range(duration_ms // 25):
            self.now_ms += 25
            for number in self.members:
                if number not in self.stopped:
                    self.step(number)

    def step(self, number: int, *, was_away: bool = False) -> None:
        """One round of a replica's loop."""
        member = self[number]
        member.replica.wake(self.now_ms)
        self.deliver(number)
        member.replica.tick(was_away=was_away)
        for _ in range(3):
            member.replica.advance()
            member.store()
        member.replica.advance()

    def deliver(self, number: int) -> None:
        """Hand a replica what was sent to it."""
        for (sender, receiver), wire in sorted(self.wires.items()):
            if receiver == number:
                while wire.frames:
                    end = self.ends[receiver, sender]
                    self[receiver].replica.received(end, wire.frames.popleft())

    def install(self, number: int) -> None:
        """A replica gets the leader's present state as a snapshot, whatever it had before."""
        source, member = self[self.leader], self[number]
        applied = source.replica.applied
        for (sender, receiver), wire in self.wires.items():
            if number in (sender, receiver):
                wire.frames.clear()
        member.next_machine = StateMachine(source.machine_copy(), member.clients.watches)
        configuration = source.node.configuration
        assert configuration is not None
        member.node.snapshot_received(
            InstalledSnapshot(applied.index, applied.epoch, applied.chain, "tree.9", configuration)
        )
        self.step(number)

    @property
    def leader(self) -> int:
        """The replica that leads, of those that run."""
        (found,) = (
            number
            for number, member in self.members.items()
            if number not in self.stopped
            and member.node.established
            and member.node.leader == number
        )
        return found

    def client(self, number: int) -> Client:
        """A client of a replica, its session attached."""
        client = Client(self[number])  # type: ignore[arg-type]
        client.connect()
        self.run(200)
        assert client.received_frames()
        return client
