"""A connection between a client and a server, as its two ends see it: bytes in, events out.

Each end is a machine of four states, whose table stands beside it. What is not in the table is a
mistake of the caller and raises StateError; what the peer does wrong is a FrameError, and then the
connection is over. Nothing here reads or writes a socket.

Source: org/apache/zookeeper/server/NIOServerCnxn.java, ZooKeeperServer.java
(processConnectRequest), ClientCnxn.java, ClientCnxnSocket.java.
"""

import enum
from collections.abc import Sequence
from typing import TypeVar

import attrs
from librt.strings import BytesWriter, read_i32_be, read_i64_be, write_i32_be

from coord import jute
from coord.wire.frames import FRAME_BYTES_MAX, FrameBuffer, FrameError, encode_frame
from coord.wire.numbers import Xid
from coord.wire.records import ConnectRequest, ConnectResponse, WatcherEvent

COMMANDS = frozenset(
    b"conf cons crst dirs dump envi gtmk hash isro "
    b"mntr ruok srst srvr stat stmk wchc wchp wchs".split()
)
"""The four-letter words: as lengths all of them are far over the limit of a frame."""

GREETING_BYTES_MAX = 1024
"""Limit of a ConnectRequest, which is of 45 bytes: whoever sends it has shown no session yet."""

KEPT_BYTES_MAX = 4 * FRAME_BYTES_MAX
"""Limit of what is kept while a session is being attached; a driver that stops reading then never
comes near."""

PASSWORD_BYTES = 16
"""Length of a session's password."""

_REQUEST_HEADER_BYTES = 8
_REPLY_HEADER_BYTES = 16

Record = TypeVar("Record")


class StateError(Exception):
    """The caller asked for what cannot be in the state the connection is in."""


class ServerState(enum.Enum):
    """How far a connection has come, at the server."""

    GREETING = "a command or a ConnectRequest must come first"
    ATTACHING = "the server is looking for the session, or making it"
    OPEN = "requests and replies"
    CLOSED = "nothing that arrives matters any more"


class ServerStep(enum.Enum):
    """What moves a connection on, at the server."""

    COMMAND = "a four-letter word arrived"
    CONNECT = "a ConnectRequest arrived"
    ACCEPT = "the server has the session"
    REFUSE = "the server has no such session"
    BREAK = "the client sent what is no frame"


SERVER_TRANSITIONS: dict[tuple[ServerState, ServerStep], ServerState] = {
    (ServerState.GREETING, ServerStep.COMMAND): ServerState.CLOSED,
    (ServerState.GREETING, ServerStep.CONNECT): ServerState.ATTACHING,
    (ServerState.GREETING, ServerStep.BREAK): ServerState.CLOSED,
    (ServerState.ATTACHING, ServerStep.ACCEPT): ServerState.OPEN,
    (ServerState.ATTACHING, ServerStep.REFUSE): ServerState.CLOSED,
    (ServerState.ATTACHING, ServerStep.BREAK): ServerState.CLOSED,
    (ServerState.OPEN, ServerStep.BREAK): ServerState.CLOSED,
}


@attrs.frozen
class Command:
    """A four-letter word: answer with text and close the connection."""

    word: str
    """One of `COMMANDS`."""


ServerEvent = Command | ConnectRequest | bytes
"""What arrives at a server; the bytes are a whole request without its length."""


class ServerConnection:
    """The server's end. Give it all that arrives and close the connection on a FrameError.

    `receive` returns a Command, or a ConnectRequest. After the latter answer with `accept` or with
    `refuse`, and do not read from the socket until then; after `accept` call `receive(b"")` once,
    for clients send requests before they are accepted. From then on it returns whole requests as
    bytes: the xid at offset 0, the op code at 4, the body from 8.
    """

    __slots__ = ("_frames", "_has_read_only", "_kept", "_state")

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._state = ServerState.GREETING
        self._frames = FrameBuffer(frame_bytes_max, least=_REQUEST_HEADER_BYTES)
        self._kept = bytearray()
        self._has_read_only = False

    @property
    def state(self) -> ServerState:
        """How far the connection has come."""
        return self._state

    def receive(self, data: bytes) -> Sequence[ServerEvent]:
        """Take what arrived; return what is whole now, in order."""
        if self._state is ServerState.OPEN and not self._kept:
            try:
                return self._frames.feed(data)
            except FrameError:
                self._go(ServerStep.BREAK)
                raise
        if self._state is ServerState.CLOSED:
            return []
        self._kept += data
        try:
            return self._receive_kept()
        except FrameError:
            self._go(ServerStep.BREAK)
            raise

    def accept(self, response: ConnectResponse) -> bytes:
        """Return the frame that gives the client its session.

        Its last byte is there if, and only if, the request had it: old clients know of none.
        """
        self._go(ServerStep.ACCEPT)
        return self._response(response)

    def refuse(self) -> bytes:
        """Return the frame that tells the client that its session is gone; then close."""
        self._go(ServerStep.REFUSE)
        return self._response(ConnectResponse(0, 0, 0, bytes(PASSWORD_BYTES)))

    def _receive_kept(self) -> Sequence[ServerEvent]:
        if self._state is ServerState.OPEN:
            kept, self._kept = bytes(self._kept), bytearray()
            return self._frames.feed(kept)
        if self._state is ServerState.GREETING:
            return self._greeting()
        if len(self._kept) > KEPT_BYTES_MAX:
            raise FrameError(f"over {KEPT_BYTES_MAX} bytes before the session was there")
        return []

    def _greeting(self) -> Sequence[ServerEvent]:
        word = bytes(self._kept[:4])
        if len(word) < 4:
            return []
        if word in COMMANDS:
            self._go(ServerStep.COMMAND)
            return [Command(word.decode())]
        end = 4 + int.from_bytes(word)
        if end - 4 > GREETING_BYTES_MAX:
            raise FrameError("neither a command nor a ConnectRequest")
        if len(self._kept) < end:
            return []
        body = bytes(self._kept[4:end])
        del self._kept[:end]
        request = _decode(ConnectRequest, body)
        self._has_read_only = request.has_read_only
        self._go(ServerStep.CONNECT)
        return [request]

    def _response(self, response: ConnectResponse) -> bytes:
        read_only = bool(response.read_only) if self._has_read_only else None
        return encode_frame(jute.encode(attrs.evolve(response, read_only=read_only)))

    def _go(self, step: ServerStep) -> None:
        try:
            self._state = SERVER_TRANSITIONS[self._state, step]
        except KeyError:
            raise StateError(f"{step.name} while {self._state.name}") from None
        if self._state is ServerState.CLOSED:
            self._kept = bytearray()


class ClientState(enum.Enum):
    """How far a connection has come, at the client."""

    NEW = "nothing was sent"
    GREETING = "the ConnectRequest was sent; requests may follow it at once"
    OPEN = "requests and replies"
    CLOSED = "nothing that arrives matters any more"


class ClientStep(enum.Enum):
    """What moves a connection on, at the client."""

    CONNECT = "the client sends its ConnectRequest"
    SEND = "the client sends a request"
    ACCEPTED = "a ConnectResponse with a session arrived"
    REFUSED = "a ConnectResponse without one arrived"
    BREAK = "the server sent what is no frame"


CLIENT_TRANSITIONS: dict[tuple[ClientState, ClientStep], ClientState] = {
    (ClientState.NEW, ClientStep.CONNECT): ClientState.GREETING,
    (ClientState.NEW, ClientStep.BREAK): ClientState.CLOSED,
    (ClientState.GREETING, ClientStep.SEND): ClientState.GREETING,
    (ClientState.GREETING, ClientStep.ACCEPTED): ClientState.OPEN,
    (ClientState.GREETING, ClientStep.REFUSED): ClientState.CLOSED,
    (ClientState.GREETING, ClientStep.BREAK): ClientState.CLOSED,
    (ClientState.OPEN, ClientStep.SEND): ClientState.OPEN,
    (ClientState.OPEN, ClientStep.BREAK): ClientState.CLOSED,
}


@attrs.frozen
class Reply:
    """What the server answers to one request."""

    xid: int
    """That of the request, or one of `Xid`."""
    zxid: int
    """The last zxid the server had applied."""
    error: int
    """0, or the code of a `ZooKeeperError`."""
    body: bytes
    """The record that answers the op code; empty after an error."""


@attrs.frozen
class Notification:
    """What the server tells because of a watch."""

    zxid: int
    """That of the change; -1 from ZooKeeper up to 3.8, and when a watch was set too late."""
    event: WatcherEvent
    """What happened, and where."""


ClientEvent = ConnectResponse | Reply | Notification
"""What arrives at a client."""


class ClientConnection:
    """The client's end. Send what `connect_frame` returns, then give it all that arrives.

    The first thing `receive` returns is a ConnectResponse; one whose timeout is 0 or less means
    that there is no such session, and nothing comes after it.
    """

    __slots__ = ("_frames", "_state")

    def __init__(self, reply_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._state = ClientState.NEW
        self._frames = FrameBuffer(reply_bytes_max)

    @property
    def state(self) -> ClientState:
        """How far the connection has come."""
        return self._state

    def connect_frame(self, request: ConnectRequest) -> bytes:
        """Return the first frame to send."""
        self._go(ClientStep.CONNECT)
        return encode_frame(jute.encode(request))

    def encode_request(self, xid: int, opcode: int, record: object | None = None) -> bytes:
        """Return the frame of a request.

        Raise EncodeError for a record that cannot be sent, as one over the limit: a server would
        close the connection over it.
        """
        if self._state is not ClientState.OPEN:  # as it nearly always is, and stays
            self._go(ClientStep.SEND)
        body = b"" if record is None else jute.encode(record)
        length = _REQUEST_HEADER_BYTES + len(body)
        if length > FRAME_BYTES_MAX:
            raise jute.EncodeError(f"a request of {length} bytes: the limit is {FRAME_BYTES_MAX}")
        frame = BytesWriter()
        write_i32_be(frame, length)
        write_i32_be(frame, xid)
        write_i32_be(frame, opcode)
        frame.write(body)
        return frame.getvalue()

    def receive(self, data: bytes) -> list[ClientEvent]:
        """Take what arrived; return what is whole now, in order."""
        if self._state is ClientState.CLOSED:
            return []
        try:
            return self._receive(data)
        except FrameError:
            self._go(ClientStep.BREAK)
            raise

    def _receive(self, data: bytes) -> list[ClientEvent]:
        if self._state is ClientState.NEW and data:
            raise FrameError("the server spoke first")
        events: list[ClientEvent] = []
        for frame in self._frames.feed(data):
            if self._state is ClientState.OPEN:
                events.append(_reply_or_notification(frame))
            elif self._state is ClientState.GREETING:
                events.append(self._greeting(frame))
        return events

    def _greeting(self, frame: bytes) -> ConnectResponse:
        response = _decode(ConnectResponse, frame)
        self._go(ClientStep.ACCEPTED if response.timeout_ms > 0 else ClientStep.REFUSED)
        return response

    def _go(self, step: ClientStep) -> None:
        try:
            self._state = CLIENT_TRANSITIONS[self._state, step]
        except KeyError:
            raise StateError(f"{step.name} while {self._state.name}") from None


def _reply_or_notification(frame: bytes) -> Reply | Notification:
    if len(frame) < _REPLY_HEADER_BYTES:
        raise FrameError(f"a reply of {len(frame)} bytes")
    xid, zxid, error = read_i32_be(frame, 0), read_i64_be(frame, 4), read_i32_be(frame, 12)
    if xid == Xid.NOTIFICATION:
        return Notification(zxid, _decode(WatcherEvent, frame, _REPLY_HEADER_BYTES))
    return Reply(xid, zxid, error, frame[_REPLY_HEADER_BYTES:])


def _decode(cls: type[Record], frame: bytes, offset: int = 0) -> Record:
    try:
        return jute.decode(cls, frame, offset)[0]
    except jute.DecodeError as error:
        raise FrameError(str(error)) from error
