"""TLS between a socket and who uses it: `ssl.SSLObject` over memory, in the loop of all sockets.

`TlsSocket` receives like a non-blocking socket, and `coord.tasks.outgoing` sends over both, so that
client connections and peer links are the same code with and without TLS.

Rules

1. While the handshake goes on, one record at a time is taken from the socket. So what follows it is
   still in the kernel when the connection is given to the hub, and wakes it.
2. After that, all that was taken is decrypted at once: nothing waits in here without an event.
"""

import contextlib
import socket
import ssl
from typing import Any, Final, cast

from coord.credentials import reason_of

RECEIVE_BYTES: Final = 64 << 10
"""Taken from a socket at once: with an unfinished record it fits into any buffer for what it is."""
RECORD_HEADER_BYTES: Final = 5
RECORD_BYTES_MAX: Final = (16 << 10) + 2048
"""The limit of TLS 1.2; that of 1.3 is lower."""
RECORD_TYPES: Final = range(20, 25)

_buffer = bytearray(RECEIVE_BYTES)
_view = memoryview(_buffer)


class NoTlsError(ConnectionError):
    """The other side did not say what belongs into a handshake."""


class TlsSocket:
    """A connected socket, and the TLS that it carries."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, server_hostname: str | None = None
    ) -> None:
        """`server_hostname` is given where this side has opened the connection."""
        self.fault = ""
        """Why TLS ended the connection, if it did."""
        self.socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
        )
        self._unsent = bytearray()
        """Encrypted, and not with the kernel yet."""
        self._record = bytearray()
        self._record_bytes = RECORD_HEADER_BYTES

    def fileno(self) -> int:
        """Descriptor of the socket."""
        return self.socket.fileno()

    @property
    def certificate(self) -> dict[str, Any]:
        """What the other side has shown, as `ssl` tells it; empty: nothing."""
        return self._tls.getpeercert() or {}

    def shake_hands(self) -> bool:
        """Go on as far as what has come allows; whether the handshake is done.

        Raises OSError; then what is to be told to the other side has been given to the socket.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.push()
                if not self._take_record():
                    return False
            except ssl.SSLError:
                self.push()
                raise
            else:
                self.push()
                return True

    def _take_record(self) -> bool:
        """Hand one whole record on; whether it has come (rule 1)."""
        record = self._record
        while len(record) < self._record_bytes:
            try:
                piece = self.socket.recv(self._record_bytes - len(record))
            except BlockingIOError:
                return False
            if not piece:
                raise NoTlsError("it ended the connection during the handshake")
            record += piece
            if len(record) == RECORD_HEADER_BYTES:
                length = int.from_bytes(record[3:])
                if record[0] not in RECORD_TYPES or length > RECORD_BYTES_MAX:
                    raise NoTlsError("it does not speak TLS")
                self._record_bytes += length
        self._incoming.write(record)
        self._record = bytearray()
        self._record_bytes = RECORD_HEADER_BYTES
        return True

    def recv_into(self, buffer: bytearray) -> int:
        """As of a socket: how many bytes have come; 0 at the end. Raises OSError."""
        size = self.socket.recv_into(_buffer)
        if not size:
            return 0
        self._incoming.write(_view[:size])
        size, is_over = self._decrypt(memoryview(buffer))
        if self._outgoing.pending:
            self.push()
        if is_over and size:
            # The end is told after this; the kernel will report it again.
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RD)
        elif not size and not is_over:
            raise BlockingIOError
        return size

    def _decrypt(self, view: memoryview) -> tuple[int, bool]:
        """Read all there is (rule 2): how many bytes, and whether nothing comes after them."""
        size = 0
        try:
            while piece := self._read(view[size:]):
                size += piece
        except ssl.SSLWantReadError:
            return size, False
        except ssl.SSLZeroReturnError:
            return size, True
        except ssl.SSLError as error:
            self.fault = reason_of(error)
        return size, True

    def _read(self, view: memoryview) -> int:
        # Into a buffer it returns a number, whatever its type says.
        return cast("int", self._tls.read(len(view), view))

    def encrypt(self, data: bytes) -> None:
        """Add bytes to what `push` sends. Raises OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]

    def push(self) -> bool:
        """Give the socket what is encrypted; whether all of it is gone. Raises OSError."""
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()
        while self._unsent:
            try:
                sent = self.socket.send(self._unsent)
            except BlockingIOError:
                return False
            del self._unsent[:sent]
        return True

    def close(self) -> None:
        """Say that nothing more comes, as far as that goes at once, and close the socket."""
        with contextlib.suppress(OSError):
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self.push()
        self.socket.close()


Stream = socket.socket | TlsSocket
"""What a connection runs over."""
