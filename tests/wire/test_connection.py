"""The two ends of a connection, and what they say when they are put together."""

import itertools
import struct
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord import jute
from coord.wire.connection import (
    CLIENT_TRANSITIONS,
    COMMANDS,
    GREETING_BYTES_MAX,
    KEPT_BYTES_MAX,
    SERVER_TRANSITIONS,
    ClientConnection,
    ClientState,
    ClientStep,
    Command,
    Notification,
    Reply,
    ServerConnection,
    ServerState,
    ServerStep,
    StateError,
)
from coord.wire.frames import (
    FRAME_BYTES_MAX,
    FrameError,
    encode_frame,
    encode_notification,
    encode_reply,
)
from coord.wire.opcodes import OpCode
from coord.wire.records import ConnectRequest, ConnectResponse, WatcherEvent
from coord.wire.requests import GetDataRequest, SetDataRequest
from tests.wire.recorded import RECORDED

CONNECT = ConnectRequest(0, 0, 4000, 0, bytes(16), False)
OLD_CONNECT = attrs.evolve(CONNECT, read_only=None)
RESPONSE = ConnectResponse(0, 4000, 9, b"p" * 16, False)
PING = struct.pack(">ii", -2, OpCode.PING)


def _frame(record: object) -> bytes:
    return encode_frame(jute.encode(record))


def _whole(data: bytes) -> Iterable[bytes]:
    return [data]


def _byte_by_byte(data: bytes) -> Iterable[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


pieces = pytest.mark.parametrize("pieces", [_whole, _byte_by_byte])
Pieces = Callable[[bytes], Iterable[bytes]]


def _received(connection: Any, data: Iterable[bytes]) -> list[Any]:
    return [event for each in data for event in connection.receive(each)]


def _attaching_server(request: ConnectRequest = CONNECT) -> ServerConnection:
    server = ServerConnection()
    assert server.receive(_frame(request)) == [request]
    return server


def _open_server() -> ServerConnection:
    server = _attaching_server()
    server.accept(RESPONSE)
    return server


def _greeting_client() -> ClientConnection:
    client = ClientConnection()
    client.connect_frame(CONNECT)
    return client


def _open_client() -> ClientConnection:
    client = _greeting_client()
    assert client.receive(_frame(RESPONSE)) == [RESPONSE]
    return client


# The server's end: the greeting.


@pieces
@pytest.mark.parametrize("request_", [CONNECT, OLD_CONNECT, attrs.evolve(CONNECT, password=None)])
def test_a_connect_request_is_handed_over(pieces: Pieces, request_: ConnectRequest) -> None:
    server = ServerConnection()
    assert _received(server, pieces(_frame(request_))) == [request_]
    assert server.state is ServerState.ATTACHING


def test_bytes_behind_the_known_fields_of_a_connect_request_are_ignored() -> None:
    server = ServerConnection()
    assert server.receive(encode_frame(jute.encode(CONNECT) + b"more")) == [CONNECT]


@pieces
@pytest.mark.parametrize("word", sorted(COMMANDS))
def test_a_four_letter_word_is_a_command_and_ends_the_conversation(
    pieces: Pieces, word: bytes
) -> None:
    server = ServerConnection()
    assert _received(server, pieces(word + b"\n")) == [Command(word.decode())]
    assert server.state is ServerState.CLOSED


def test_no_four_letter_word_could_be_the_length_of_a_frame() -> None:
    assert min(int.from_bytes(word) for word in COMMANDS) > FRAME_BYTES_MAX


def test_a_four_letter_word_in_an_open_connection_is_a_length_out_of_range() -> None:
    with pytest.raises(FrameError):
        _open_server().receive(b"ruok")


@pieces
@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n",
        struct.pack(">i", -1),
        struct.pack(">i", GREETING_BYTES_MAX + 1),
        struct.pack(">i", 0),
        encode_frame(jute.encode(OLD_CONNECT)[:-1]),
        encode_frame(struct.pack(">iqiqi", 0, 0, 4000, 0, -7)),
        encode_frame(struct.pack(">iqiqi", 0, 0, 4000, 0, 17) + bytes(16)),
    ],
)
def test_a_greeting_that_is_none_is_a_frame_error_and_closes(
    pieces: Pieces, garbage: bytes
) -> None:
    server = ServerConnection()
    with pytest.raises(FrameError):
        _received(server, pieces(garbage))
    assert server.state is ServerState.CLOSED
    assert server.receive(_frame(CONNECT)) == []


# The server's end: attaching the session.


@pytest.mark.parametrize("read_only", [None, False, True])
def test_the_response_has_its_last_byte_only_where_the_request_had_it(
    read_only: bool | None,
) -> None:
    response = attrs.evolve(RESPONSE, read_only=read_only)
    old = _attaching_server(OLD_CONNECT).accept(response)
    new = _attaching_server().accept(response)
    assert old == _frame(attrs.evolve(RESPONSE, read_only=None))
    assert new == _frame(attrs.evolve(RESPONSE, read_only=bool(read_only)))
    assert (len(old), len(new)) == (4 + 36, 4 + 37)


def test_a_refusal_is_of_zeros() -> None:
    """Recorded from ZooKeeper 3.8.0, for a session it did not know."""
    zeros = bytes(16)
    old, new = _attaching_server(OLD_CONNECT), _attaching_server()
    assert old.refuse() == bytes.fromhex("00000024") + bytes(16) + b"\0\0\0\x10" + zeros
    assert new.refuse() == bytes.fromhex("00000025") + bytes(16) + b"\0\0\0\x10" + zeros + b"\0"
    assert old.state is new.state is ServerState.CLOSED
    assert new.receive(encode_frame(PING)) == []


@pieces
def test_what_comes_behind_the_greeting_is_kept_until_the_session_is_there(pieces: Pieces) -> None:
    """Java clients send auth and setWatches without waiting for the response."""
    server = ServerConnection()
    behind = [bytes([n]) * 8 for n in range(3)]
    stream = _frame(CONNECT) + b"".join(map(encode_frame, behind))
    assert _received(server, pieces(stream)) == [CONNECT]
    server.accept(RESPONSE)
    assert server.receive(b"") == behind
    assert server.receive(b"") == []


def test_a_frame_of_which_a_part_was_kept_is_whole_when_the_rest_comes() -> None:
    server = ServerConnection()
    frame = encode_frame(b"requests")
    server.receive(_frame(CONNECT) + frame[:5])
    server.accept(RESPONSE)
    assert server.receive(frame[5:] + frame) == [b"requests", b"requests"]


def test_what_is_kept_is_bounded() -> None:
    server = _attaching_server()
    assert server.receive(bytes(KEPT_BYTES_MAX)) == []
    with pytest.raises(FrameError):
        server.receive(b"\0")
    assert server.state is ServerState.CLOSED


# The server's end: requests.


@pieces
def test_requests_come_out_whole_and_in_order(pieces: Pieces) -> None:
    server = _open_server()
    requests = [struct.pack(">ii", xid, each.opcode) for xid, each in enumerate(RECORDED)]
    requests = [a + b.request_body for a, b in zip(requests, RECORDED, strict=True)]
    assert _received(server, pieces(b"".join(map(encode_frame, requests)))) == requests


@pytest.mark.parametrize("length", [-1, 0, 7, FRAME_BYTES_MAX + 1])
def test_a_request_that_is_too_long_or_has_no_header_closes(length: int) -> None:
    server = _open_server()
    with pytest.raises(FrameError):
        server.receive(struct.pack(">i", length) + bytes(8))
    assert server.state is ServerState.CLOSED


@given(st.lists(st.binary(max_size=100), max_size=8))
def test_whatever_a_client_sends_only_frame_errors_are_raised(chunks: list[bytes]) -> None:
    for server in (ServerConnection(), _attaching_server(), _open_server()):
        try:
            for chunk in chunks:
                server.receive(chunk)
        except FrameError:
            assert server.state is ServerState.CLOSED
            assert server.receive(b"more") == []


# The client's end.


def test_the_first_frame_is_the_connect_request() -> None:
    assert ClientConnection().connect_frame(OLD_CONNECT) == _frame(OLD_CONNECT)


@pieces
def test_the_response_comes_first_then_replies_and_notifications_in_order(pieces: Pieces) -> None:
    client = _greeting_client()
    stream = (
        _frame(RESPONSE)
        + encode_reply(1, 5, 0, b"body")
        + encode_notification(3, b"/a", 6)
        + encode_reply(-2, 6, 0)
        + encode_reply(2, 7, -101)
    )
    assert _received(client, pieces(stream)) == [
        RESPONSE,
        Reply(1, 5, 0, b"body"),
        Notification(6, WatcherEvent(3, 3, "/a")),
        Reply(-2, 6, 0, b""),
        Reply(2, 7, -101, b""),
    ]
    assert client.state is ClientState.OPEN


@pytest.mark.parametrize("timeout_ms", [0, -1])
def test_a_response_without_a_timeout_is_the_end(timeout_ms: int) -> None:
    client = _greeting_client()
    refusal = ConnectResponse(0, timeout_ms, 0, bytes(16))
    assert client.receive(_frame(refusal) + encode_reply(1, 1, 0)) == [refusal]
    assert client.state is ClientState.CLOSED
    assert client.receive(encode_reply(1, 1, 0)) == []


@pytest.mark.parametrize("exchange", RECORDED, ids=lambda each: each.opcode.name)
def test_a_request_is_framed_with_its_xid_and_op_code(exchange: Any) -> None:
    frame = _open_client().encode_request(7, exchange.opcode, exchange.request)
    body = struct.pack(">ii", 7, exchange.opcode) + exchange.request_body
    assert frame == encode_frame(body)


def test_requests_may_be_sent_before_the_response_is_there() -> None:
    frame = _greeting_client().encode_request(-2, OpCode.PING)
    assert frame == bytes.fromhex("00000008 fffffffe 0000000b")


def test_a_request_over_the_limit_is_refused_before_a_server_closes_over_it() -> None:
    client = _open_client()
    most = FRAME_BYTES_MAX - 8 - 4 - 2 - 4 - 4
    assert client.encode_request(1, OpCode.SET_DATA, SetDataRequest("/a", bytes(most), 0))
    with pytest.raises(jute.EncodeError, match="the limit is 1048575"):
        client.encode_request(1, OpCode.SET_DATA, SetDataRequest("/a", bytes(most + 1), 0))
    assert client.state is ClientState.OPEN


@pytest.mark.parametrize(
    "garbage",
    [
        struct.pack(">i", -1),
        struct.pack(">i", FRAME_BYTES_MAX + 1),
        encode_frame(bytes(15)),
        encode_frame(struct.pack(">iqi", -1, 0, 0) + bytes(11)),
    ],
)
def test_what_no_server_sends_is_a_frame_error_and_closes(garbage: bytes) -> None:
    client = _open_client()
    with pytest.raises(FrameError):
        client.receive(garbage)
    assert client.state is ClientState.CLOSED
    assert client.receive(encode_reply(1, 1, 0)) == []


def test_a_server_that_speaks_first_is_none() -> None:
    with pytest.raises(FrameError):
        ClientConnection().receive(b"\0")


@given(st.lists(st.binary(max_size=100), max_size=8))
def test_whatever_a_server_sends_only_frame_errors_are_raised(chunks: list[bytes]) -> None:
    for client in (ClientConnection(), _greeting_client(), _open_client()):
        try:
            for chunk in chunks:
                client.receive(chunk)
        except FrameError:
            assert client.state is ClientState.CLOSED


# The tables.


_SERVER_IN = {
    ServerState.GREETING: ServerConnection,
    ServerState.ATTACHING: _attaching_server,
    ServerState.OPEN: _open_server,
}
_SERVER_CALLS: dict[ServerStep, Callable[[ServerConnection], object]] = {
    ServerStep.ACCEPT: lambda server: server.accept(RESPONSE),
    ServerStep.REFUSE: lambda server: server.refuse(),
}


@pytest.mark.parametrize(("state", "step"), [*itertools.product(_SERVER_IN, _SERVER_CALLS)])
def test_the_servers_answers_are_possible_where_its_table_says_so(
    state: ServerState, step: ServerStep
) -> None:
    server = _SERVER_IN[state]()
    call = _SERVER_CALLS[step]
    if (state, step) in SERVER_TRANSITIONS:
        call(server)
        assert server.state is SERVER_TRANSITIONS[state, step]
    else:
        with pytest.raises(StateError, match=f"{step.name} while {state.name}"):
            call(server)
        assert server.state is state


_CLIENT_IN = {
    ClientState.NEW: ClientConnection,
    ClientState.GREETING: _greeting_client,
    ClientState.OPEN: _open_client,
}
_CLIENT_CALLS: dict[ClientStep, Callable[[ClientConnection], object]] = {
    ClientStep.CONNECT: lambda client: client.connect_frame(CONNECT),
    ClientStep.SEND: lambda client: client.encode_request(1, OpCode.PING),
}


@pytest.mark.parametrize(("state", "step"), [*itertools.product(_CLIENT_IN, _CLIENT_CALLS)])
def test_what_the_client_sends_is_possible_where_its_table_says_so(
    state: ClientState, step: ClientStep
) -> None:
    client = _CLIENT_IN[state]()
    call = _CLIENT_CALLS[step]
    if (state, step) in CLIENT_TRANSITIONS:
        call(client)
        assert client.state is CLIENT_TRANSITIONS[state, step]
    else:
        with pytest.raises(StateError, match=f"{step.name} while {state.name}"):
            call(client)


def test_nothing_leads_out_of_closed() -> None:
    assert not [state for state, _ in SERVER_TRANSITIONS if state is ServerState.CLOSED]
    assert not [state for state, _ in CLIENT_TRANSITIONS if state is ClientState.CLOSED]


def test_the_two_ends_understand_each_other() -> None:
    client, server = ClientConnection(), ServerConnection()
    (request,) = server.receive(client.connect_frame(CONNECT))
    assert request == CONNECT
    assert client.receive(server.accept(RESPONSE)) == [RESPONSE]
    (frame,) = server.receive(
        client.encode_request(1, OpCode.GET_DATA, GetDataRequest("/a", watch=True))
    )
    assert isinstance(frame, bytes)
    assert struct.unpack_from(">ii", frame) == (1, OpCode.GET_DATA)
    assert jute.decode(GetDataRequest, frame, 8)[0] == GetDataRequest("/a", watch=True)
    assert client.receive(encode_reply(1, 3, -101)) == [Reply(1, 3, -101, b"")]
