"""The admin address: HTTP/1.1 for people, monitoring and health checks.

Imported only where one is configured. Everything is bounded: connections, the size of a request's
head, the time a request may take to come and its response to be taken. Requests have no effects.
"""

import socket
from collections.abc import Callable
from typing import Final

import h11
import trio

from coord.replica.admin import Page

CONNECTIONS_MAX: Final = 32
"""At once; further ones are closed unheard. Each takes a descriptor, and some memory."""
HEAD_BYTES_MAX: Final = 16 << 10
"""Of a request line and its headers."""
REQUEST_S: Final = 60.0
"""A connection on which no whole request comes for so long is closed: pollers keep theirs."""
RESPONSE_S: Final = 10.0
"""A client that takes its response slower than this is cut off."""
RECEIVE_BYTES: Final = 4096


class Admin:
    """Answers HTTP requests of one replica's operators."""

    def __init__(self, sock: socket.socket, answer: Callable[[str], Page]) -> None:
        """`sock` listens already; `answer` gets the path of a GET."""
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        self._answer = answer
        self._connections = 0

    async def serve(self) -> None:
        """Serve until cancelled."""
        await trio.serve_listeners(self._converse, [self._listener])

    async def _converse(self, stream: trio.SocketStream) -> None:
        self._connections += 1
        try:
            async with stream:
                if self._connections <= CONNECTIONS_MAX:
                    await self._answer_all(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has gone
        finally:
            self._connections -= 1

    async def _answer_all(self, stream: trio.SocketStream) -> None:
        """Answer one request after the other until either side has had enough."""
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        while True:
            page: Page | None = None
            method = b"GET"
            with trio.move_on_after(REQUEST_S):
                try:
                    request = await self._next_request(stream, protocol)
                except h11.RemoteProtocolError as error:
                    page = Page(error.error_status_hint, "text/plain", f"{error}\n".encode())
                else:
                    if request is not None:
                        page, method = self._page(request), request.method
            if page is None:
                return
            with trio.move_on_after(RESPONSE_S):
                await self._send(stream, protocol, page, with_body=method != b"HEAD")
                if protocol.our_state is h11.DONE and protocol.their_state is h11.DONE:
                    protocol.start_next_cycle()
                    continue
                await _part(stream)
            return

    def _page(self, request: h11.Request) -> Page:
        if request.method not in (b"GET", b"HEAD"):
            return Page(405, "text/plain", b"only GET and HEAD\n")
        return self._answer(request.target.partition(b"?")[0].decode("latin-1"))

    async def _next_request(
        self, stream: trio.SocketStream, protocol: h11.Connection
    ) -> h11.Request | None:
        """Read one request, and its body, if it may have one; None when no more come."""
        request: h11.Request | None = None
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                protocol.receive_data(await stream.receive_some(RECEIVE_BYTES))
            elif isinstance(event, h11.Request):
                request = event
                if request.method not in (b"GET", b"HEAD"):
                    return request
            elif isinstance(event, h11.EndOfMessage):
                return request
            elif not isinstance(event, h11.Data):
                return None

    async def _send(
        self, stream: trio.SocketStream, protocol: h11.Connection, page: Page, *, with_body: bool
    ) -> None:
        headers = [("Content-Type", page.content_type), ("Content-Length", str(len(page.body)))]
        if protocol.their_state is not h11.DONE:
            headers.append(("Connection", "close"))
        parts: list[h11.Event] = [h11.Response(status_code=page.status, headers=headers)]
        if with_body:
            parts.append(h11.Data(data=page.body))
        parts.append(h11.EndOfMessage())
        await stream.send_all(b"".join([protocol.send(part) or b"" for part in parts]))


async def _part(stream: trio.SocketStream) -> None:
    """Say that no more comes, and hear the client out: a reset could overtake the response."""
    await stream.send_eof()
    for _ in range(HEAD_BYTES_MAX // RECEIVE_BYTES):
        if not await stream.receive_some(RECEIVE_BYTES):
            return
