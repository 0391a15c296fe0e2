"""A client's connection to a replica: the stream that the client has, and the replica's end."""

from collections.abc import Callable
from typing import Protocol

import trio

from client.testing.mishaps import Mishap
from client.testing.network import Network, Pipe
from coord.replica.clients import Clients
from coord.replica.connections import Connection
from coord.wire.frames import FrameBuffer, encode_frame, encode_reply
from coord.wire.numbers import OpCode

ANY_LENGTH = (1 << 31) - 1
"""How long frames may be is for the replica to judge."""


class ClientStream(trio.abc.Stream):
    """What the client sends to and receives from."""

    def __init__(self) -> None:
        self.up: Pipe
        self._received = bytearray()
        self._has_ended = self._is_closed = False
        self._came = trio.Event()

    def arrived(self, data: bytes | None) -> None:
        """The replica has sent something; None: it has closed the connection."""
        if data is None:
            self._has_ended = True
        else:
            self._received += data
        self._came.set()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Part of `trio.abc.SendStream`."""
        await trio.lowlevel.checkpoint()
        await self.wait_send_all_might_not_block()
        self.up.send(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Part of `trio.abc.SendStream`."""
        await trio.lowlevel.checkpoint()
        if self._is_closed:
            raise trio.ClosedResourceError
        if self._has_ended:
            raise trio.BrokenResourceError

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Part of `trio.abc.ReceiveStream`."""
        await trio.lowlevel.checkpoint()
        while not (self._received or self._has_ended or self._is_closed):
            self._came = trio.Event()
            await self._came.wait()
        if self._is_closed:
            raise trio.ClosedResourceError
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        return data

    async def aclose(self) -> None:
        """Part of `trio.abc.AsyncResource`."""
        if not self._is_closed:
            self._is_closed = True
            self._came.set()
            self.up.send(None)
        await trio.lowlevel.checkpoint()


class Life(Protocol):
    """The process of a replica, as its clients' connections see it."""

    id: int
    clients: Clients
    doors: "dict[str, Door]"
    """Those that are open, by address."""
    marked: "dict[str, Door]"
    """Those that have something to send, to resume or to close."""

    def input(self, handler: Callable[..., None], *arguments: object) -> None:
        """Something has come that the next round handles."""


class Dialer(Protocol):
    """The client, as its connections see it."""

    def meet(self, opcode: int) -> Mishap | None:
        """A request of the client has arrived; return what happens to it."""


class Door:
    """The replica's end; the `Transport` of a `Connection`."""

    is_secure = False

    def __init__(
        self, network: Network, life: Life, dialer: Dialer, address: str, stream: ClientStream
    ) -> None:
        """`address` is the client's, for people; no two connections have the same."""
        self.address = address
        self.dialer = dialer
        self._network = network
        self._life = life
        self._down = Pipe(network, life.id, dialer, stream.arrived)
        stream.up = Pipe(network, dialer, life.id, self._arrived)
        self._connection: Connection | None = None
        self._frames = FrameBuffer(ANY_LENGTH)
        self._is_greeted = self._is_over = False
        self._held: list[bytes] = []
        """What has come while the replica does not read from this client."""
        self._doomed: dict[int, Mishap] = {}
        """By the xids of the requests whose replies get lost."""
        life.doors[address] = self
        life.input(self._accept)

    # ----------------------------------------------------------------------- what the client does

    def _accept(self) -> None:
        self._connection = self._life.clients.opened(self, self.address)

    def _arrived(self, data: bytes | None) -> None:
        if data is None:
            self._life.input(self._close)
            return
        for frame in self._frames.feed(data):
            if self._is_over:
                return
            self._request(frame)

    def _request(self, frame: bytes) -> None:
        xid, opcode = 0, int(OpCode.CREATE_SESSION)
        if self._is_greeted:
            xid = int.from_bytes(frame[:4], signed=True)
            opcode = int.from_bytes(frame[4:8], signed=True)
        self._is_greeted = True
        mishap = self.dialer.meet(opcode)
        if mishap is None:
            self._life.input(self._receive, encode_frame(frame))
            return
        self._network.trace(self.dialer, mishap.kind, opcode)
        if mishap.kind == "drop reply":
            self._doomed[xid] = mishap
            self._life.input(self._receive, encode_frame(frame))
            return
        self._network.loop.pump()  # what came before is carried out before
        mishap.happen()
        if mishap.kind == "drop request":
            self.break_off()
        elif mishap.kind == "refuse":
            self._life.input(self._refuse, encode_reply(xid, 0, mishap.error))
        elif mishap.kind == "before":
            self._life.input(self._receive, encode_frame(frame))

    def _receive(self, data: bytes) -> None:
        connection = self._connection
        if connection is None or connection.closed:
            return
        if connection.paused:
            self._held.append(data)
            return
        self._life.clients.received(connection, data)
        if connection.paused:
            self.wake()

    def _refuse(self, reply: bytes) -> None:
        if self._connection is not None and not self._connection.closed:
            self._connection.write(reply)

    # ---------------------------------------------------------------------- what the replica does

    def wake(self) -> None:
        """Part of `Transport`."""
        self._life.marked[self.address] = self

    def unread_bytes(self) -> int:
        """Part of `Transport`."""
        return sum(map(len, self._held))

    def flush(self) -> None:
        """Send the outbox; close if that was asked for; go on reading if that is possible."""
        connection = self._connection
        if connection is None or connection.closed:
            return
        connection.dirty = False
        if not connection.cut:
            parts, connection.outbox = connection.outbox, []
            connection.outbox_bytes = 0
            self._send(b"".join(parts))
        if connection.cut or (connection.close_when_sent and not connection.held):
            self._hang_up()
        while self._held and not connection.paused and not connection.closed:
            self._life.clients.received(connection, self._held.pop(0))

    def _send(self, data: bytes) -> None:
        if self._doomed:
            for frame in FrameBuffer(ANY_LENGTH).feed(data):
                mishap = self._doomed.get(int.from_bytes(frame[:4], signed=True))
                if mishap is not None:
                    # Not in the midst of a round, for it may ask the replica for something.
                    self._network.loop.after(0, mishap.happen)
                    self._hang_up()
                    return
                self._down.send(encode_frame(frame))
        elif data:
            self._down.send(data)

    # -------------------------------------------------------------------------------- how it ends

    def break_off(self) -> None:
        """Break the connection; both ends notice."""
        if not self._is_over:
            self._is_over = True
            self._down.send(None)
            self._life.input(self._close)

    def _hang_up(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._down.send(None)
        self._close()

    def _close(self) -> None:
        self._is_over = True
        self._life.doors.pop(self.address, None)
        if self._connection is not None and not self._connection.closed:
            self._life.clients.closed(self._connection)
