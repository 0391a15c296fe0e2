"""TLS over a pair of sockets: what comes through, what is told, and what is left to be done."""

import socket
import ssl
from collections.abc import Iterator
from itertools import chain, repeat

import pytest
import trio

from coord import jute
from coord.credentials import Contexts, contexts, names_host, reason_of, subject_of
from coord.tasks.client_connections import ClientSocket
from coord.tasks.handshakes import (
    HANDSHAKE_S,
    REMEMBERED_MAX,
    SAID_AGAIN_S,
    Complaints,
    HandshakeError,
    Handshakes,
)
from coord.tasks.hub import Hub
from coord.tasks.outgoing import outgoing_of, receive
from coord.tasks.tls import NoTlsError, TlsSocket
from coord.wire.connection import ClientConnection, Reply
from coord.wire.opcodes import OpCode
from coord.wire.records import Acl, ConnectRequest, ConnectResponse, Id
from coord.wire.requests import CreateRequest, GetAclReply, GetAclRequest
from tests.certificates import Authority
from tests.replica.served import Served


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def good(authority: Authority) -> Contexts:
    return contexts(authority.files("replica"))


@pytest.fixture(scope="module")
def foreign(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Who believes the authority, and shows what another one has signed."""
    stranger = Authority(tmp_path_factory.mktemp("foreign"))
    return authority.context(*stranger.sign("stranger"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The ends of a connection: of who has opened it, and of who has accepted it."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


Pair = tuple[socket.socket, socket.socket]


def linked(pair: Pair, good: Contexts) -> tuple[TlsSocket, TlsSocket]:
    """Both ends, their handshake done."""
    dialer = TlsSocket(pair[0], good.peer_dialer, "127.0.0.1")
    acceptor = TlsSocket(pair[1], good.peer_listener)
    while not all([dialer.shake_hands(), acceptor.shake_hands()]):
        pass
    return dialer, acceptor


def test_what_follows_a_handshake_waits_in_the_kernel_where_it_wakes_the_hub(
    pair: Pair, good: Contexts
) -> None:
    dialer = TlsSocket(pair[0], good.peer_dialer, "127.0.0.1")
    acceptor = TlsSocket(pair[1], good.peer_listener)
    while not dialer.shake_hands():
        acceptor.shake_hands()
    outgoing = outgoing_of(dialer)
    outgoing.put(b"at once")
    assert outgoing.send()
    assert acceptor.shake_hands()
    assert pair[1].recv(1, socket.MSG_PEEK)
    assert receive(acceptor) == b"at once"
    assert receive(acceptor) is None


def test_more_than_the_kernel_takes_is_counted_until_it_is_gone(pair: Pair, good: Contexts) -> None:
    dialer, acceptor = linked(pair, good)
    outgoing = outgoing_of(dialer)
    parts = [bytes([number % 251]) * 50_000 for number in range(40)] + [b"x" * 1_000_000]
    size = sum(map(len, parts))
    assert not outgoing.send_all(list(parts))
    assert size - (1 << 20) < outgoing.unsent_bytes <= size
    received = bytearray()
    is_empty = False
    while len(received) < size:
        received += receive(acceptor) or b""
        is_empty = outgoing.send()
    assert is_empty
    assert outgoing.unsent_bytes == 0
    assert received == b"".join(parts)


def test_the_end_is_told_after_what_came_before_it(pair: Pair, good: Contexts) -> None:
    dialer, acceptor = linked(pair, good)
    outgoing = outgoing_of(dialer)
    outgoing.put(b"farewell")
    outgoing.send()
    still_open = pair[0].dup()  # the connection itself does not end with the TLS over it
    dialer.close()
    assert receive(acceptor) == b"farewell"
    assert receive(acceptor) == b""
    assert acceptor.fault == ""
    still_open.close()


def test_a_foreign_certificate_is_refused_and_both_ends_know_why(
    pair: Pair, good: Contexts, foreign: ssl.SSLContext
) -> None:
    stranger = TlsSocket(pair[0], foreign, "127.0.0.1")
    acceptor = TlsSocket(pair[1], good.peer_listener)
    while not stranger.shake_hands():  # of TLS 1.3: it has not been judged when it is done
        acceptor.shake_hands()
    with pytest.raises(ssl.SSLError) as caught:
        acceptor.shake_hands()
    why = "its certificate is refused: unable to get local issuer certificate"
    assert reason_of(caught.value) == why
    assert receive(stranger) == b""
    assert stranger.fault == "it refuses this replica's certificate or offer: unknown ca"


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n", b"\0\0\0\x2d\0\0\0\0", b"\x16\x03\x01\xff\xff"]
)
def test_what_is_no_tls_is_known_by_its_first_bytes(
    pair: Pair, good: Contexts, said: bytes
) -> None:
    acceptor = TlsSocket(pair[1], good.peer_listener)
    pair[0].send(said)
    with pytest.raises(NoTlsError, match="does not speak TLS"):
        acceptor.shake_hands()


def test_a_client_is_served_as_without_tls_and_is_who_its_certificate_says(
    pair: Pair, good: Contexts, authority: Authority
) -> None:
    served, hub = Served(), Hub()
    context = authority.context(*authority.sign("alice", person="alice"))
    theirs = TlsSocket(pair[0], context, "127.0.0.1")
    ours = TlsSocket(pair[1], good.client_listener)
    while not all([theirs.shake_hands(), ours.shake_hands()]):
        pass
    shown = (Id("x509", subject_of(ours.certificate)),)
    assert shown[0].id.startswith("CN=alice,")
    ClientSocket(hub, served.clients, ours, "10.0.0.1:999", shown)
    client, outgoing = ClientConnection(), outgoing_of(theirs)
    mine = CreateRequest("/mine", b"", (Acl(31, Id("auth", "")),), 0)
    outgoing.put(client.connect_frame(ConnectRequest(0, 0, 4000, 0, bytes(16))))
    outgoing.put(client.encode_request(1, OpCode.CREATE, mine))
    outgoing.put(client.encode_request(2, OpCode.GET_ACL, GetAclRequest("/mine")))
    outgoing.send()
    for _ in range(2):  # the session, then what was sent behind it
        hub.serve(hub.wait(0.1))
        served.commit()
    hub.flush_all()
    response, created, acl = client.receive(receive(theirs) or b"")
    assert isinstance(response, ConnectResponse)
    assert isinstance(created, Reply)
    assert isinstance(acl, Reply)
    assert (created.error, acl.error) == (0, 0)
    assert jute.decode(GetAclReply, acl.body)[0].acl == (Acl(31, shown[0]),)
    assert [each.transport.is_secure for each in served.clients.connections] == [True]
    hub.close_sockets(kept=())
    assert receive(theirs) == b""
    hub.close()


async def test_handshakes_come_to_an_end_from_both_sides(pair: Pair, good: Contexts) -> None:
    handshakes = Handshakes()
    ends: list[TlsSocket] = []

    async def dial() -> None:
        tls = TlsSocket(pair[0], good.peer_dialer, "127.0.0.1")
        ends.append(await handshakes.shake_hands(tls))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial)
            ends.append(await handshakes.accept(pair[1], good.peer_listener))
    assert all(names_host(end.certificate, "127.0.0.1") for end in ends)


async def test_who_does_not_finish_in_time_is_cut(
    pair: Pair, good: Contexts, autojump_clock: object
) -> None:
    with pytest.raises(HandshakeError, match="no handshake within 10 s"):
        await Handshakes().accept(pair[1], good.client_listener)
    assert trio.current_time() == pytest.approx(HANDSHAKE_S, abs=0.1)
    assert pair[0].recv(1) == b""


async def test_who_comes_while_too_many_are_under_way_is_turned_away(
    pair: Pair, good: Contexts
) -> None:
    with pytest.raises(HandshakeError, match="too many"):
        await Handshakes(under_way_max=0).accept(pair[1], good.client_listener)
    assert pair[0].recv(1) == b""


async def test_who_is_refused_is_told_why_though_more_of_it_was_unread(
    pair: Pair, good: Contexts, foreign: ssl.SSLContext
) -> None:
    stranger = TlsSocket(pair[0], foreign, "127.0.0.1")

    async def dial() -> None:
        await Handshakes().shake_hands(stranger)
        outgoing_of(stranger).send_all([b"hello"])
        await trio.lowlevel.wait_readable(stranger.fileno())
        assert receive(stranger) == b""
        stranger.close()

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial)
            with pytest.raises(HandshakeError, match="unable to get local issuer"):
                await Handshakes().accept(pair[1], good.peer_listener)
    assert "unknown ca" in stranger.fault


def test_a_fault_is_said_once_and_again_only_when_it_was_away_for_long() -> None:
    lines: list[str] = []
    times = (0.0, 1.0, SAID_AGAIN_S, 2 * SAID_AGAIN_S, 3 * SAID_AGAIN_S + 1)
    clock = chain(times, repeat(times[-1]))
    complaints = Complaints(lines.append, clock.__next__)
    for _ in times:
        complaints.say("it has expired")
    assert lines == ["it has expired"] * 2
    for number in range(3 * REMEMBERED_MAX):
        complaints.say(f"host {number}")
    assert len(lines) == 2 + 3 * REMEMBERED_MAX
    complaints.say(f"host {3 * REMEMBERED_MAX - 1}")
    assert len(lines) == 2 + 3 * REMEMBERED_MAX
