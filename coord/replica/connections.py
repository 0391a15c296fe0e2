"""One client's connection as its replica sees it: what is owed to it, in order.

Replies leave in the order of the requests. A write (or sync) puts a `Slot` in the queue; whatever
comes behind an unanswered slot is parked there as it came and answered when the slot is, before
the next operation is applied. Pings are not queued.
"""

from collections import deque
from typing import Final, Protocol

from coord.operations.context import Caller
from coord.wire.connection import ServerConnection
from coord.wire.frames import encode_notification
from coord.wire.records import Id

QUEUE_LENGTH_MAX: Final = 4000
"""Requests of one connection that wait for an answer; beyond it, it is not read from. Pipelining
clients keep a few hundred in flight; ZooKeeper's limit for a whole server is 1000."""
QUEUE_BYTES_MAX: Final = 4 << 20
"""The same in bytes: four of the largest frames."""
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

    def wake(self) -> None:
        """There is something to send, to resume or to close: look at the connection soon."""


class Slot:
    """A request whose answer is not known yet."""

    __slots__ = ("connection", "opcode", "reply", "since_ms", "size", "xid")

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
        "last_operation",
        "lease_lost_ms",
        "opened_ms",
        "outbox",
        "outbox_bytes",
        "paused",
        "protocol",
        "queue",
        "queue_bytes",
        "received_count",
        "sent_count",
        "session_id",
        "timeout_ms",
        "transport",
    )

    def __init__(self, transport: Transport, address: str, host: str, now_ms: int) -> None:
        self.transport = transport
        self.address = address
        """Peer as `host:port`, for people."""
        self.caller = Caller(
            session_id=0, identities=(Id("ip", host),), watcher=self, deliver=self.deliver
        )
        self.protocol = ServerConnection()
        self.queue: deque[Slot | bytes] = deque()
        """Unanswered requests in order: slots, and parked frames."""
        self.queue_bytes = 0
        self.outbox: list[bytes] = []
        self.outbox_bytes = 0
        self.dirty = False
        """Whether it stands in the list of connections with output."""
        self.paused = False
        """Whether reading from it is stopped."""
        self.ending = False
        """Its client has asked for the end of the session; what it sends after that is ignored."""
        self.close_when_sent = False
        """Nothing is added to the outbox any more."""
        self.cut = False
        """Nothing of the outbox is sent any more."""
        self.finishing_ms = -1
        """Since when the last of it waits to be sent; -1: it does not."""
        self.closed = False
        self.session_id = 0
        """0: not attached yet."""
        self.attachment = 0
        self.timeout_ms = 0
        self.head = b""
        """Start of every operation of this connection: session, attachment, identities."""
        self.lease_lost_ms = -1
        """When this replica lost its lease while the connection was open; -1: it holds."""
        self.opened_ms = now_ms
        self.received_count = 0
        self.sent_count = 0
        self.last_operation = 0

    def write(self, data: bytes) -> None:
        """Add bytes to what is to be sent, unless it is all over."""
        if self.close_when_sent:
            return
        self.outbox.append(data)
        self.outbox_bytes += len(data)
        if not self.dirty:
            self.dirty = True
            self.transport.wake()

    def deliver(self, event: int, path: bytes, zxid: int) -> None:
        """Add a watch event to what is to be sent."""
        self.write(encode_notification(event, path, zxid))

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
        self.queue.clear()
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
        if self.lease_lost_ms < 0:
            self.lease_lost_ms = now_ms
        return now_ms - self.lease_lost_ms > self.timeout_ms * 2 // 3

    @property
    def over_budget(self) -> bool:
        """Whether its client must wait before more is read."""
        return (
            len(self.queue) > QUEUE_LENGTH_MAX
            or self.queue_bytes > QUEUE_BYTES_MAX
            or self.outbox_bytes > OUTBOX_PAUSE_BYTES
        )
