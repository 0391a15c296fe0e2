"""A simulated ensemble of real nodes: one seed is one run.

`python -m tests.consensus.cluster --seeds 0:1000` runs many; the last line is a summary, and the
exit status is 1 when a rule was broken.

Time is a queue of events. A replica is a Node with the driver's duties done as the effects say, in
order, and it may crash between any two of them; messages are lost, repeated and reordered; disks
are slow and forget what was not synced.
"""

import argparse
import heapq
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable

import attrs

from coord.consensus import messages
from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.consensus.effects import Effects, InstalledSnapshot, SendSnapshot
from coord.consensus.log import Entry, EntryKind, Point, point_of
from coord.consensus.messages import Message
from coord.consensus.node import Node
from coord.consensus.role import RoleName
from coord.consensus.settings import Limits, NodeSettings
from coord.quorums import Counting, parse
from tests.consensus.checkers import Checkers, require
from tests.consensus.disk import Disk, Tree, Violation

SMALL = Limits(message=900, window=2000, tail=1200, uncommitted=6000, history=3000, apply=2000)
"""So small that every bound is met in a run of seconds."""

HEARTBEAT_MS = 20
ELECTION_MS = 150


class Crash(Exception):  # noqa: N818 - named for what happens
    """The replica stops here and now."""


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
    says_connections: float = 1.0
    """Chance that a replica is told of a connection made or lost."""
    transfer_failure: float = 0.0


class Replica:
    """One replica: its disk, and in a life its node and what hangs on it."""

    def __init__(self, number: int, disk: Disk, clock_offset: int) -> None:
        self.id = number
        self.disk = disk
        self.clock_offset = clock_offset
        self.life = 0
        self.node: Node | None = None
        self.paused_until = 0.0
        self.inbox: deque[Callable[[Node], None]] = deque()
        self.waiting: deque[tuple[int, int, Message]] = deque()
        self.applied = Point(0, 0, 0)
        self.configuration: Configuration | None = None
        self.barriers: dict[int, int] = {}
        self.transfers: set[int] = set()
        self.is_busy = False


class Cluster:
    """An ensemble, its network and its clock."""

    def __init__(  # noqa: PLR0913 - each is another world
        self,
        count: int,
        quorums: str,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        observers: Iterable[int] = (),
        limits: Limits = SMALL,
        splits_transactions: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.faults = faults or Faults()
        self.checkers = Checkers()
        self.cut: set[tuple[int, int]] = set()
        self.trace: deque[str] = deque(maxlen=4000)
        self.limits = limits
        self.splits_transactions = splits_transactions
        self.checks_epoch = True
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._proposals = 0
        self._tokens = 0
        self.quorums = quorums
        outside = set(observers)
        self.members = tuple(
            Member(
                id=n,
                birth=0,
                role=MemberRole.OBSERVER if n in outside else MemberRole.VOTER,
                peer_address=f"peer{n}:2888",
                client_address=f"client{n}:2181",
            )
            for n in range(1, count + 1)
        )
        self.replicas = {
            m.id: Replica(m.id, self._new_disk(), self.random.randrange(10**6))
            for m in self.members
        }

    @property
    def system(self) -> Counting:
        """The quorum system over the configured voters."""
        voters = [m.id for m in self.members if m.role == MemberRole.VOTER]
        system = parse(self.quorums, voters)
        assert isinstance(system, Counting)
        return system

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

    # Lives of replicas

    def start(self, *numbers: int) -> None:
        """Start replicas, all by default, and connect them."""
        for number in numbers or self.replicas:
            replica = self.replicas[number]
            if replica.node is None:
                self._start(replica)

    def crash(self, number: int) -> None:
        """Stop a replica; of what its disk was at, some is durable and the rest is lost."""
        replica = self.replicas[number]
        if replica.node is None:
            return
        self.log(f"{number} crashes")
        replica.node = None
        replica.disk.crash(self.random.randint(0, len(replica.disk.under_way)))
        for peer in self.replicas:
            self._say_connection(peer, number, is_made=False)

    def restart(self, number: int) -> None:
        self.crash(number)
        self.start(number)

    def wipe(self, number: int) -> None:
        """Stop a replica and lose its disk."""
        self.crash(number)
        self.log(f"{number} loses its disk")
        self.replicas[number].disk = self._new_disk()

    def pause(self, number: int, duration_ms: float) -> None:
        """Stop a replica's process for a while; its input waits."""
        replica = self.replicas[number]
        replica.paused_until = max(replica.paused_until, self.now + duration_ms)
        life = replica.life
        self.at(duration_ms, lambda: self._wake(replica, life))

    def _new_disk(self) -> Disk:
        disk = Disk(self.random.randrange(1, 1 << 62), splits_transactions=self.splits_transactions)
        disk.checks_epoch = self.checks_epoch
        return disk

    def _start(self, replica: Replica) -> None:
        disk = replica.disk
        settings = NodeSettings(
            id=replica.id,
            birth=disk.birth,
            members=self.members,
            quorums=self.quorums,
            heartbeat_ms=HEARTBEAT_MS,
            election_ms=ELECTION_MS,
            genesis=b"genesis",
            limits=self.limits,
        )
        self.log(f"{replica.id} starts with {disk.hard} last={disk.last_index}")
        replica.life += 1
        replica.inbox.clear()
        replica.waiting.clear()
        replica.barriers.clear()
        replica.transfers.clear()
        replica.paused_until = 0.0
        replica.is_busy = False
        replica.applied = disk.tree.point
        replica.configuration = disk.tree.configuration
        replica.node = Node(
            settings, disk.recovered(), disk, self.random.randint, self._clock(replica)
        )
        self._wake(replica, replica.life)
        self._tick_for_ever(replica, replica.life)
        for peer in self.replicas:
            if self.replicas[peer].node is not None:
                self._say_connection(peer, replica.id, is_made=True)
                self._say_connection(replica.id, peer, is_made=True)

    def _clock(self, replica: Replica) -> int:
        return int(self.now) + replica.clock_offset

    def _say_connection(self, to: int, about: int, *, is_made: bool) -> None:
        if to == about or self.random.random() >= self.faults.says_connections:
            return
        birth = self.replicas[about].disk.birth
        verb: Callable[[Node], None] = (
            (lambda node: node.connected(about, birth))
            if is_made
            else (lambda node: node.disconnected(about))
        )
        self.at(self.random.uniform(0.0, 1.0), lambda: self._input(self.replicas[to], verb))

    # The driver's loop

    def _tick_for_ever(self, replica: Replica, life: int) -> None:
        if replica.node is None or replica.life != life:
            return
        self._wake(replica, life)
        if replica.node is None:
            return
        until_deadline = replica.node.deadline_ms - self._clock(replica)
        delay = max(1.0, min(HEARTBEAT_MS / 2, until_deadline))
        self.at(delay, lambda: self._tick_for_ever(replica, life))

    def _input(self, replica: Replica, verb: Callable[[Node], None]) -> None:
        """Give a replica something to handle."""
        if replica.node is None:
            return
        replica.inbox.append(verb)
        if not replica.is_busy:
            replica.is_busy = True
            life = replica.life
            self.at(self.random.choice((0.0, 0.0, 0.3)), lambda: self._wake(replica, life))

    def _wake(self, replica: Replica, life: int) -> None:
        if replica.node is None or replica.life != life or self.now < replica.paused_until:
            return
        replica.is_busy = False
        try:
            self._work(replica, replica.node)
        except Crash:
            self.crash(replica.id)

    def _work(self, replica: Replica, node: Node) -> None:
        """One turn of the loop: time, input, effects."""
        node.tick(self._clock(replica))
        while replica.inbox:
            replica.inbox.popleft()(node)
            self._observe(replica, node)
            if self.random.random() < 0.3:
                self._perform(replica, node)
        self._perform(replica, node)

    def _perform(self, replica: Replica, node: Node) -> None:
        while effects := node.take_effects():
            self._observe(replica, node)
            self._perform_one(replica, node, effects)
        self._observe(replica, node)

    def _perform_one(self, replica: Replica, node: Node, effects: Effects) -> None:
        """The driver's duties, in order; a crash may come between any two."""
        self._boundary()
        for persist in effects.persist:
            self.checkers.written(persist.entries)
            replica.disk.write(persist)
            self._sync_later(replica, persist.number)
        self._boundary()
        for peer, message in effects.send:
            self._boundary()
            self._send(replica, peer, message)
        replica.waiting.extend(effects.send_when_stored)
        self._boundary()
        if effects.install is not None:
            self._install(replica, effects.install)
        for entry in effects.apply:
            self._apply(replica, entry)
        self._boundary()
        for token, index in effects.confirmed:
            self.checkers.barrier_confirmed(index, replica.barriers.pop(token))
        for token in effects.failed:
            del replica.barriers[token]
        for transfer in effects.snapshots:
            self._send_snapshot(replica, node, transfer)

    def _boundary(self) -> None:
        if self.faults.crash_in_effects and self.random.random() < self.faults.crash_in_effects:
            raise Crash

    def _sync_later(self, replica: Replica, number: int) -> None:
        mean = self.faults.disk_ms * (20 if replica.id in self.faults.slow_disks else 1)
        life = replica.life
        delay = self.random.expovariate(1 / mean) if mean else 0.0
        self.at(delay, lambda: self._synced(replica, life, number))

    def _synced(self, replica: Replica, life: int, number: int) -> None:
        if replica.node is None or replica.life != life:
            return
        replica.disk.sync(number)
        self._input(replica, lambda node: self._stored(replica, node, number))

    def _stored(self, replica: Replica, node: Node, number: int) -> None:
        if number > node._journal.stored_number:
            node.stored(number)
        while replica.waiting and replica.waiting[0][0] <= number:
            _, peer, message = replica.waiting.popleft()
            self._send(replica, peer, message)

    def _observe(self, replica: Replica, node: Node) -> None:
        contact = node.contact_ms - replica.clock_offset
        self.checkers.observe(node, (replica.id, replica.life), self.now, contact)

    # The state machine

    def _apply(self, replica: Replica, entry: Entry) -> None:
        require(entry.kind in set(EntryKind), "an entry has a kind")
        self.checkers.apply(replica.applied.index, entry)
        replica.applied = point_of(entry)
        if entry.kind == EntryKind.CONFIGURATION:
            replica.configuration = Configuration.decode(entry.payload)

    def _install(self, replica: Replica, taken: InstalledSnapshot) -> None:
        self.log(f"{replica.id} installs a snapshot at {taken.index}")
        require(taken.index > replica.applied.index, "a snapshot jumps forward")
        replica.applied = Point(taken.index, taken.epoch, taken.chain)
        replica.configuration = taken.configuration

    def flush(self, number: int, keep: int = 0) -> None:
        """Store a replica's tree, and trim its log up to some entries before that."""
        replica = self.replicas[number]
        disk = replica.disk
        point = replica.applied
        if replica.node is None or not disk.tree.point.index < point.index <= disk.last_index:
            return
        if point.index < disk.base.index or disk.read(point.index, point.index, 1)[0] is None:
            return
        if disk.read(point.index, point.index, 1)[0].chain != point.chain:
            return  # what stands there on disk is about to be replaced
        disk.flush(Tree(point, replica.configuration))
        if not replica.transfers:
            disk.trim(point.index - keep)

    def _send_snapshot(self, replica: Replica, node: Node, transfer: SendSnapshot) -> None:
        self.log(f"{replica.id} sends a snapshot to {transfer.peer}")
        tree, peer = replica.disk.tree, self.replicas[transfer.peer]
        replica.transfers.add(peer.id)
        life, peer_life = replica.life, peer.life
        fails = self.random.random() < self.faults.transfer_failure
        require(tree.configuration is not None, "a snapshot is sent only of a tree")

        def arrive() -> None:
            is_cut = (replica.id, peer.id) in self.cut or replica.life != life
            if not fails and not is_cut and peer.life == peer_life:
                point = tree.point
                assert tree.configuration is not None
                snapshot = InstalledSnapshot(
                    point.index, point.epoch, point.chain, f"tree at {point}", tree.configuration
                )
                self._input(peer, lambda node: node.snapshot_received(snapshot))
            if replica.life == life:
                replica.transfers.discard(peer.id)
                self._input(replica, lambda node: node.transfer_ended(peer.id))

        self.at(self.random.uniform(1.0, 60.0), arrive)

    # The network

    def _send(self, replica: Replica, peer: int, message: Message) -> None:
        self.checkers.say(replica.disk, message)
        data = messages.encode(message)
        self.log(f"{replica.id} -> {peer} {message}")
        if (replica.id, peer) in self.cut or self.random.random() < self.faults.loss:
            return
        copies = 2 if self.random.random() < self.faults.duplicates else 1
        for _ in range(copies):
            delay = self.random.expovariate(1 / self.faults.delay_ms)
            if self.random.random() < self.faults.straggler:
                delay += self.random.uniform(50.0, 1500.0)
            self.at(delay, lambda: self._deliver(replica.id, peer, data))

    def _deliver(self, sender: int, peer: int, data: bytes) -> None:
        if (sender, peer) not in self.cut:
            message = messages.decode(data)
            self._input(self.replicas[peer], lambda node: node.receive(sender, message))

    def partition(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Lose all messages of these (sender, receiver) pairs, and no others."""
        self.cut = set(pairs)
        self.log(f"cut {sorted(self.cut)}")

    def isolate(self, *numbers: int) -> None:
        """Cut some replicas off from the others, both ways."""
        inside = set(numbers)
        everybody = set(self.replicas)
        self.partition(
            pair for a in inside for b in everybody - inside for pair in ((a, b), (b, a))
        )

    def resign(self, number: int) -> None:
        """Ask a replica to hand over."""
        self._input(self.replicas[number], lambda node: node.resign())

    def say_flap(self, number: int, peer: int) -> None:
        """Tell a replica that its connection with a peer was lost and made again."""
        self._say_connection(number, peer, is_made=False)
        self._say_connection(number, peer, is_made=True)

    def heal(self) -> None:
        """Mend the network and tell everybody."""
        was_cut, self.cut = self.cut, set()
        self.log("heal")
        for sender, receiver in sorted(was_cut):
            self._say_connection(receiver, sender, is_made=True)

    # What tests ask and do

    def node(self, number: int) -> Node:
        node = self.replicas[number].node
        assert node is not None, f"replica {number} is down"
        return node

    @property
    def leader(self) -> int | None:
        """The established leader of the greatest epoch; None when there is none."""
        leading = [
            (r.node.epoch, r.id)
            for r in self.replicas.values()
            if r.node and r.node.role is RoleName.LEADER and r.node.established
        ]
        return max(leading)[1] if leading else None

    def propose(self, number: int, size: int = 20) -> bytes | None:
        """Propose something new at a replica; return it, or None when it cannot."""
        replica = self.replicas[number]
        if replica.node is None or self.now < replica.paused_until:
            return None
        if not replica.node.can_propose:
            return None
        self._proposals += 1
        payload = b"%d:" % self._proposals + bytes(size)
        replica.node.propose(payload)
        self._input(replica, lambda node: None)
        return payload

    def barrier(self, number: int) -> None:
        """Ask a replica, if it leads, for a read barrier."""
        replica = self.replicas[number]
        if replica.node is None or self.now < replica.paused_until:
            return
        if replica.node.role is RoleName.LEADER and replica.node.established:
            self._tokens += 1
            replica.barriers[self._tokens] = len(self.checkers.applied)
            replica.node.barrier(self._tokens)
            self._input(replica, lambda node: None)

    def await_leader(self, limit_ms: float = 5000.0) -> int:
        """Let time pass until somebody leads who can be heard; return who."""
        self.run_until(lambda: self.leader is not None, limit_ms)
        assert self.leader is not None
        return self.leader

    def commit(self, size: int = 20, limit_ms: float = 5000.0) -> bytes:
        """Propose at the leader, again to each new one, until something is applied; return it."""
        tried: list[bytes] = []

        def is_applied() -> bool:
            leader = self.leader
            if leader is not None and (not tried or self.random.random() < 0.01):
                payload = self.propose(leader, size)
                tried.extend([payload] if payload else [])
            return any(payload in self.checkers.positions for payload in tried)

        self.run_until(is_applied, limit_ms)
        return next(payload for payload in tried if payload in self.checkers.positions)

    def is_level(self, *numbers: int) -> bool:
        """Tell whether replicas, all that live by default, have applied all that anybody has."""
        live = [r for r in self.replicas.values() if r.node is not None]
        chosen = [self.replicas[n] for n in numbers] or live
        return all(r.applied.index == len(self.checkers.applied) for r in chosen)


def main() -> int:
    """Run seeds from the command line."""
    from tests.consensus.chaos import run_seed

    parser = argparse.ArgumentParser(description="Run simulated ensembles, one per seed.")
    parser.add_argument("--seeds", default="0:100", help="A:B runs seeds A to B - 1")
    parser.add_argument("--trace", action="store_true", help="print the last steps of a failure")
    options = parser.parse_args()
    first, last = (int(part) for part in options.seeds.split(":"))
    failures = 0
    applied = 0
    for seed in range(first, last):
        cluster: list[Cluster] = []
        try:
            applied += run_seed(seed, cluster)
        except Exception as error:  # noqa: BLE001 - every failure of a seed is to be reported
            failures += 1
            print(f"seed {seed}: {type(error).__name__}: {error}")
            if options.trace and cluster:
                print("\n".join(cluster[0].trace))
    print(f"{last - first} seeds, {failures} failed, {applied} entries applied")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())


__all__ = ["Cluster", "Faults", "Violation"]
