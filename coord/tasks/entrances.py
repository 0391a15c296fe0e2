"""Where a replica is reached, and reaches others: its listening sockets, and who comes in where.

Clients come in plain, over TLS, or both; the other replicas plain, or over TLS with certificates on
both sides. Of two replicas the one with the higher id dials.
"""

import socket
from collections.abc import Callable
from functools import partial
from typing import Final

import trio

from coord.config import Address, Config, ReplicaConfig
from coord.credentials import Credentials, names_host, subject_of
from coord.replica.clients import Clients
from coord.replica.links import Link, Links
from coord.replica.messages import PeerMessageError
from coord.replica.replica import Replica
from coord.tasks.client_connections import ClientSocket, Listener
from coord.tasks.handshakes import Complaints, HandshakeError, Handshakes
from coord.tasks.hub import Hub
from coord.tasks.peer_links import PeerSocket, connect, limit_silence
from coord.tasks.tls import Stream, TlsSocket
from coord.wire.records import Id

BACKLOG: Final = 1024
"""Connections that may wait to be accepted: a whole fleet that reconnects at once."""
DIAL_AGAIN_S: Final = 0.1
"""Pause between attempts to reach a replica: a restarted one is found before it is missed."""
DIAL_TIMEOUT_S: Final = 2.0
"""An attempt that hangs is given up, the next one may find the replica restarted."""
SILENCE_MIN_MS: Final = 10_000
"""A link is kept through so long a silence, as that of a process that is stopped or waits for its
disk: what is under way on it would begin anew. Twice as long as followers wait, where that is
longer."""
HELLO_S: Final = 10.0
"""Who has opened a link and not said who it is by then is cut, as a client that does not greet."""
REFUSED_PAUSE_S: Final = 1.0
"""Pause after an attempt that a certificate has ended: that is not mended in a moment."""
SUBJECT_LENGTH_MAX: Final = 1024
"""A longer subject of a certificate is no identity: it would travel with each write."""


class ListenError(Exception):
    """An address cannot be listened on; one sentence that says why."""


def listen(address: Address) -> socket.socket:
    """Return a listening socket; raises ListenError when the port is in use."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(f"cannot listen on {address}: {error.strerror}") from None
    listener.settimeout(0)
    return listener


class Entrances:
    """All entrances of one replica."""

    def __init__(
        self,
        config: Config,
        hub: Hub,
        clients: Clients,
        links: Links,
        warn: Callable[[str], None],
        silence_min_ms: int = SILENCE_MIN_MS,
    ) -> None:
        """Raises CredentialError."""
        self.replica: Replica
        self._silence_ms = max(silence_min_ms, 2 * config.election_ms)
        self._config = config
        self._hub = hub
        self._clients = clients
        self._links = links
        self._warn = warn
        self._complaints = Complaints(warn)
        self._credentials = None if config.tls is None else Credentials(config.tls, warn)
        # Apart: clients that begin many and finish none keep no replica from the others.
        self._client_handshakes, self._peer_handshakes = Handshakes(), Handshakes()
        self._nursery: trio.Nursery

    def open(self) -> None:
        """Listen; raises ListenError. Nobody is admitted before `begin`."""
        config = self._config
        entrances: list[tuple[Address, Callable[[socket.socket, str], None]]] = []
        if config.listen is not None:
            entrances.append((config.listen, self._admit_client))
        if config.tls_client_address is not None:
            entrances.append((config.tls_client_address, self._admit_tls_client))
        if len(config.replicas) > 1:
            is_tls = config.has_tls_peers
            entrances.append(
                (config.own.peer, self._admit_tls_peer if is_tls else self._admit_peer)
            )
        sockets = [(listen(address), admit) for address, admit in entrances]
        for sock, admit in sockets:
            Listener(self._hub, sock, admit)

    def begin(self, nursery: trio.Nursery) -> None:
        """Dial, and admit who comes, with tasks of this nursery."""
        self._nursery = nursery
        for other in self._config.replicas:
            if other.id < self._config.id:
                nursery.start_soon(self._keep_link, other)

    # ------------------------------------------------------------------------------- clients

    def _admit_client(self, sock: Stream, address: str) -> None:
        ClientSocket(self._hub, self._clients, sock, address)

    def _admit_tls_client(self, sock: socket.socket, address: str) -> None:
        self._nursery.start_soon(self._shake_hands_with_client, sock, address)

    async def _shake_hands_with_client(self, sock: socket.socket, address: str) -> None:
        assert self._credentials is not None
        context = self._credentials.contexts.client_listener
        try:
            tls = await self._client_handshakes.accept(sock, context)
        except HandshakeError as error:
            self._complaints.say(f"refused a client at {_host(address)}: {error}")
            return
        subject = subject_of(tls.certificate)
        is_identity = 0 < len(subject) <= SUBJECT_LENGTH_MAX
        shown = (Id("x509", subject),) if is_identity else ()
        ClientSocket(self._hub, self._clients, tls, address, shown)

    # ---------------------------------------------------------------------------------- peers

    def _admit_peer(self, sock: Stream, address: str) -> None:
        transport = self._peer_socket(sock, address)
        link = self._links.accepted(transport)
        transport.start(link)
        self._nursery.start_soon(self._expect_hello, link, transport)

    async def _expect_hello(self, link: Link, transport: PeerSocket) -> None:
        with trio.move_on_after(HELLO_S):
            await transport.closed.wait()
        if not link.ready:
            transport.close()

    def _admit_tls_peer(self, sock: socket.socket, address: str) -> None:
        self._nursery.start_soon(self._shake_hands_with_peer, sock, address)

    async def _shake_hands_with_peer(self, sock: socket.socket, address: str) -> None:
        assert self._credentials is not None
        context = self._credentials.contexts.peer_listener
        try:
            tls = await self._peer_handshakes.accept(sock, context)
        except HandshakeError as error:
            self._complaints.say(f"refused a link from {_host(address)}: {error}")
        else:
            self._admit_peer(tls, address)

    async def _keep_link(self, other: ReplicaConfig) -> None:
        """Keep the link to a replica: dial, wait until it is lost, dial again."""
        while True:
            fault = await self._link_once(other)
            if fault:
                self._complaints.say(f"no link to replica {other.id} at {other.peer}: {fault}")
            await trio.sleep(REFUSED_PAUSE_S if fault else DIAL_AGAIN_S)

    async def _link_once(self, other: ReplicaConfig) -> str:
        """Dial, and wait until the link is lost; why TLS did not let it be, or ""."""
        try:
            stream = await self._dial(other)
        except HandshakeError as error:
            return str(error)
        if stream is None:
            return ""
        transport = self._peer_socket(stream, str(other.peer))
        transport.start(self._links.dialed(transport, other.id))
        self._hub.flush_all()
        await transport.closed.wait()
        return stream.fault if isinstance(stream, TlsSocket) else ""

    async def _dial(self, other: ReplicaConfig) -> Stream | None:
        """Connect; None when nobody answers there. Raises HandshakeError."""
        sock = None
        with trio.move_on_after(DIAL_TIMEOUT_S):
            sock = await connect(other.peer.host, other.peer.port)
        if sock is None or not self._config.has_tls_peers:
            return sock
        assert self._credentials is not None
        context = self._credentials.contexts.peer_dialer
        tls = TlsSocket(sock, context, other.peer.host)
        return await self._peer_handshakes.shake_hands(tls, DIAL_TIMEOUT_S)

    def _peer_socket(self, stream: Stream, address: str) -> PeerSocket:
        made = PeerSocket(self._hub, stream, address, self._received, self.replica.unlinked)
        limit_silence(stream, self._silence_ms)
        if isinstance(stream, TlsSocket):
            made.vouches_for = partial(self._names_replica, stream)
        return made

    def _names_replica(self, tls: TlsSocket, peer: int) -> bool:
        hosts = [other.peer.host for other in self._config.replicas if other.id == peer]
        return any(names_host(tls.certificate, host) for host in hosts)

    def _received(self, link: Link, frame: bytes) -> None:
        try:
            self.replica.received(link, frame)
        except PeerMessageError as error:
            self._warn(f"replica {link.peer} at {link.transport.address}: {error}")
            link.transport.close()


def _host(address: str) -> str:
    """The host alone: each connection comes from another port."""
    return address.rpartition(":")[0]
