"""Who is let in and kept: those who say who they are, and are there."""

import ctypes
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import attrs
import pytest
import trio
import trio.testing

from coord.config import Config, structure
from coord.consensus.standing import Standing
from coord.credentials import contexts
from coord.replica.clients import Clients
from coord.replica.links import Link, Links
from coord.replica.messages import VERSION, Hello, decode, encode
from coord.replica.replica import Replica
from coord.tasks.entrances import HELLO_S, SILENCE_MIN_MS, Entrances
from coord.tasks.handshakes import Handshakes
from coord.tasks.hub import Hub
from coord.tasks.peer_links import LENGTH, PeerSocket
from tests.certificates import Authority
from tests.ensemble.processes import reserve_ports

HERE = Standing(0x701, 0x701, 40)
ELECTION_MS = 200
SO_ATTACH_FILTER = 26
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # return 0: nothing of a packet is accepted


@attrs.define
class Linked:
    """What the entrances ask of a replica; it notes the links that were lost."""

    links: Links
    lost: list[Link] = attrs.Factory(list)

    def received(self, link: Link, frame: bytes) -> None:
        if self.links.greeted(link, decode(frame)) is not None:
            self.links.ready[link.peer] = link

    def unlinked(self, link: Link) -> None:
        self.lost.append(link)


@attrs.frozen
class Opened:
    """The entrances of one of two replicas."""

    hub: Hub
    replica: Linked
    entrances: Entrances
    config: Config
    warnings: list[str]

    @property
    def peer(self) -> tuple[str, int]:
        """Where replica 1 is reached by the other one."""
        address = self.config.replicas[0].peer
        return address.host, address.port

    async def serve_until(self, what: Callable[[], object], seconds: float) -> None:
        with trio.fail_after(seconds):
            while not what():
                self.hub.serve(self.hub.wait(0.0))
                self.hub.flush_all()
                await trio.sleep(0.01)


@asynccontextmanager
async def opened(
    own: int, folder: Path, silence_min_ms: int = 2 * ELECTION_MS, **tls: object
) -> AsyncIterator[Opened]:
    ports = reserve_ports(4)
    replicas = [
        {"id": place, "peer": f"127.0.0.1:{peer}", "client": f"127.0.0.1:{client}"}
        for place, (peer, client) in enumerate([ports[:2], ports[2:]], 1)
    ]
    config = structure(
        {
            "id": own,
            "data_dir": str(folder),
            "replicas": replicas,
            "election_ms": ELECTION_MS,
            **tls,
        }
    )
    hub, warnings = Hub(), list[str]()
    links = Links(own, own, lambda: 77, lambda: frozenset({1, 2}), lambda: HERE, warnings.append)
    entrances = Entrances(config, hub, cast(Clients, None), links, warnings.append, silence_min_ms)
    replica = Linked(links)
    entrances.replica = cast(Replica, replica)
    entrances.open()
    try:
        async with trio.open_nursery() as nursery:
            entrances.begin(nursery)
            yield Opened(hub, replica, entrances, config, warnings)
            nursery.cancel_scope.cancel()
    finally:
        hub.close_sockets(kept=())
        hub.close()


def say_hello(sock: socket.socket, receiver: int) -> None:
    """Say what the other replica would."""
    sender = 3 - receiver
    frame = encode(Hello(VERSION, 77, sender, receiver, sender, HERE))
    sock.sendall(LENGTH.pack(len(frame)) + frame)


@asynccontextmanager
async def dialled(entrances: Opened) -> AsyncIterator[socket.socket]:
    """Be replica 1, to which this one has opened its link."""
    with socket.create_server(entrances.peer) as listener:
        listener.settimeout(30)
        other, _ = await trio.to_thread.run_sync(listener.accept)
        with other:
            say_hello(other, receiver=2)
            await entrances.serve_until(lambda: entrances.replica.links.ready, 30)
            yield other


def deafen(sock: socket.socket) -> None:
    """Let the kernel drop what comes, as if the host had lost its power."""
    program = ctypes.create_string_buffer(DROP_ALL, len(DROP_ALL))
    sock.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program))
    )


async def test_who_opens_a_link_and_does_not_say_who_it_is_is_cut(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with opened(1, tmp_path) as entrances:
        with (
            socket.create_connection(entrances.peer) as silent,
            socket.create_connection(entrances.peer) as member,
        ):
            say_hello(member, receiver=1)
            replica = entrances.replica
            await entrances.serve_until(lambda: replica.lost, HELLO_S + 1)
            with pytest.raises(trio.TooSlowError):
                await entrances.serve_until(lambda: replica.lost[1:], HELLO_S)
            assert not replica.lost[0].ready
            assert replica.links.ready[2].ready
            silent.settimeout(30)
            assert silent.recv(1) == b""


@pytest.mark.parametrize("is_idle", [False, True])
async def test_a_link_on_which_nothing_is_acknowledged_is_given_up(
    tmp_path: Path, is_idle: bool
) -> None:
    """Else it would hang for up to two minutes after the other host is back."""
    async with opened(2, tmp_path) as entrances, dialled(entrances) as other:
        deafen(other)
        if not is_idle:
            entrances.replica.links.send(1, b"a frame")
        await entrances.serve_until(lambda: entrances.replica.lost, 30)


async def test_a_link_is_kept_through_ten_seconds_of_silence(tmp_path: Path) -> None:
    """As of a process that is stopped: what is under way, as a snapshot, would begin anew."""
    async with opened(2, tmp_path, SILENCE_MIN_MS) as entrances, dialled(entrances):
        link = cast(PeerSocket, entrances.replica.links.ready[1].transport)
        limit_ms = link._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert limit_ms == 10_000


def dial(address: tuple[str, int], context: ssl.SSLContext) -> ssl.SSLSocket:
    """Open a link as another replica does."""
    return context.wrap_socket(socket.create_connection(address), server_hostname="127.0.0.1")


async def test_clients_that_finish_no_handshake_keep_no_replica_out(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.files("replica")
    tls = {
        "tls_client_address": f"127.0.0.1:{reserve_ports(1)[0]}",
        "tls_certificate": str(files.certificate),
        "tls_key": str(files.key),
        "tls_authority": str(files.authority),
    }
    async with opened(1, tmp_path, **tls) as entrances:
        entrances.entrances._client_handshakes = Handshakes(under_way_max=1)
        address = entrances.config.tls_client_address
        assert address is not None
        clients = (address.host, address.port)
        with socket.create_connection(clients), socket.create_connection(clients):
            await entrances.serve_until(lambda: entrances.warnings, 5)
            assert "too many handshakes are under way" in entrances.warnings[0]
            async with trio.open_nursery() as nursery:
                links = entrances.replica.links
                nursery.start_soon(entrances.serve_until, lambda: links.ready, 10)
                context = contexts(files).peer_dialer
                member = await trio.to_thread.run_sync(dial, entrances.peer, context)
                say_hello(member, receiver=1)
            member.close()
