"""Clients that write and watch while replicas are killed and stopped, and what must hold then.

Every write creates a sequential node with data of its own, so that a write that happened twice
shows as two nodes with the same data. Nothing is deleted: the final tree is the whole history.

1. An acknowledged write is there once, under the name and with the czxid that were acknowledged.
2. A write with an unknown outcome is there once or not at all.
3. Acknowledged writes of one client have ascending zxids.
4. No session is lost.
5. Between adding its watch and losing its connection a watcher sees each change once, in order.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence

import attrs

from tests.ensemble import frames
from tests.ensemble.frames import text
from tests.ensemble.probe import ClosedError, Probe, RefusedError, Session
from tests.ensemble.servers import Ensemble

BASE = "/storm"
RECURSIVE = 1
RECONNECT_PAUSE_S = 0.02
RECONNECT_SECONDS_MAX = 30.0


class Violated(AssertionError):  # noqa: N818 - it names what was found
    """One of the numbered properties does not hold."""


@attrs.frozen
class Acknowledged:
    """A write whose reply came."""

    data: bytes
    """What was written, unique in the run."""
    path: str
    """The name that the node was given."""
    zxid: int
    """Its czxid as the reply told."""
    time: float
    """When the reply came, by the monotonic clock."""


@attrs.frozen
class Loss:
    """A connection that broke."""

    time: float
    """When it was noticed."""
    replica: int
    """To which replica it went."""


class Client(threading.Thread):
    """A session that survives its connections: after a loss it resumes at the next replica."""

    def __init__(self, ensemble: Ensemble, home: int, *, timeout_ms: int) -> None:
        super().__init__(daemon=True)
        self.losses: list[Loss] = []
        self.error: BaseException | None = None
        self._ensemble = ensemble
        self._home = self._replica = home
        self._timeout_ms = timeout_ms
        # As kazoo and ZooKeeper's client do: a third of the time is left to connect elsewhere.
        self._patience_s = timeout_ms / 1500
        self._stopping = threading.Event()
        self._moving = threading.Event()
        self._session: Session | None = None
        self._last_zxid = 0

    def stop(self) -> None:
        """Ask it to end after what it is doing."""
        self._stopping.set()

    def go_home(self) -> None:
        """Ask it to resume its session at its first replica, when it is elsewhere."""
        if self._replica != self._home:
            self._moving.set()

    def finish(self) -> None:
        """Wait for the end; raise what went wrong."""
        self.join(2 * RECONNECT_SECONDS_MAX)
        if self.is_alive():
            raise Violated(f"{self.name} has not ended")
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        """Connect again and again until told to stop."""
        try:
            while not self._stopping.is_set():
                if self._moving.is_set():
                    self._replica = self._home
                    self._moving.clear()
                probe = self._connect()
                try:
                    self.serve(probe)
                except (ClosedError, OSError):
                    self.losses.append(Loss(time.monotonic(), self._replica))
                    self.lost()
                    self._try_next()
                finally:
                    self._last_zxid = max(self._last_zxid, probe.last_zxid)
                    probe.drop()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self.error = error

    def serve(self, probe: Probe) -> None:
        """Use a connection until it breaks or is `released`."""
        raise NotImplementedError

    @property
    def released(self) -> bool:
        """Whether the client was told to end or to go home."""
        return self._stopping.is_set() or self._moving.is_set()

    def lost(self) -> None:
        """Note what the loss of the connection leaves open."""

    def _connect(self) -> Probe:
        """Resume the session at the same replica or the next one that serves."""
        deadline = time.monotonic() + RECONNECT_SECONDS_MAX
        while True:
            try:
                probe = Probe(
                    self._ensemble.address(self._replica),
                    session=self._session,
                    timeout_ms=self._timeout_ms,
                    last_zxid=self._last_zxid,
                    seconds=self._patience_s / len(self._ensemble.ids),
                )
            except RefusedError:
                raise Violated(f"4: {self.name} lost its session {self._session}") from None
            except (ClosedError, OSError):
                if time.monotonic() > deadline:
                    raise Violated(f"{self.name} finds no replica that serves") from None
                self._try_next()
                self._stopping.wait(RECONNECT_PAUSE_S)
            else:
                self._session = probe.session
                probe.socket.settimeout(self._patience_s)
                return probe

    def _try_next(self) -> None:
        self._replica = self._replica % len(self._ensemble.ids) + 1


class Writer(Client):
    """Creates one sequential node after the other."""

    def __init__(
        self, ensemble: Ensemble, home: int, number: int, *, timeout_ms: int = 10_000
    ) -> None:
        super().__init__(ensemble, home, timeout_ms=timeout_ms)
        self.name = f"writer {number}"
        self.acknowledged: list[Acknowledged] = []
        self.unknown: list[bytes] = []
        self.first_after_loss = 0
        self._number = number
        self._count = 0
        self._pending: bytes | None = None

    def serve(self, probe: Probe) -> None:
        """Write until the connection breaks or is released."""
        first = True
        while not self.released:
            self._count += 1
            data = self._pending = b"%d:%d" % (self._number, self._count)
            body = frames.create_body(f"{BASE}/w{self._number}-", data, frames.SEQUENTIAL)
            reader = probe.call(frames.CREATE2, body).reader()
            path, zxid = reader.text(), reader.stat().czxid
            self.acknowledged.append(Acknowledged(data, path, zxid, time.monotonic()))
            self._pending = None
            # It has xid 1, like the first write of the connection before.
            self.first_after_loss += first and bool(self.losses)
            first = False

    def lost(self) -> None:
        """Nobody knows whether the write in flight happened."""
        if self._pending is not None:
            self.unknown.append(self._pending)
            self._pending = None


@attrs.define
class Segment:
    """What a watcher saw over one connection."""

    start: int
    """The zxid at which its watch was added."""
    paths: list[str] = attrs.field(factory=list)
    """The nodes of which it was told, in order."""
    end: int = 0
    """The zxid up to which it must have been told; 0 for that of the last node it was told of."""


class Watcher(Client):
    """Holds a recursive watch, and adds it again after each loss."""

    def __init__(
        self, ensemble: Ensemble, home: int, *, timeout_ms: int = 10_000, ping_s: float = 0.5
    ) -> None:
        super().__init__(ensemble, home, timeout_ms=timeout_ms)
        self.name = f"watcher of {home}"
        self.segments: list[Segment] = []
        self._ping_s = ping_s

    def serve(self, probe: Probe) -> None:
        """Note the events; ping when none come; at the end sync, to have them all."""
        segment = Segment(probe.add_watch(BASE, RECURSIVE).zxid)
        self.segments.append(segment)
        self._note(probe, segment)
        while not self.released:
            self._ping(probe)
            self._note(probe, segment)
            self._stopping.wait(self._ping_s / 10)
        probe.sync()
        segment.end = probe.try_exists(BASE).zxid
        self._note(probe, segment)

    def _ping(self, probe: Probe) -> None:
        """Ping, and give the connection up when no reply comes in time, whatever else comes."""
        deadline = time.monotonic() + self._patience_s
        xid = probe.send(frames.PING, xid=frames.PING_XID)
        while probe.receive().xid != xid:
            if time.monotonic() > deadline:
                raise ClosedError

    @staticmethod
    def _note(probe: Probe, segment: Segment) -> None:
        for event in probe.take_events():
            if event.type != frames.CREATED:
                raise Violated(f"5: an event of type {event.type} though nodes are only created")
            segment.paths.append(event.path)


@attrs.frozen
class Node:
    """One node of the final tree."""

    path: str
    """Its name."""
    czxid: int
    """When it was created."""
    data: bytes
    """The write that created it."""


def prepare(ensemble: Ensemble) -> None:
    """Create the parent."""
    with Probe(ensemble.address(ensemble.leader())) as probe:
        probe.create(BASE)


def read_tree(ensemble: Ensemble, replica: int, *, window: int = 200) -> list[Node]:
    """Read all nodes from one replica, many at a time, in the order of their creation."""
    with Probe(ensemble.address(replica)) as probe:
        probe.sync()
        names = probe.children(BASE)[0]
        nodes = []
        for first in range(0, len(names), window):
            part = names[first : first + window]
            xids = [
                probe.send(frames.GET_DATA, text(f"{BASE}/{name}") + frames.boolean(False))
                for name in part
            ]
            for name, xid in zip(part, xids, strict=True):
                reader = probe.reply_to(xid).reader()
                data, stat = reader.buffer(), reader.stat()
                nodes.append(Node(f"{BASE}/{name}", stat.czxid, data or b""))
    return sorted(nodes, key=lambda node: node.czxid)


def final_tree(
    ensemble: Ensemble, writers: Sequence[Writer], watchers: Sequence[Watcher]
) -> list[Node]:
    """Stop everybody; the tree, which must be the same on every replica."""
    for clients in (writers, watchers):
        for client in clients:
            client.stop()
        for client in clients:
            client.finish()
    trees = [read_tree(ensemble, replica) for replica in ensemble.ids]
    if any(tree != trees[0] for tree in trees):
        raise Violated("1: the replicas do not hold the same nodes")
    return trees[0]


def verify_writes(tree: Sequence[Node], writers: Sequence[Writer]) -> None:
    """Check properties 1 to 3."""
    times = Counter(node.data for node in tree)
    if twice := [data for data, count in times.items() if count > 1]:
        raise Violated(f"1, 2: written more than once: {twice}")
    place = {node.data: (node.path, node.czxid) for node in tree}
    known = set()
    for writer in writers:
        zxids = [write.zxid for write in writer.acknowledged]
        if zxids != sorted(set(zxids)):
            raise Violated(f"3: {writer.name} was answered out of order")
        for write in writer.acknowledged:
            if place.get(write.data) != (write.path, write.zxid):
                raise Violated(f"1: {write} is now {place.get(write.data)}")
            known.add(write.data)
        known.update(writer.unknown)
    if strange := set(times) - known:
        raise Violated(f"nobody wrote {strange}")


def verify_watch(tree: Sequence[Node], watcher: Watcher) -> None:
    """Check property 5."""
    czxid = {node.path: node.czxid for node in tree}
    for segment in watcher.segments:
        end = segment.end or max((czxid[path] for path in segment.paths), default=0)
        expected = [node.path for node in tree if segment.start < node.czxid <= end]
        if segment.paths != expected:
            missing = set(expected) - set(segment.paths)
            raise Violated(
                f"5: {watcher.name} was not told of {sorted(missing)[:5]} ({len(missing)} nodes) "
                f"between zxid {segment.start:#x} and {end:#x}, "
                f"or not in order: {len(segment.paths)} events"
            )


def acknowledged_between(writers: Sequence[Writer], start: float, end: float) -> int:
    """Return how many writes of anybody were acknowledged in a time."""
    return sum(start < write.time < end for one in writers for write in one.acknowledged)


def longest_gap_s(writers: Sequence[Writer], start: float, end: float) -> float:
    """Return the longest time in which no write of anybody was acknowledged."""
    times = sorted(w.time for one in writers for w in one.acknowledged if start < w.time < end)
    return max(
        (late - early for early, late in zip([start, *times], [*times, end], strict=True)),
        default=end - start,
    )
