"""Handshakes of TLS, each in a task of its own until it is done; what fails is said once.

A handshake costs about a thousand times a small request. They take turns, and a turn lets the loop
of the replica run in between: a fleet that connects at once delays no heartbeat.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

import trio

from coord.credentials import reason_of
from coord.tasks.tls import TlsSocket

HANDSHAKE_S: Final = 10.0
"""Who has not finished by then is cut, as who does not greet."""
UNDER_WAY_MAX: Final = 500
"""Of those that others began; who comes then is turned away. One takes some 50 KiB."""
FAREWELL_S: Final = 1.0
"""So long the other side may take to read why it is refused."""
SAID_AGAIN_S: Final = 600.0
"""A fault that was not seen for so long is said again."""
REMEMBERED_MAX: Final = 100
"""Faults that are remembered; when there are more, the oldest may be said twice."""


class HandshakeError(Exception):
    """The connection is closed; a few words that say why."""


class Complaints:
    """What went wrong with whom: a line for each, however often it goes wrong."""

    def __init__(
        self, warn: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._warn = warn
        self._clock = clock
        self._seen: dict[str, float] = {}

    def say(self, line: str) -> None:
        """Warn, unless this was said not long ago."""
        now = self._clock()
        last = self._seen.pop(line, None)
        self._seen[line] = now
        if len(self._seen) > REMEMBERED_MAX:
            del self._seen[next(iter(self._seen))]
        if last is None or now - last > SAID_AGAIN_S:
            self._warn(line)


class Handshakes:
    """The handshakes of one replica with clients, or those with other replicas."""

    def __init__(self, under_way_max: int = UNDER_WAY_MAX) -> None:
        self._under_way_max = under_way_max
        self._turn = trio.Lock()
        self._under_way = 0

    async def accept(self, sock: socket.socket, context: ssl.SSLContext) -> TlsSocket:
        """Finish the handshake that the other side begins; raises HandshakeError."""
        if self._under_way >= self._under_way_max:
            sock.close()
            raise HandshakeError("too many handshakes are under way")
        self._under_way += 1
        try:
            return await self.shake_hands(TlsSocket(sock, context))
        finally:
            self._under_way -= 1

    async def shake_hands(self, tls: TlsSocket, seconds: float = HANDSHAKE_S) -> TlsSocket:
        """Finish a handshake; raises HandshakeError. Whatever else ends it closes the socket."""
        is_done = False
        try:
            with trio.fail_after(seconds):
                while not await self._take_turn(tls):
                    await _wait_for(tls)
                while not tls.push():
                    await trio.lowlevel.wait_writable(tls.fileno())
            is_done = True
        except trio.TooSlowError:
            raise HandshakeError(f"no handshake within {seconds:.0f} s") from None
        except ssl.SSLError as error:
            await _say_farewell(tls)
            raise HandshakeError(reason_of(error)) from None
        except OSError as error:
            raise HandshakeError(error.strerror or str(error)) from None
        finally:
            if not is_done:
                tls.close()
        return tls

    async def _take_turn(self, tls: TlsSocket) -> bool:
        async with self._turn:
            return tls.shake_hands()


async def _wait_for(tls: TlsSocket) -> None:
    if tls.push():
        await trio.lowlevel.wait_readable(tls.fileno())
    else:
        await trio.lowlevel.wait_writable(tls.fileno())


async def _say_farewell(tls: TlsSocket) -> None:
    """Let the other side read why: a socket closed with bytes unread takes back what was sent."""
    with contextlib.suppress(OSError), trio.move_on_after(FAREWELL_S):
        tls.socket.shutdown(socket.SHUT_WR)
        while True:
            await trio.lowlevel.wait_readable(tls.fileno())
            if not tls.socket.recv(1 << 16):
                return
