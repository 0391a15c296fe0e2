"""Sockets between replicas: frames of a 4-byte length and a message."""

import select
import socket
from collections.abc import Callable
from struct import Struct
from typing import Final

import trio

from coord.replica.links import Link
from coord.tasks.hub import READ, WRITE, Hub
from coord.tasks.outgoing import outgoing_of, receive
from coord.tasks.tls import Stream, TlsSocket
from coord.wire.frames import FrameBuffer, FrameError

LENGTH: Final = Struct(">I")
FRAME_BYTES_MAX: Final = 64 << 20
"""Several times the largest batch or snapshot chunk."""
BROKEN: Final = select.EPOLLERR | select.EPOLLHUP
PROBE_S: Final = 1
"""A link on which nothing was said for so long is probed, and again after as long."""


class PeerSocket:
    """One link's socket; the transport of a `Link`."""

    def __init__(
        self,
        hub: Hub,
        sock: Stream,
        address: str,
        received: Callable[[Link, bytes], None],
        lost: Callable[[Link], None],
    ) -> None:
        """`received` takes each frame; `lost` is told when the socket is gone."""
        self.address = address
        self.link: Link
        self.closed = trio.Event()
        self.vouches_for: Callable[[int], bool] = _for_anybody
        """Part of `LinkTransport`: where certificates are shown, whose it may be."""
        self._hub = hub
        self._socket = sock
        self._received = received
        self._lost = lost
        self._frames = FrameBuffer(FRAME_BYTES_MAX)
        self._outgoing = outgoing_of(sock)
        self._marked = False
        self._closing = False
        self._events = READ

    def start(self, link: Link) -> None:
        """The link exists: bytes may come now."""
        self.link = link
        self._hub.add(self._socket.fileno(), self, READ)

    @property
    def unsent_bytes(self) -> int:
        """What the socket did not take yet."""
        return self._outgoing.unsent_bytes

    def send(self, frame: bytes) -> None:
        """Queue one frame."""
        if self._closing or self.closed.is_set():
            return
        self._outgoing.put(LENGTH.pack(len(frame)))
        self._outgoing.put(frame)
        self._mark()

    def close(self) -> None:
        """Close after what is queued is sent, as far as that goes at once."""
        self._closing = True
        self._mark()

    def ready(self, events: int) -> None:
        """The socket can be read or written, or is broken."""
        if events & (READ | BROKEN):
            data = receive(self._socket)
            if data is None:
                return
            if not data:
                self._shut()
                return
            try:
                frames = self._frames.feed(data)
            except FrameError:
                self._shut()
                return
            for frame in frames:
                if self._closing:
                    return
                self._received(self.link, frame)
        if events & WRITE:
            self._mark()

    def flush(self) -> None:
        """Send what is queued."""
        self._marked = False
        if self.closed.is_set():
            return
        try:
            empty = self._outgoing.send()
        except OSError:
            self._shut()
            return
        if self._closing:
            self._shut()
            return
        wanted = READ if empty else READ | WRITE
        if wanted != self._events:
            self._events = wanted
            self._hub.change(self._socket.fileno(), wanted)

    def _mark(self) -> None:
        if not self._marked:
            self._marked = True
            self._hub.mark(self)

    def _shut(self) -> None:
        if not self.closed.is_set():
            self._hub.remove(self._socket.fileno())
            self._socket.close()
            self.closed.set()
            self._lost(self.link)


async def connect(host: str, port: int) -> socket.socket | None:
    """A connected, non-blocking socket; None when nobody answers there."""
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError:
        return None
    descriptor = stream.socket.detach()
    connected = socket.socket(fileno=descriptor)
    connected.settimeout(0)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def limit_silence(stream: Stream, limit_ms: int) -> None:
    """Let a connection end whose other side acknowledges, or takes, nothing for so long.

    A host that has lost its power, or its network, says nothing. The kernel goes on for a quarter
    of an hour, ever more slowly: when the host is back it may be minutes until it is tried again.
    """
    sock = stream.socket if isinstance(stream, TlsSocket) else stream
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit_ms)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _for_anybody(_peer: int) -> bool:
    return True
