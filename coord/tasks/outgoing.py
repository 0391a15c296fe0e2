"""Bytes out of a non-blocking socket, and into one."""

import socket
from typing import Final, Protocol

RECEIVE_BYTES: Final = 256 << 10
"""Asked of a socket at once: whole pipelines of requests, small against any budget."""
SEND_BYTES: Final = 1 << 20
"""Joined and offered to a socket at once: what it does not take is copied again."""

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
