"""Connections of clients that only read, at a replica without a lease.

Such a connection belongs to no session of the ensemble, and nothing is kept of it once it is
closed: it gets an id from a range of its own and a password that any replica without a lease
accepts again. It has no writes in flight, so every request is answered as it comes.

Source: org/apache/zookeeper/server/quorum/ReadOnlyRequestProcessor.java.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from coord.operations.table import KINDS, Kind
from coord.replica.connections import Connection
from coord.wire.errors import NotReadOnly
from coord.wire.frames import encode_reply
from coord.wire.opcodes import OpCode

ID_RANGE: Final = 1 << 62
"""Added to the ids of such sessions; those of the ensemble are counted from 1."""

REFUSED: Final = frozenset(
    {opcode for opcode, kind in KINDS.items() if kind is Kind.WRITE} - {int(OpCode.CLOSE_SESSION)}
    | {
        int(OpCode.SYNC),
        int(OpCode.CHECK),
        int(OpCode.RECONFIG),
        int(OpCode.DELETE_CONTAINER),
    }
)
"""What needs a leader, whatever its body holds."""

_request: Final = Struct(">ii")
"""xid, op code."""


def id_of(replica: int, start: int, number: int) -> int:
    """Return the id of the `number`-th such session of a replica's process."""
    return ID_RANGE | replica << 54 | (start & 0x3FFFFF) << 32 | number & 0xFFFFFFFF


class ReadOnly:
    """The read-only connections of one replica."""

    def __init__(
        self,
        answer: Callable[[Connection, bytes], None],
        authenticate: Callable[[Connection, int, bytes], None],
    ) -> None:
        """`answer` answers a read from the state as it is, `authenticate` an auth request."""
        self._answer = answer
        self._authenticate = authenticate
        self._heard_ms: dict[Connection, int] = {}

    def __len__(self) -> int:
        return len(self._heard_ms)

    def add(self, connection: Connection, now_ms: int) -> None:
        """A client has been admitted."""
        connection.is_read_only = True
        self._heard_ms[connection] = now_ms

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._heard_ms.pop(connection, None)

    def received(
        self, connection: Connection, frames: Sequence[object], now_ms: int, zxid: int
    ) -> None:
        """Bytes have come, and so these whole requests."""
        self._heard_ms[connection] = now_ms
        for frame in frames:
            if connection.ending:
                break
            assert isinstance(frame, bytes), "the greeting is over"
            self.request(connection, frame, zxid)

    def request(self, connection: Connection, frame: bytes, zxid: int) -> None:
        """Answer a request; `zxid` is that of the state."""
        xid, opcode = _request.unpack_from(frame)
        if connection.parking and opcode not in (OpCode.PING, OpCode.AUTH):
            connection.park(frame)
            return
        connection.received_count += 1
        connection.last_operation = opcode
        if opcode in REFUSED:
            self._reply(connection, xid, zxid, NotReadOnly.code)
        elif opcode == OpCode.PING:
            # It says that the replica runs, and no more: there is no session to hold.
            connection.write_ahead(encode_reply(xid, zxid, 0))
        elif opcode == OpCode.AUTH:
            self._authenticate(connection, xid, frame)
        elif opcode == OpCode.CLOSE_SESSION:
            self._reply(connection, xid, zxid, 0)
            connection.finish()
        else:
            self._answer(connection, frame)

    def cut_all(self) -> None:
        """There is a lease again, or the state is not to be read any more."""
        for connection in list(self._heard_ms):
            connection.abort()
        self._heard_ms.clear()

    def tick(self, now_ms: int) -> None:
        """Cut those from which nothing was heard for the whole timeout."""
        for connection, heard_ms in list(self._heard_ms.items()):
            if connection.paused and connection.is_heard():
                self._heard_ms[connection] = now_ms
            elif now_ms - heard_ms > connection.timeout_ms:
                connection.abort()

    def _reply(self, connection: Connection, xid: int, zxid: int, code: int) -> None:
        connection.sent_count += 1
        connection.write(encode_reply(xid, zxid, code))
