"""HTTP at the admin address: what is answered, refused, and bounded. Real sockets on loopback."""

import socket

import pytest
import trio
from trio.testing import MockClock

from coord.replica.admin import Page
from coord.tasks.admin import CONNECTIONS_MAX, HEAD_BYTES_MAX, REQUEST_S, Admin

GET = b"GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n"


def answer(path: str) -> Page:
    return Page(200, "text/plain", f"this is {path}".encode())


@pytest.fixture
async def address(nursery):
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    nursery.start_soon(Admin(sock, answer).serve)
    return sock.getsockname()


async def ask(address, request: bytes) -> bytes:
    """Everything that comes until the server closes the connection."""
    with trio.fail_after(60):
        async with await trio.open_tcp_stream(*address) as stream:
            await stream.send_all(request)
            return b"".join([piece async for piece in stream])


async def test_a_get_is_answered_without_its_query(address):
    response = await ask(address, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert response.startswith(b"HTTP/1.1 200 ")
    assert response.endswith(b"\r\n\r\nthis is /x")


async def test_a_head_is_answered_without_the_body(address):
    request = GET.replace(b"GET", b"HEAD").replace(b"Host: a", b"Host: a\r\nConnection: close")
    response = await ask(address, request)
    assert b"\r\nContent-Length: 10\r\n" in response
    assert response.endswith(b"\r\n\r\n")


async def test_a_connection_serves_many_requests(address):
    with trio.fail_after(60):
        async with await trio.open_tcp_stream(*address) as stream:
            for _ in range(3):
                await stream.send_all(GET)
                received = b""
                while not received.endswith(b"this is /x"):
                    received += await stream.receive_some()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (HEAD_BYTES_MAX + 4096), b"431"),
    ],
)
async def test_what_is_no_request_for_a_page_is_refused_and_the_connection_closed(
    address, request_bytes, status
):
    assert (await ask(address, request_bytes)).startswith(b"HTTP/1.1 " + status)


async def test_so_many_connections_are_served_and_one_more_is_closed(address):
    streams = [await trio.open_tcp_stream(*address) for _ in range(CONNECTIONS_MAX)]
    for stream in streams:
        await stream.send_all(GET)
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
    with trio.fail_after(60):
        extra = await trio.open_tcp_stream(*address)
        assert await extra.receive_some() == b""
    for stream in [*streams, extra]:
        await stream.aclose()


async def test_a_client_that_sends_no_whole_request_is_closed_in_time(
    address, autojump_clock: MockClock
):
    begun = trio.current_time()
    async with await trio.open_tcp_stream(*address) as stream:
        await stream.send_all(GET[:10])
        assert await stream.receive_some() == b""
    assert trio.current_time() - begun <= REQUEST_S + 1
