"""Bytes out of a non-blocking socket, and into one."""

import socket
from typing import Final

RECEIVE_BYTES: Final = 256 << 10
"""Asked of a socket at once: whole pipelines of requests, small against any budget."""

_buffer = bytearray(RECEIVE_BYTES)
_view = memoryview(_buffer)


def receive(sock: socket.socket) -> bytes | None:
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

    def send(self) -> bool:
        """Give the socket what it takes; whether everything is gone. Raises OSError."""
        if not self._parts:
            return True
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        self.unsent_bytes = len(data) - sent
        self._parts = [data[sent:]] if self.unsent_bytes else []
        return not self._parts
