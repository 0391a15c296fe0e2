"""Bytes out of a non-blocking socket, and into one, with and without TLS."""

import socket
from typing import Final, Protocol

from coord.tasks.tls import Stream, TlsSocket

RECEIVE_BYTES: Final = 256 << 10
"""Asked of a socket at once: whole pipelines of requests, small against any budget."""
SEND_BYTES: Final = 1 << 20
"""Joined and offered to a socket at once: what it does not take is copied again."""
ENCRYPT_BYTES: Final = 64 << 10
"""Encrypted at once, unless a single part is longer."""

_buffer = bytearray(RECEIVE_BYTES)
_view = memoryview(_buffer)


class Source(Protocol):
    """What receives as a non-blocking socket does."""

    def recv_into(self, buffer: bytearray, /) -> int:
        """Put what has come at the beginning: how many bytes; 0 at the end. Raises OSError."""


def receive(sock: Source) -> bytes | None:
    """What has come; b"" at the end of the stream, or when it is broken; None: nothing yet.

    `socket.recv` of so many bytes maps fresh memory for each call; this copies out of one buffer.
    """
    try:
        size = sock.recv_into(_buffer)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    return bytes(_view[:size])


class Outgoing:
    """What a socket has not taken yet."""

    __slots__ = ("_parts", "_socket", "unsent_bytes")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._parts: list[bytes] = []
        self.unsent_bytes = 0

    def put(self, data: bytes) -> None:
        """Add bytes at the end."""
        self._parts.append(data)
        self.unsent_bytes += len(data)

    def send_all(self, parts: list[bytes]) -> bool:
        """Add bytes at the end and `send`."""
        self.unsent_bytes += sum(map(len, parts))
        self._parts += parts
        return self.send()

    def send(self) -> bool:
        """Give the socket what it takes; whether everything is gone. Raises OSError."""
        parts = self._parts
        while parts:
            taken, size = 1, len(parts[0])
            while taken < len(parts) and size < SEND_BYTES:
                size += len(parts[taken])
                taken += 1
            data = parts[0] if taken == 1 else b"".join(parts[:taken])
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            self.unsent_bytes -= sent
            if sent < size:
                parts[:taken] = [data[sent:]]
                return False
            del parts[:taken]
        return True


class TlsOutgoing(Outgoing):
    """What is to be sent over TLS.

    One portion is encrypted at a time, when the one before is with the kernel: the rest stays
    countable in `unsent_bytes`.
    """

    __slots__ = ("_encrypted_bytes", "_tls")

    def __init__(self, tls: TlsSocket) -> None:
        super().__init__(tls.socket)
        self._tls = tls
        self._encrypted_bytes = 0
        """Of `unsent_bytes`, those that are encrypted, but not with the kernel yet."""

    def send(self) -> bool:
        """Give the socket what it takes; whether everything is gone. Raises OSError."""
        parts = self._parts
        while self._tls.push():
            self.unsent_bytes -= self._encrypted_bytes
            self._encrypted_bytes = 0
            if not parts:
                return True
            taken, size = 1, len(parts[0])
            while taken < len(parts) and size < ENCRYPT_BYTES:
                size += len(parts[taken])
                taken += 1
            self._tls.encrypt(parts[0] if taken == 1 else b"".join(parts[:taken]))
            self._encrypted_bytes = size
            del parts[:taken]
        return False


def outgoing_of(stream: Stream) -> Outgoing:
    """Return what sends over a connected stream."""
    return TlsOutgoing(stream) if isinstance(stream, TlsSocket) else Outgoing(stream)
