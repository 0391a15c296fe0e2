"""Keeping a session: dial, greet, resume; and beginning a new one when it has ended.

While `read_only` is permitted and no server gives a session, one that has lost its ensemble may
answer reads, on a session of its own that proves nothing. The search for a better server goes on
meanwhile; when one is found, everything moves there at once.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import attrs
import trio

from client.config import Auth, ClientConfig
from client.deadline import Clock, Prove
from client.errors import ClientClosed, ReplyLost
from client.exchange import Exchange
from client.greeting import attach, attach_read_only
from client.hub import Hub
from client.instruments import Instruments, State
from client.link import FAILURES, Link, LinkLost
from client.pending import Pending
from client.servers import Servers, Unreachable
from client.session import ExportedSession, Hold, Session
from client.tls import OpenStream
from client.vigil import Vigil
from coord.wire.connection import Notification, Reply
from coord.wire.errors import AuthFailed, error_for
from coord.wire.numbers import EventType, OpCode
from coord.wire.requests import CloseSessionRequest, RemoveWatchesRequest, SyncRequest

ATTEMPT_SECONDS_MIN = 0.5
"""An attempt gets at least this long: a server that must ask its leader needs a moment."""

LASTING_SECONDS = 1.0
"""A connection that lasted as long was a good one; also how often watches are tidied up."""

LOGGED = 10
"""How many of the requests that the end leaves without an outcome are named in the log."""

_log = logging.getLogger(__name__)


@attrs.frozen
class Settings:
    """What a keeper is told at its start."""

    config: ClientConfig
    """The settings of the client."""
    open_stream: OpenStream
    """How to reach a server."""
    clock: Clock
    """Tells when sessions end."""
    instruments: Instruments
    """Are told of what happens."""
    session: ExportedSession | None
    """What to go on with, if it still lives; None: with a new session."""
    identities: list[Auth] = attrs.field(init=False)
    """Shown on every connection; grows with `add_auth`."""

    @identities.default
    def _identities(self) -> list[Auth]:
        return list(self.config.auth)


class Keeper(Exchange):
    """Owns the connection and the session, one of each at a time."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        super().__init__(settings.instruments, settings.config.hosts)
        self.settings = settings
        self.hub = hub
        given = settings.session
        self.session: Session | None = None if given is None else given.resumable()
        """The session, or the one before while a new one is being made; None before the first."""
        self._config = settings.config
        self._clock = settings.clock
        self._vigil = Vigil(settings.clock)
        self._servers = Servers(settings.config.hosts.addresses, settings.open_stream)
        self._zxid = 0 if given is None else given.zxid
        self._told = State.AWAY

    @property
    def zxid(self) -> int:
        """The last zxid seen."""
        return self._zxid if self._link is None else max(self._zxid, self._link.zxid)

    @property
    def state(self) -> State:
        """How the client stands to the servers."""
        if self._refusal is not None:
            return State.CLOSED
        link, session = self._link, self.session
        if link is not None and link.lost is None:
            return State.CONNECTED if link.session is session else State.READ_ONLY
        return State.EXPIRED if session is not None and session.ended is not None else State.AWAY

    async def prove(self, session: Session, prove: Prove) -> None:
        """Make sure that the session lives, as of now."""
        asked_at = self._clock()
        while session.proofs.latest(prove) < asked_at:
            with suppress(ReplyLost):
                if prove == "sync":
                    await self.call(OpCode.SYNC, SyncRequest("/"), session)
                else:
                    await self.aside(Link.post_ping, session)

    def hold(self, hold: Hold, session: Session) -> None:
        """Watch over something that ends with a session."""
        self._vigil.hold(hold, session)

    def export(self, session: Session) -> ExportedSession:
        """Let a session outlive this client; return what resumes it."""
        session.is_exported = True
        return ExportedSession(session.id, session.password, session.timeout, self.zxid)

    async def add_auth(self, scheme: str, credential: bytes) -> None:
        """Send a credential, and keep it for later connections."""
        reply = None
        while reply is None:
            with suppress(ReplyLost):
                reply = await self.aside(lambda link: link.post_auth(scheme, credential), None)
        if reply.error:
            raise error_for(reply.error)
        self.settings.identities.append(Auth(scheme, credential))

    # The life of the client.

    async def attached(self) -> Session:
        """Return the present session once there is a connection with it."""
        self.check_use()
        while True:
            link = await self.room()
            if link.session is not None and link.session is self.session:
                return link.session
            await self._lot.park()

    async def close(self, finish: Callable[[], Awaitable[None]]) -> None:
        """Take no more requests, finish those that wait, and end the session, all within a limit.

        Where the limit is not enough, the requests fail, and the session expires at the servers.
        finish: waits for the requests that there must be before the others are refused.

        A fork leaves it all to the process that connected.
        """
        if self.is_forked:
            return
        with trio.move_on_after(self._config.close_timeout, shield=True) as limit:
            await finish()
        self._refusal = ClientClosed("the client is closed")
        with trio.CancelScope(deadline=limit.deadline, shield=True):
            while self._waiting or (self._link is not None and self._link.is_busy):
                self._idle = trio.Event()
                await self._idle.wait()
            self._fail(self._refusal)
            link = self._link
            if link is not None and link.lost is None and not link.is_exported:
                goodbye = Pending(OpCode.CLOSE_SESSION, CloseSessionRequest())
                link.post(goodbye)
                await goodbye.settled()
        if left := self.pending():
            first = ", ".join(str(each) for each in left[:LOGGED])
            _log.debug("closed with %d without an outcome, first: %s", len(left), first)
        self._fail(self._refusal)
        self._tell_state()

    def _on_event(self, notification: Notification) -> None:
        event = notification.event
        if self.instruments and event.event_type > 0:
            self.instruments.watch(EventType(event.event_type), event.path or "")
        self.hub.notify(notification)

    def _tell_state(self) -> None:
        state = self.state
        if state is not self._told:
            self._told = state
            self.instruments.state(state)

    # Connections.

    async def run(self) -> None:
        """Keep a session until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._vigil.run)
            while self._failure is None:
                link = await self._attach(nursery)
                began = trio.current_time()
                await self._serve(link)
                if trio.current_time() - began >= LASTING_SECONDS:
                    self._servers.worked()
                    self._servers.turn()
                elif self._servers.failed(f"connection lost: {link.lost}"):
                    await self._servers.pause()
            nursery.cancel_scope.cancel()

    async def _serve(self, link: Link) -> None:
        """Keep a connection while it lasts."""
        try:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(self._tidy, link)
                await link.run()
                tasks.cancel_scope.cancel()
        finally:
            self._detach(link)

    async def _attach(self, nursery: trio.Nursery) -> Link:
        """Return a connection with a session attached, once there is a server that gives one."""
        while True:
            link = None
            try:
                with trio.fail_after(self._patience):
                    stream = await self._servers.reach()
                link = self._new_link(stream)
                with trio.fail_after(self._patience):
                    link.session = await attach(link, self.session, self._config, self._clock)
            except (LinkLost, *FAILURES) as error:
                why, all_failed = str(error) or type(error).__name__, isinstance(error, Unreachable)
                if self._servers.failed(why, all_failed=all_failed):
                    if self._config.read_only and self._link is None:
                        await self._read_only(nursery)
                    await self._servers.pause()
            finally:
                if link is not None and link.session is None:
                    await link.aclose()
            if link is not None and link.session is not None:
                self._replace(link, link.session)
                return link
            if self.session is not None and self.session.ended is not None:
                self._tell_state()
                self._wake()  # what is pinned to it need not wait

    @property
    def _patience(self) -> float:
        """How long an attempt may take, in seconds."""
        return max(ATTEMPT_SECONDS_MIN, self._config.session_timeout / 2 / len(self._servers))

    async def _read_only(self, nursery: trio.Nursery) -> None:
        """Find a server that has lost its ensemble and answers reads; serve there meanwhile."""
        for address in self._servers:
            link = None
            try:
                with trio.fail_after(self._patience):
                    link = self._new_link(await self.settings.open_stream(*address))
                    link.session = await attach_read_only(link, self._config, self._clock)
            except (LinkLost, *FAILURES):
                continue
            finally:
                if link is not None and link.session is None:
                    await link.aclose()
            self._install(link)
            nursery.start_soon(self._serve, link)
            return

    def _new_link(self, stream: trio.abc.Stream) -> Link:
        window = self._config.in_flight
        return Link(stream, self.zxid, window, self._clock, self._on_event, self._on_room)

    def _replace(self, link: Link, session: Session) -> None:
        """Move to a connection with a session, from one without, if there is one."""
        _log.info("session %#x attached", session.id)
        self.session = session
        session.detached = trio.Event()
        if self._link is not None:
            self._link.drop("there is a server with its ensemble")
            self.hub.interrupt(self._link.heard_at)
        self._install(link)

    def _install(self, link: Link) -> None:
        """Let requests go over this connection."""
        for identity in self.settings.identities:
            link.post_auth(identity.scheme, identity.credential).then = self._check_credential
        self._link = link
        self._tell_state()
        self._wake()

    def _check_credential(self, reply: Reply) -> None:
        """When a credential that was good is refused now, no connection can do what was asked."""
        if reply.error:
            self._fail(AuthFailed("the server refuses a credential of this client"))

    def _detach(self, link: Link) -> None:
        _log.info("connection lost: %s", link.lost)
        self._zxid = max(self._zxid, link.zxid)
        if link.session is not None:
            link.session.detached.set()
        if link is self._link:
            self._link = None
            self.hub.interrupt(link.heard_at)
            self._tell_state()
            self._wake()

    async def _tidy(self, link: Link) -> None:
        """Take back watches that nobody waits for any longer."""
        while True:
            await trio.sleep(LASTING_SECONDS)
            if link.lost is not None:
                return
            for path, kind in self.hub.sweep():
                link.post(Pending(OpCode.REMOVE_WATCHES, RemoveWatchesRequest(path, kind)))
