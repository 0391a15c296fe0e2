"""Sockets between replicas: frames of a 4-byte length and a message; dialling, again and again."""

import select
import socket
from collections.abc import Callable
from struct import Struct
from typing import Final

import trio

from coord.replica.links import Link
from coord.tasks.hub import READ, WRITE, Hub
from coord.tasks.outgoing import Outgoing, receive
from coord.wire.frames import FrameBuffer, FrameError

LENGTH: Final = Struct(">I")
FRAME_BYTES_MAX: Final = 64 << 20
"""Several times the largest batch or snapshot chunk."""
DIAL_AGAIN_S: Final = 0.1
"""Pause between attempts to reach a replica: a restarted one is found before it is missed."""
DIAL_TIMEOUT_S: Final = 2.0
"""An attempt that hangs is given up, the next one may find the replica restarted."""
BROKEN: Final = select.EPOLLERR | select.EPOLLHUP


class PeerSocket:
    """One link's socket; the transport of a `Link`."""

    def __init__(
        self,
        hub: Hub,
        sock: socket.socket,
        address: str,
        received: Callable[[Link, bytes], None],
        lost: Callable[[Link], None],
    ) -> None:
        self.address = address
        self.link: Link
        self.closed = trio.Event()
        self._hub = hub
        self._socket = sock
        self._received = received
        self._lost = lost
        self._frames = FrameBuffer(FRAME_BYTES_MAX)
        self._outgoing = Outgoing(sock)
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


async def keep_dialing(
    host: str, port: int, opened: Callable[[socket.socket, str], PeerSocket | None]
) -> None:
    """Keep one link to a replica: dial, wait until it is lost, dial again."""
    while True:
        connected = None
        with trio.move_on_after(DIAL_TIMEOUT_S):
            connected = await _connect(host, port)
        if connected is not None:
            peer = opened(connected, f"{host}:{port}")
            if peer is not None:
                await peer.closed.wait()
        await trio.sleep(DIAL_AGAIN_S)


async def _connect(host: str, port: int) -> socket.socket | None:
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
