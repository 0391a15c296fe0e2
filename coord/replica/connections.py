"""One client's connection as its replica sees it: what is owed to it, in order.

Replies leave in the order of the requests. A write (or sync) puts a `Slot` in the queue; whatever
comes behind an unanswered slot is parked there as it came and answered when the slot is, before
the next operation is applied. Pings are not queued. What is put out while a reply is still being
built is held behind it: see `wide`.
"""

from collections import deque
from typing import Final, Protocol

from coord.operations.context import Caller
from coord.operations.slices import Slices
from coord.wire.connection import ServerConnection
from coord.wire.frames import encode_notification
from coord.wire.records import Id

QUEUE_LENGTH_MAX: Final = 4000
"""Requests of one connection that wait for an answer; beyond it, it is not read from. Pipelining
clients keep a few hundred in flight; ZooKeeper's limit for a whole server is 1000."""
QUEUE_BYTES_MAX: Final = 4 << 20
"""The same in bytes: four of the largest frames."""
PARKED_BYTES: Final = 1 << 10
"""What a request parked behind a wide reply counts for beside its own bytes: some 4000 may be."""
OUTBOX_PAUSE_BYTES: Final = 1 << 20
"""With this much unsent, requests of the connection wait: only watch events can add to it."""
OUTBOX_BYTES_MAX: Final = 32 << 20
"""A client that lets this much pile up is cut off: no event is ever dropped."""

GREETING_MS: Final = 10_000
"""A connection that has not asked for a session by then is cut, as in ZooKeeper."""
FINISH_MS: Final = 10_000
"""A client that does not take its last reply by then is cut without it."""


class Transport(Protocol):
    """The driver's half of a connection."""

    @property
    def is_secure(self) -> bool:
        """Whether the client has come over TLS."""

    def wake(self) -> None:
        """There is something to send, to resume or to close: look at the connection soon."""

    def unread_bytes(self) -> int:
        """Bytes of the client that have come and were not read."""


class Slot:
    """A request whose answer is not known yet."""

    __slots__ = ("answer", "connection", "opcode", "reply", "since_ms", "size", "xid")

    def __init__(
        self, connection: "Connection", xid: int, opcode: int, since_ms: int, size: int
    ) -> None:
        self.connection = connection
        self.xid = xid
        self.opcode = opcode
        self.since_ms = since_ms
        self.size = size
        """Bytes that it counts for in its connection's budget."""
        self.reply: bytes | None = None
        """The frame, once it is known."""
        self.answer: tuple[int, bytes] | None = None
        """Error and body of an answer that bears the zxid of the state in which it leaves."""


class Wide:
    """A reply that is being built, in the place that it will have among what is sent."""

    __slots__ = ("connection", "parts", "slices")

    def __init__(self, connection: "Connection", slices: Slices) -> None:
        self.connection = connection
        self.slices = slices
        self.parts: list[bytes] | None = None
        """What is to be sent; None while it is not whole."""


class Connection:
    """State of one client connection; the driver moves its bytes."""

    __slots__ = (
        "address",
        "attachment",
        "caller",
        "close_when_sent",
        "closed",
        "cut",
        "dirty",
        "ending",
        "finishing_ms",
        "head",
        "held",
        "held_bytes",
        "is_read_only",
        "last_operation",
        "lease_lost_ms",
        "opened_ms",
        "outbox",
        "outbox_bytes",
        "outbox_bytes_max",
        "parked",
        "parking",
        "paused",
        "protocol",
        "queue",
        "queue_bytes",
        "received_count",
        "sent_count",
        "session_id",
        "sync",
        "timeout_ms",
        "transport",
        "unread_bytes",
    )

    address: str
    """Peer as `host:port`, for people."""
    queue: deque[Slot | bytes]
    """Unanswered requests in order: slots, and parked frames."""
    sync: Slot | None
    """The sync in the queue that is not answered: no write or sync behind it goes on its way."""
    outbox_bytes_max: int
    """More than the constant while a wide reply is in it, which alone may be longer."""
    held: deque[Wide | bytes]
    """What is to be sent, from the first reply on that is still being built."""
    parking: bool
    """Whether requests are parked as they come, for a wide reply is due before them."""
    parked: deque[bytes]
    """Those requests; they count in `queue_bytes`."""
    dirty: bool
    """Whether it stands in the list of connections with output."""
    paused: bool
    """Whether reading from it is stopped."""
    ending: bool
    """Its client has asked for the end of the session; what it sends after that is ignored."""
    close_when_sent: bool
    """Nothing is added to the outbox any more."""
    cut: bool
    """Nothing of the outbox is sent any more."""
    finishing_ms: int
    """Since when the last of it waits to be sent; -1: it does not."""
    unread_bytes: int
    """What waited in the socket at the last look, while it was not read from."""
    session_id: int
    """0: not attached, or not yet."""
    is_read_only: bool
    """Whether its client was admitted without a session, to read; see `read_only`."""
    head: bytes
    """Start of every operation of this connection: session, attachment, identities."""
    lease_lost_ms: int
    """When this replica lost its lease while the connection was open; -1: it holds."""

    def __init__(
        self, transport: Transport, address: str, identities: tuple[Id, ...], now_ms: int
    ) -> None:
        self.transport = transport
        self.address = address
        self.caller = Caller(
            session_id=0, identities=identities, watcher=self, deliver=self.deliver
        )
        self.protocol = ServerConnection()
        self.queue = deque()
        self.queue_bytes = 0
        self.sync = None
        self.outbox: list[bytes] = []
        self.outbox_bytes = 0
        self.outbox_bytes_max = OUTBOX_BYTES_MAX
        self.held = deque()
        self.held_bytes = 0
        self.parking = False
        self.parked = deque()
        self.dirty = False
        self.paused = False
        self.ending = False
        self.close_when_sent = False
        self.cut = False
        self.finishing_ms = -1
        self.closed = False
        self.session_id = 0
        self.is_read_only = False
        self.attachment = 0
        self.timeout_ms = 0
        self.head = b""
        self.lease_lost_ms = -1
        self.opened_ms = now_ms
        self.received_count = self.sent_count = self.last_operation = 0
        self.unread_bytes = 0

    def add(self, item: Slot | bytes, size: int) -> None:
        """Put a request at the end of the queue."""
        self.queue.append(item)
        self.queue_bytes += size

    def take_behind(self, slot: Slot) -> list[bytes]:
        """Take out of the queue what came behind a sync, to be handled as if it came now."""
        queue = self.queue
        behind: list[bytes] = []
        while isinstance(frame := queue[-1], bytes):
            behind.append(frame)
            queue.pop()
            self.queue_bytes -= len(frame)
            self.received_count -= 1
        assert queue[-1] is slot, "nothing is on its way behind an unanswered sync"
        behind.reverse()
        return behind

    def write(self, data: bytes) -> None:
        """Add bytes to what is to be sent, unless it is all over."""
        if self.close_when_sent:
            return
        if self.held:
            self._write_behind(data)
            return
        self.outbox.append(data)
        self.outbox_bytes += len(data)
        if not self.dirty:
            self.dirty = True
            self.transport.wake()

    def write_ahead(self, data: bytes) -> None:
        """As `write`, before replies that are still being built."""
        if self.close_when_sent:
            return
        self.outbox.append(data)
        self.outbox_bytes += len(data)
        if not self.dirty:
            self.dirty = True
            self.transport.wake()

    def deliver(self, event: int, path: bytes, zxid: int) -> None:
        """Send an event that setWatches makes up for; its reply may still be being built."""
        self.write_ahead(encode_notification(event, path, zxid))

    def hold(self, wide: Wide) -> None:
        """Let all that is written from now on wait for a reply that is being built."""
        self.held.append(wide)
        self.parking = True

    def park(self, frame: bytes) -> None:
        """Keep a request for later."""
        self.parked.append(frame)
        self.queue_bytes += len(frame) + PARKED_BYTES

    def park_first(self, frame: bytes) -> None:
        """Keep a request for later that was already begun."""
        self.parking = True
        self.parked.appendleft(frame)
        self.queue_bytes += len(frame) + PARKED_BYTES
        self.received_count -= 1

    def unpark(self) -> bytes:
        """Return the first of the requests that were kept, to be handled now."""
        frame = self.parked.popleft()
        self.queue_bytes -= len(frame) + PARKED_BYTES
        self.parking = False
        return frame

    def _write_behind(self, data: bytes) -> None:
        self.held.append(data)
        self.held_bytes += len(data)
        if self.held_bytes > OUTBOX_BYTES_MAX:
            self.abort()

    def release(self) -> None:
        """Put out what waited for a reply that is whole now."""
        held = self.held
        while held:
            item = held[0]
            if isinstance(item, bytes):
                self.outbox.append(item)
                self.outbox_bytes += len(item)
                self.held_bytes -= len(item)
            elif item.parts is None:
                break
            else:
                size = sum(map(len, item.parts))
                self.outbox += item.parts
                self.outbox_bytes += size
                self.outbox_bytes_max += size
                self.sent_count += 1
            held.popleft()
        if not self.dirty:
            self.dirty = True
            self.transport.wake()

    def drop_requests(self) -> None:
        """Forget what was asked, and the replies that are being built."""
        self.queue.clear()
        self.parked.clear()
        for item in self.held:
            if isinstance(item, Wide):
                item.slices.close()
        self.held.clear()
        self.held_bytes = 0

    @property
    def wide_count(self) -> int:
        """How many replies are being built."""
        return sum(isinstance(item, Wide) for item in self.held)

    def finish(self) -> None:
        """Close once everything in the outbox is sent."""
        self.ending = True
        self.close_when_sent = True
        if not self.dirty:
            self.dirty = True
            self.transport.wake()

    def abort(self) -> None:
        """Close without sending what is left."""
        self.cut = True
        self.outbox.clear()
        self.outbox_bytes = 0
        self.drop_requests()
        self.finish()

    def is_overdue(self, now_ms: int, *, has_lease: bool) -> bool:
        """Whether it must be cut now: nothing was heard, or taken, or may be promised, for long."""
        if self.close_when_sent:
            if self.finishing_ms < 0:
                self.finishing_ms = now_ms
            return now_ms - self.finishing_ms > FINISH_MS
        if not self.timeout_ms:
            return now_ms - self.opened_ms > GREETING_MS
        if has_lease:
            self.lease_lost_ms = -1
            return False
        if self.is_read_only:
            return False
        if self.lease_lost_ms < 0:
            self.lease_lost_ms = now_ms
        return now_ms - self.lease_lost_ms > self.timeout_ms * 2 // 3

    def is_heard(self) -> bool:
        """Whether its client shows life, or has to wait for us, while it is not read from."""
        before, self.unread_bytes = self.unread_bytes, self.transport.unread_bytes()
        return bool(self.queue) or self.unread_bytes > before

    @property
    def over_budget(self) -> bool:
        """Whether its client must wait before more is read."""
        return (
            len(self.queue) > QUEUE_LENGTH_MAX
            or self.queue_bytes > QUEUE_BYTES_MAX
            or self.outbox_bytes > OUTBOX_PAUSE_BYTES
        )
