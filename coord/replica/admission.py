"""Who is admitted as a client: everybody while there is a lease, later only who reads.

Rules (numbers are referred to in the code):

1. A session begins, or is resumed, by a write: that takes a leader. Without a lease clients wait,
   for their requests would only pile up.
2. After a while without a lease the replica is read-only. Those that wait, and those that come, are
   closed without a word, so that they try another replica; but for those that said in their
   ConnectRequest that reading is enough.
3. A session of the ensemble is not resumed at a read-only replica: it may live or be over.
4. No client sees a state older than the one that it saw last: who is ahead is closed.
5. When there is a lease again, the read-only connections are cut: their clients come back, and get
   their sessions.
6. A state that is not to be trusted, or none, is served to nobody.

Source: org/apache/zookeeper/server/ZooKeeperServer.java (processConnectRequest),
quorum/ReadOnlyZooKeeperServer.java.
"""

import hmac
from collections.abc import Callable
from typing import Final

from coord import jute
from coord.operations.batch import encode_operation, encode_request, operation_head
from coord.operations.internal import AttachRequest, Internal
from coord.operations.machine import StateMachine
from coord.replica.connections import Connection, Slot
from coord.replica.leases import Lease
from coord.replica.origin import Origin
from coord.replica.read_only import ID_RANGE, ReadOnly, id_of
from coord.state.sessions import password_of
from coord.wire.records import ConnectRequest, ConnectResponse

AHEAD_WAIT_MS: Final = 1000
"""A client that has seen a later state than this replica waits this long for it to catch up."""
READ_ONLY_AFTER_MS: Final = 2000
"""So long without a lease, or a tick if that is longer, and only reads are left, as in ZooKeeper:
most elections are over by then."""
ATTACH: Final = int(Internal.ATTACH)


class Admission:
    """The clients of one replica that ask for a session."""

    def __init__(
        self,
        lease: Lease,
        origin: Origin,
        timeouts_ms: tuple[int, int],
        read_only: ReadOnly,
        received: Callable[[Connection, bytes], None],
    ) -> None:
        """`received` takes what a client sends, and goes on with what was kept of it."""
        self.waiting: list[tuple[Connection, ConnectRequest]] = []
        """Clients that are ahead of this replica, or came while it had no leader."""
        self.read_only = read_only
        self.is_read_only = False
        """Whether only those who read are admitted."""
        self._lease = lease
        self._origin = origin
        self._timeouts_ms = timeouts_ms
        self._received = received
        self._read_only_after_ms = max(READ_ONLY_AFTER_MS, timeouts_ms[0] // 2)
        self._lost_ms = -1
        """Since when there has been no lease; -1: there is one, or it was not missed yet."""
        self._numbered = 0
        """Read-only sessions so far."""

    def connect(
        self, connection: Connection, request: ConnectRequest, state: StateMachine, now_ms: int
    ) -> None:
        """A client asks for a session, new or known."""
        least_ms, greatest_ms = self._timeouts_ms
        connection.timeout_ms = min(max(request.timeout_ms, least_ms), greatest_ms)
        if not self._is_decided(connection, request, state, now_ms):
            self.waiting.append((connection, request))

    def tick(self, state: StateMachine, now_ms: int) -> None:
        """Time has passed: look at the lease, and at those that had to wait."""
        if self._lease.holds(now_ms):
            self._lost_ms = -1
            self._end_reading()  # rule 5
        elif self._lost_ms < 0:
            self._lost_ms = now_ms
        elif now_ms - self._lost_ms > self._read_only_after_ms and state.is_founded:
            self.is_read_only = True
        self.read_only.tick(now_ms)
        waiting, self.waiting = self.waiting, []
        for connection, request in waiting:
            if connection.ending or connection.closed:
                continue
            if not self._is_decided(connection, request, state, now_ms):
                self.waiting.append((connection, request))

    def suspend(self, now_ms: int) -> None:
        """Turn everybody away: there is no state to be served (rule 6). Call it again and again."""
        for connection, _request in self.waiting:
            connection.abort()
        self.waiting.clear()
        self._lost_ms = now_ms
        self._end_reading()

    def _end_reading(self) -> None:
        if self.is_read_only:
            self.is_read_only = False
            self.read_only.cut_all()

    def _is_decided(
        self, connection: Connection, request: ConnectRequest, state: StateMachine, now_ms: int
    ) -> bool:
        """Admit the client, or cut it, or let it wait: then it is not decided."""
        if self.is_read_only:
            self._admit_to_read(connection, request, state, now_ms)
            return True
        if request.last_zxid_seen > state.zxid:
            if now_ms - connection.opened_ms > AHEAD_WAIT_MS:
                connection.abort()  # rule 4
                return True
            return False
        if not self._lease.holds(now_ms):
            return False  # rule 1
        self._attach(connection, request, now_ms)
        return True

    def _attach(self, connection: Connection, request: ConnectRequest, now_ms: int) -> None:
        """Ask for the session; the answer goes out when the attach is applied here."""
        body = AttachRequest(request.session_id, request.password or b"", connection.timeout_ms)
        slot = Slot(connection, 0, ATTACH, now_ms, 0)
        connection.queue.append(slot)
        head = operation_head(request.session_id, 0, ())
        self._origin.add(encode_operation(head, encode_request(ATTACH, jute.encode(body))), slot)

    def _admit_to_read(
        self, connection: Connection, request: ConnectRequest, state: StateMachine, now_ms: int
    ) -> None:
        session_id = request.session_id
        is_ahead = request.last_zxid_seen > state.zxid
        if not request.read_only or is_ahead or 0 != session_id < ID_RANGE:
            connection.abort()  # rules 2, 4 and 3
            return
        key = state.settings.password_key
        if session_id == 0:
            self._numbered += 1
            session_id = id_of(self._origin.replica, self._origin.start, self._numbered)
        elif not hmac.compare_digest(password_of(key, session_id), request.password or b""):
            connection.write(connection.protocol.refuse())
            connection.finish()
            return
        password = password_of(key, session_id)
        response = ConnectResponse(0, connection.timeout_ms, session_id, password, read_only=True)
        self.read_only.add(connection, now_ms)
        connection.write(connection.protocol.accept(response))
        self._received(connection, b"")
