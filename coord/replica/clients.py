"""What a replica does with its clients' bytes, and what applied operations mean for them.

Rules (numbers are referred to in the code):

1. Replies of a connection leave in the order of its requests, and each tells the state in which it
   leaves, or the write it answers: so zxids never go back. Writes behind an unanswered sync wait,
   for reads between must not see them. Only pings, auth and notifications follow no such order.
2. Applying one operation puts out, in this order: its watch events, its reply, then the answers of
   the reads parked behind that reply. Only then is the next operation applied.
3. A connection is attached when its ATTACH has been applied here, not before: until then its bytes
   are kept. So it never sees a state older than one it saw elsewhere.
4. No queue grows without bound: see the limits in `connections` and `pauses`.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from coord import jute
from coord.operations.batch import encode_operation, operation_head
from coord.operations.context import Audience
from coord.operations.internal import Attached
from coord.operations.machine import StateMachine
from coord.operations.table import KINDS, Kind, kind_of, takes_room
from coord.replica.admission import ATTACH, Admission
from coord.replica.barriers import Barriers
from coord.replica.connections import Connection, Slot, Transport
from coord.replica.latency import Latency
from coord.replica.leases import Lease
from coord.replica.origin import Origin
from coord.replica.pauses import Pauses
from coord.replica.pings import Pings
from coord.replica.read_only import ReadOnly
from coord.replica.room import Room
from coord.replica.wide import reply_of
from coord.state.permissions import may_read
from coord.state.watches import WatchTable
from coord.wire.connection import Command, ServerEvent
from coord.wire.errors import QuotaExceeded, ZooKeeperError
from coord.wire.frames import FrameError, encode_notification, encode_reply
from coord.wire.opcodes import OpCode
from coord.wire.records import ConnectRequest, ConnectResponse, Id

REQUEST: Final = Struct(">ii")
"""xid, op code."""
SESSION_MOVED: Final = -118
MARSHALLING_ERROR: Final = -5
UNIMPLEMENTED: Final = -6

PING = int(OpCode.PING)
SYNC = int(OpCode.SYNC)
AUTH = int(OpCode.AUTH)
CLOSE_SESSION = int(OpCode.CLOSE_SESSION)
WRITES: Final = frozenset(opcode for opcode, kind in KINDS.items() if kind is Kind.WRITE)


class Clients(Audience):
    """All client connections of one replica; it is the audience of the state machine."""

    def __init__(
        self,
        machine: StateMachine,
        origin: Origin,
        lease: Lease,
        watches: WatchTable,
        timeouts_ms: tuple[int, int],
    ) -> None:
        """`timeouts_ms`: least and greatest session timeout."""
        self.machine = machine
        self.origin = origin
        self.lease = lease
        self.watches = watches
        self.barriers = Barriers(origin.start)
        self.pings = Pings(lease, self.barriers)
        self.now_ms = 0
        self.clock: Callable[[], int] = lambda: self.now_ms
        """The time right now: `now_ms` may be from before a pause, a ping from after it."""
        self.connections: set[Connection] = set()
        self.attached: dict[int, Connection] = {}
        self.touched: set[int] = set()
        """Sessions heard since the last report."""
        self.resumed: set[int] = set()
        """Sessions that were attached anew, for the leader's expiry; emptied by `Sessions`."""
        self.over: set[int] = set()
        """Sessions that ended, likewise."""
        self.pauses = Pauses(origin, self._take_parked)
        self.read_only = ReadOnly(self._answer, self._authenticate)
        self.admission = Admission(lease, origin, timeouts_ms, self.read_only, self.received)
        self.commands: list[tuple[Connection, str]] = []
        """Four-letter words to answer; filled here, emptied by the replica."""
        self.received_count = 0
        """Requests of connections that are gone; those of living ones stand in them."""
        self.sent_count = 0
        self.latency = Latency()
        self.room = Room()

    # ------------------------------------------------------------------ connections come and go

    def opened(self, transport: Transport, address: str, shown: tuple[Id, ...] = ()) -> Connection:
        """A client has connected from `address` (host:port), and has `shown` who it is besides."""
        host = address.rpartition(":")[0].strip("[]")
        identities = (Id("ip", host), *shown)
        connection = Connection(transport, address, identities, self.now_ms)
        self.connections.add(connection)
        return connection

    def closed(self, connection: Connection) -> None:
        """The socket of a connection is gone; its session lives on until it expires."""
        connection.closed = True
        self.received_count += connection.received_count
        self.sent_count += connection.sent_count
        self.connections.discard(connection)
        self.pauses.waiting.discard(connection)
        connection.drop_requests()
        if self.attached.get(connection.session_id) is connection:
            del self.attached[connection.session_id]
        self.watches.drop(connection)
        self.pings.forget(connection)
        self.read_only.forget(connection)

    def received(self, connection: Connection, data: bytes) -> None:
        """Bytes of a client have come."""
        if connection.ending:
            return
        try:
            events = connection.protocol.receive(data)
        except FrameError:
            connection.abort()
            return
        if connection.session_id:
            self.touched.add(connection.session_id)
        elif connection.is_read_only:
            self.read_only.received(connection, events, self.now_ms, self.machine.zxid)
            events = ()
        for event in events:
            if connection.ending:
                break
            if type(event) is bytes:
                self._request(connection, event)
            else:
                self._greet(connection, event)
        if connection.queue or connection.over_budget:
            self.pauses.look_at(connection)

    def _greet(self, connection: Connection, event: ServerEvent) -> None:
        if isinstance(event, Command):
            self.commands.append((connection, event.word))
        elif isinstance(event, ConnectRequest):
            self.admission.connect(connection, event, self.machine, self.now_ms)

    # ------------------------------------------------------------------------------- requests

    def _request(self, connection: Connection, frame: bytes) -> None:
        if len(frame) < 8:
            connection.abort()
            return
        xid, opcode = REQUEST.unpack_from(frame)
        if connection.parking and opcode != PING and opcode != AUTH:
            connection.park(frame)
            return
        connection.received_count += 1
        connection.last_operation = opcode
        if opcode in WRITES and connection.sync is None:
            self._write(connection, xid, opcode, frame)
        elif opcode == PING:
            now_ms = self.clock()
            if self.lease.holds(now_ms):
                connection.write_ahead(encode_reply(xid, self.machine.zxid, 0))
            else:
                self.pings.keep(Slot(connection, xid, PING, now_ms, 0))
        elif opcode == AUTH:
            self._authenticate(connection, xid, frame)
        elif opcode == SYNC and connection.sync is None:
            self._sync(connection, xid, frame)
        elif connection.queue:
            connection.add(frame, len(frame))
        else:
            self._answer(connection, frame)

    def _take_parked(self, connection: Connection, frame: bytes) -> None:
        """Handle a request that waited for a wide reply."""
        if connection.is_read_only:
            self.read_only.request(connection, frame, self.machine.zxid)
        else:
            self._request(connection, frame)

    def _answer(self, connection: Connection, frame: bytes) -> None:
        """Answer a read from the state as it is now."""
        xid, opcode = REQUEST.unpack_from(frame)
        try:
            body = self.machine.answer(connection.caller, opcode, frame)
        except ZooKeeperError as error:
            self._reply_error(connection, xid, opcode, error.code)
            return
        if not isinstance(body, bytes):
            reply = reply_of(body, xid, self.machine.zxid)
            self.pauses.answer_in_slices(connection, frame, reply)
            return
        connection.sent_count += 1
        connection.write(encode_reply(xid, self.machine.zxid, 0, body))

    def _reply_error(self, connection: Connection, xid: int, opcode: int, code: int) -> None:
        connection.sent_count += 1
        if code == UNIMPLEMENTED and kind_of(opcode) is Kind.REFUSED:
            connection.write(encode_reply(xid, -1, code))
            connection.finish()
            return
        connection.write(encode_reply(xid, self.machine.zxid, code))

    def _write(self, connection: Connection, xid: int, opcode: int, frame: bytes) -> None:
        size = len(frame)
        slot = Slot(connection, xid, opcode, self.now_ms, size)
        try:
            self.machine.check(opcode, frame)
            if self.room.is_refused and takes_room(opcode, frame):
                raise QuotaExceeded
        except ZooKeeperError as error:
            if not connection.queue:
                self._reply_error(connection, xid, opcode, error.code)
                return
            slot.answer = error.code, b""
            connection.add(slot, size)
            return
        connection.add(slot, size)
        if opcode == CLOSE_SESSION:
            connection.ending = True
        self.origin.add(encode_operation(connection.head, frame[4:]), slot)

    def _sync(self, connection: Connection, xid: int, frame: bytes) -> None:
        slot = Slot(connection, xid, SYNC, self.now_ms, len(frame))
        try:
            body = self.machine.answer(connection.caller, SYNC, frame)
        except ZooKeeperError as error:
            slot.answer = error.code, b""
        connection.add(slot, slot.size)
        if slot.answer is None:
            connection.sync = slot
            assert isinstance(body, bytes), "a path is never too wide"
            self.barriers.add(slot, body)
        else:
            self._drain(connection)

    def _authenticate(self, connection: Connection, xid: int, frame: bytes) -> None:
        try:
            self.machine.answer(connection.caller, AUTH, frame)
        except ZooKeeperError as error:
            connection.write(encode_reply(xid, 0, error.code))
            if error.code != MARSHALLING_ERROR:
                connection.finish()
            return
        connection.head = operation_head(
            connection.session_id, connection.attachment, connection.caller.identities
        )
        connection.write(encode_reply(xid, 0, 0))

    # ------------------------------------------------------------------------------- sessions

    def _attached(self, connection: Connection, error: int, body: bytes) -> None:
        connection.queue.popleft()
        if error:
            connection.write(connection.protocol.refuse())
            connection.finish()
            return
        session = jute.decode(Attached, body)[0]
        connection.session_id = session.session_id
        connection.attachment = session.attachment
        connection.caller.session_id = session.session_id
        connection.head = operation_head(
            session.session_id, session.attachment, connection.caller.identities
        )
        self.attached[session.session_id] = connection
        self.touched.add(session.session_id)
        response = ConnectResponse(
            0, session.timeout_ms, session.session_id, session.password, read_only=False
        )
        connection.write(connection.protocol.accept(response))
        self.received(connection, b"")

    def tick(self) -> None:
        """Time has passed: attach clients that had to wait, cut those that are overdue."""
        self.admission.tick(self.machine, self.now_ms)
        self.touched.update(self.pauses.heard())
        self.pings.tick(self.now_ms)
        has_lease = self.lease.holds(self.now_ms)
        for connection in list(self.connections):
            if connection.is_overdue(self.now_ms, has_lease=has_lease):
                connection.abort()

    def close_all(self) -> None:
        """Cut every client off (a new tree is installed, or the replica ends)."""
        for connection in list(self.connections):
            connection.abort()

    # ------------------------------------------------- what applied operations mean (Audience)

    def changed(self, event: int, path: bytes, zxid: int, acl: bytes) -> None:
        """A znode changed: tell those who watch it and may read it."""
        frame = None
        for watcher in self.watches.trigger(event, path):
            assert isinstance(watcher, Connection)
            if may_read(acl, watcher.caller.identities):
                if frame is None:
                    frame = encode_notification(event, path, zxid)
                watcher.write(frame)

    def ended(self, session_id: int) -> None:
        """A session was closed or has expired."""
        self.over.add(session_id)
        connection = self.attached.pop(session_id, None)
        if connection is not None and not connection.ending:
            connection.abort()

    def moved(self, session_id: int, attachment: int) -> None:
        """A session has a newer attachment; an older connection here is cut."""
        self.resumed.add(session_id)
        connection = self.attached.get(session_id)
        if connection is not None and connection.attachment != attachment:
            del self.attached[session_id]
            connection.abort()

    def settled(
        self, replica: int, start: int, number: int, zxid: int, error: int, body: bytes
    ) -> None:
        """An operation was applied; if it came from here, its client gets the reply (rule 2)."""
        origin = self.origin
        if replica != origin.replica or start < origin.start:
            return
        slot = origin.settle(start, number)
        if slot is None:
            return
        connection = slot.connection
        if connection.closed or connection.close_when_sent:
            return
        if slot.opcode == ATTACH:
            self._attached(connection, error, body)
            return
        if error == SESSION_MOVED:
            connection.abort()
            return
        slot.reply = encode_reply(slot.xid, zxid, error, body)
        self.latency.add(self.now_ms - slot.since_ms)
        if connection.queue[0] is slot:
            self._drain(connection)

    def barrier_passed(self, slot: Slot, body: bytes) -> None:
        """Everything that was acknowledged before this sync has been applied here."""
        connection = slot.connection
        if connection.closed or connection.close_when_sent:
            return
        if slot.opcode == PING:
            connection.write_ahead(encode_reply(slot.xid, self.machine.zxid, 0, body))
            return
        slot.answer = 0, body
        connection.sync = None
        behind = connection.take_behind(slot)
        self._drain(connection)
        for frame in behind:
            if connection.ending:
                return
            self._request(connection, frame)

    def _drain(self, connection: Connection) -> None:
        """Send what is answered at the head of the queue, and answer what was parked behind."""
        queue = connection.queue
        while queue:
            item = queue[0]
            if isinstance(item, bytes):
                queue.popleft()
                connection.queue_bytes -= len(item)
                self._answer(connection, item)
            else:
                if item.answer is not None:
                    error, body = item.answer
                    item.reply = encode_reply(item.xid, self.machine.zxid, error, body)
                if item.reply is None:
                    return
                queue.popleft()
                connection.queue_bytes -= item.size
                connection.sent_count += 1
                connection.write(item.reply)
                if item.opcode == CLOSE_SESSION:
                    connection.finish()
