"""A ZooKeeper client that hides nothing: one socket, one frame at a time, every byte to see."""

import contextlib
import socket
import struct
from collections.abc import Iterable

import attrs

from tests.ensemble import frames
from tests.ensemble.frames import OPEN, Reader, Stat

SECONDS = 10.0
"""How long the probe waits for bytes before the test fails."""


@attrs.frozen
class Reply:
    """One frame from the server, less its length."""

    xid: int
    zxid: int
    error: int
    body: bytes

    def reader(self) -> Reader:
        """To read the body of a request that must have succeeded."""
        assert self.error == 0, f"error {self.error}"
        return Reader(self.body)


@attrs.frozen
class Event:
    """A notification."""

    type: int
    path: str


@attrs.frozen
class Session:
    """What a client keeps of its session to come back with."""

    id: int
    password: bytes
    timeout_ms: int


class RefusedError(Exception):
    """The server answered the greeting with timeout 0: the session is not valid."""


class ClosedError(Exception):
    """The server closed the connection."""


class Connection:
    """A TCP connection that sends and receives frames; no greeting yet."""

    def __init__(self, address: tuple[str, int], *, seconds: float = SECONDS) -> None:
        self.socket = socket.create_connection(address, timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def drop(self) -> None:
        """Close the socket; the session lives on."""
        self.socket.close()

    def send_frame(self, payload: bytes) -> None:
        self.socket.sendall(frames.int32(len(payload)) + payload)

    def receive_frame(self) -> bytes:
        """The next frame's payload; ClosedError when the server closed instead."""
        (length,) = struct.unpack(">i", self._take(4))
        return self._take(length)

    def is_closed_by_server(self) -> bool:
        """Waits for the end of the connection: True when nothing came before it."""
        try:
            self._take(1)
        except ClosedError:
            return True
        except TimeoutError:
            return False
        return False

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            try:
                piece = self.socket.recv(1 << 20)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise ClosedError
            self._received += piece
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken


def greeting(
    *,
    session: Session | None = None,
    timeout_ms: int = 10_000,
    last_zxid: int = 0,
    read_only_byte: bool = True,
) -> bytes:
    """A ConnectRequest; without the last byte as clients before 3.4 send it."""
    known = session or Session(0, bytes(16), timeout_ms)
    request = struct.pack(">iqiq", 0, last_zxid, timeout_ms, known.id)
    return request + frames.buffer(known.password) + (b"\0" if read_only_byte else b"")


class Probe(Connection):
    """A connection with a session.

    `call` sends a request and returns its reply; notifications that come first go to `events`.
    A reply with another xid than the oldest outstanding one fails the test.
    """

    def __init__(
        self,
        address: tuple[str, int],
        *,
        session: Session | None = None,
        timeout_ms: int = 10_000,
        last_zxid: int = 0,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__(address, seconds=seconds)
        self.events: list[Event] = []
        self.event_zxids: list[int] = []
        self.last_zxid = last_zxid
        self._xid = 0
        try:
            self.send_frame(greeting(session=session, timeout_ms=timeout_ms, last_zxid=last_zxid))
            self.session = self._welcome()
        except BaseException:
            self.drop()
            raise

    def _welcome(self) -> Session:
        reader = Reader(self.receive_frame())
        version, timeout_ms, identity = reader.take("iiq")
        password = reader.buffer()
        assert version == 0
        assert password is not None
        if timeout_ms <= 0:
            raise RefusedError
        return Session(identity, password, timeout_ms)

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the session when the connection still stands, so that no ephemerals stay."""
        with contextlib.suppress(ClosedError, OSError, AssertionError):
            self.socket.settimeout(5)
            self.send(frames.CLOSE_SESSION)
            while True:
                self.receive()
        self.drop()

    # Requests and replies.

    def send(self, code: int, body: bytes = b"", *, xid: int | None = None) -> int:
        """Send a request without waiting; returns its xid."""
        if xid is None:
            self._xid += 1
            xid = self._xid
        self.send_frame(struct.pack(">ii", xid, code) + body)
        return xid

    def receive(self) -> Reply:
        """The next frame of any kind; a notification is kept in `events` as well."""
        payload = self.receive_frame()
        xid, zxid, error = struct.unpack_from(">iqi", payload)
        reply = Reply(xid, zxid, error, payload[16:])
        if reply.xid == frames.NOTIFICATION_XID:
            reader = Reader(reply.body)
            kind, state = reader.take("ii")
            assert state == frames.SYNC_CONNECTED
            self.events.append(Event(kind, reader.text()))
            self.event_zxids.append(reply.zxid)
            reader.end()
        elif reply.zxid > 0:
            self.last_zxid = reply.zxid
        return reply

    def reply_to(self, xid: int) -> Reply:
        """The next reply, which must be this one."""
        while True:
            reply = self.receive()
            if reply.xid != frames.NOTIFICATION_XID:
                assert reply.xid == xid, f"reply to {reply.xid} instead of {xid}"
                assert reply.error == 0 or not reply.body, "an error with a body"
                return reply

    def call(self, code: int, body: bytes = b"", *, xid: int | None = None) -> Reply:
        return self.reply_to(self.send(code, body, xid=xid))

    def take_events(self) -> list[Event]:
        """The notifications so far, which are forgotten here."""
        events, self.events, self.event_zxids = self.events, [], []
        return events

    def flush_events(self) -> list[Event]:
        """Everything that what was acknowledged so far notifies; a sync proves that it came."""
        self.sync()
        return self.take_events()

    def wait_event(self) -> Event:
        """The next frame, which must be a notification."""
        reply = self.receive()
        assert reply.xid == frames.NOTIFICATION_XID
        return self.events[-1]

    # The operations that most tests need.

    def ping(self) -> Reply:
        return self.call(frames.PING, xid=frames.PING_XID)

    def authenticate(self, scheme: str, credential: bytes) -> Reply:
        body = frames.int32(0) + frames.text(scheme) + frames.buffer(credential)
        return self.call(frames.AUTH, body, xid=frames.AUTH_XID)

    def try_create(
        self, path: str, data: bytes | None = b"", *, flags: int = 0, acl: bytes = OPEN
    ) -> Reply:
        return self.call(frames.CREATE, frames.create_body(path, data, flags, acl))

    def create(
        self, path: str, data: bytes | None = b"", *, flags: int = 0, acl: bytes = OPEN
    ) -> str:
        """Create and return the real path."""
        return self.try_create(path, data, flags=flags, acl=acl).reader().text()

    def try_delete(self, path: str, version: int = -1) -> Reply:
        return self.call(frames.DELETE, frames.text(path) + frames.int32(version))

    def delete(self, path: str) -> None:
        self.try_delete(path).reader()

    def try_exists(self, path: str, *, watch: bool = False) -> Reply:
        return self.call(frames.EXISTS, frames.text(path) + frames.boolean(watch))

    def stat(self, path: str) -> Stat:
        return self.try_exists(path).reader().stat()

    def try_get(self, path: str, *, watch: bool = False) -> Reply:
        return self.call(frames.GET_DATA, frames.text(path) + frames.boolean(watch))

    def get(self, path: str, *, watch: bool = False) -> tuple[bytes | None, Stat]:
        reader = self.try_get(path, watch=watch).reader()
        return reader.buffer(), reader.stat()

    def try_set(self, path: str, data: bytes | None, version: int = -1) -> Reply:
        body = frames.text(path) + frames.buffer(data) + frames.int32(version)
        return self.call(frames.SET_DATA, body)

    def set(self, path: str, data: bytes | None) -> Stat:
        return self.try_set(path, data).reader().stat()

    def try_set_acl(self, path: str, acl: bytes, version: int = -1) -> Reply:
        return self.call(frames.SET_ACL, frames.text(path) + acl + frames.int32(version))

    def acl(self, path: str) -> list[tuple[int, str, str]]:
        reader = self.call(frames.GET_ACL, frames.text(path)).reader()
        return reader.vector(reader.entry)

    def try_children(self, path: str, *, watch: bool = False) -> Reply:
        return self.call(frames.GET_CHILDREN2, frames.text(path) + frames.boolean(watch))

    def children(self, path: str, *, watch: bool = False) -> tuple[list[str], Stat]:
        reader = self.try_children(path, watch=watch).reader()
        return sorted(reader.vector(reader.text)), reader.stat()

    def try_multi(self, operations: Iterable[tuple[int, bytes]]) -> Reply:
        return self.call(frames.MULTI, frames.multi_body(operations))

    def multi(self, operations: Iterable[tuple[int, bytes]]) -> list[tuple[int, int, object]]:
        return frames.read_multi(self.try_multi(operations).reader().data)

    def add_watch(self, path: str, mode: int) -> Reply:
        return self.call(frames.ADD_WATCH, frames.text(path) + frames.int32(mode))

    def sync(self) -> None:
        """What was acknowledged to anybody before is visible on this replica afterwards."""
        self.call(frames.SYNC, frames.text("/")).reader()

    def close_session(self) -> Reply:
        return self.call(frames.CLOSE_SESSION)


def remove_tree(probe: Probe, path: str) -> None:
    """Delete a node and all below it; only the nodes with children must be readable."""
    if probe.try_delete(path).error == frames.NOT_EMPTY:
        for child in probe.children(path)[0]:
            remove_tree(probe, f"{path}/{child}")
        probe.delete(path)
