"""Client sockets: accept, receive into `Clients`, send what a connection's outbox holds."""

import errno
import fcntl
import os
import select
import socket
import termios
from array import array
from collections.abc import Callable
from typing import Final

from coord.replica.clients import Clients
from coord.replica.connections import OUTBOX_BYTES_MAX
from coord.tasks.hub import READ, WRITE, Hub
from coord.tasks.outgoing import outgoing_of, receive
from coord.tasks.tls import Stream, TlsSocket
from coord.wire.records import Id

ACCEPT_AT_ONCE: Final = 100
"""Connections taken from a listener in one go, so that a storm does not starve the others."""
NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})
BROKEN: Final = select.EPOLLERR | select.EPOLLHUP


class ClientSocket:
    """One client's socket; the transport of its `Connection`."""

    __slots__ = ("_clients", "_events", "_hub", "_marked", "_outgoing", "_socket", "connection")

    def __init__(
        self,
        hub: Hub,
        clients: Clients,
        sock: Stream,
        address: str,
        shown: tuple[Id, ...] = (),
    ) -> None:
        """`shown`: who the client is by its certificate."""
        self._hub = hub
        self._clients = clients
        self._socket = sock
        self._outgoing = outgoing_of(sock)
        self._marked = False
        self._events = READ
        self.connection = clients.opened(self, address, shown)
        hub.add(sock.fileno(), self, READ)

    @property
    def is_secure(self) -> bool:
        """Whether the client has come over TLS."""
        return isinstance(self._socket, TlsSocket)

    def wake(self) -> None:
        """The connection has something to send, to resume or to close."""
        if not self._marked:
            self._marked = True
            self._hub.mark(self)

    def unread_bytes(self) -> int:
        """Bytes of the client that have come and were not read."""
        count = array("i", [0])
        fcntl.ioctl(self._socket.fileno(), termios.FIONREAD, count)
        return count[0]

    def ready(self, events: int) -> None:
        """The socket can be read or written, or is broken."""
        if events & (READ | BROKEN) and not self.connection.paused:
            data = receive(self._socket)
            if data == b"":
                self.close()
                return
            if data:
                self._clients.received(self.connection, data)
                if self.connection.paused:
                    self.wake()
        elif events & BROKEN:
            self.close()
            return
        if events & WRITE:
            self.wake()

    def flush(self) -> None:
        """Send the outbox; close if that was asked for; wait for what is needed next."""
        self._marked = False
        connection = self.connection
        if connection.closed:
            return
        connection.dirty = False
        if connection.cut:
            self.close()
            return
        parts, connection.outbox = connection.outbox, []
        try:
            empty = self._outgoing.send_all(parts)
        except OSError:
            self.close()
            return
        connection.outbox_bytes = self._outgoing.unsent_bytes
        if empty:
            connection.outbox_bytes_max = OUTBOX_BYTES_MAX
            if connection.close_when_sent and not connection.held:
                self.close()
                return
        elif connection.outbox_bytes > connection.outbox_bytes_max:
            self.close()
            return
        wanted = (0 if connection.paused else READ) | (0 if empty else WRITE)
        if wanted != self._events:
            self._events = wanted
            self._hub.change(self._socket.fileno(), wanted)

    def close(self) -> None:
        """Close the socket; the session lives on."""
        if not self.connection.closed:
            self._hub.remove(self._socket.fileno())
            self._socket.close()
            self._clients.closed(self.connection)


class Listener:
    """A listening socket; every accepted one is handed to `admit`."""

    def __init__(
        self, hub: Hub, sock: socket.socket, admit: Callable[[socket.socket, str], None]
    ) -> None:
        self._hub = hub
        self._socket = sock
        self._admit = admit
        self._spare = _open_spare()
        hub.add(sock.fileno(), self)

    def ready(self, _events: int) -> None:
        """Somebody has connected."""
        for _ in range(ACCEPT_AT_ONCE):
            try:
                accepted, address = self._socket.accept()
            except OSError as error:
                if error.errno not in NO_DESCRIPTORS:
                    return  # nobody waits any more
                self._turn_away()
                continue
            accepted.settimeout(0)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._admit(accepted, _text(address))

    def _turn_away(self) -> None:
        """No descriptor is left: close one that waits, or the epoll would report it for ever."""
        os.close(self._spare)
        try:
            self._socket.accept()[0].close()
        except OSError:
            pass
        finally:
            self._spare = _open_spare()

    def flush(self) -> None:
        """A listener sends nothing."""

    def close(self) -> None:
        """Accept nobody any more."""
        self._hub.remove(self._socket.fileno())
        self._socket.close()
        os.close(self._spare)


def _open_spare() -> int:
    """A descriptor to give back when there are no others."""
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _text(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
