"""Keeping a session: dial, greet, resume, and hand requests to whatever connection there is."""

import logging
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import trio

from client.config import Auth, ClientConfig
from client.deadline import Clock, Proofs, Prove
from client.errors import ClientClosed, ReplyLost
from client.hub import Hub
from client.instruments import Instruments
from client.link import FAILURES, Link, LinkLost, NotSent, Pending
from client.session import Hold, Session
from client.tls import OpenStream
from coord import jute
from coord.wire.connection import Reply
from coord.wire.errors import AuthFailed, SessionExpired, error_for
from coord.wire.numbers import OpCode
from coord.wire.opcodes import EXCHANGES
from coord.wire.records import ConnectRequest, ConnectResponse
from coord.wire.requests import CloseSessionRequest, RemoveWatchesRequest, SyncRequest

ATTEMPT_SECONDS_MIN = 0.5
"""An attempt gets at least this long: a server that must ask its leader needs a moment."""

PAUSE_SECONDS = (0.05, 1.0)
"""After a round in which no server would have us: the first pause, and the longest."""

CLOSE_SECONDS = 1.0
"""How long an orderly end may take; the server expires the session if it takes longer."""

WATCH_SECONDS = 1.0
"""How often to look at the clock while something is held: it may have run on in a sleep."""

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
    identities: list[Auth] = attrs.field(init=False)
    """Shown on every connection; grows with `add_auth`."""

    @identities.default
    def _identities(self) -> list[Auth]:
        return list(self.config.auth)


class Keeper:
    """Owns the connection and the session, one of each at a time."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self.settings = settings
        self.hub = hub
        self.instruments = settings.instruments
        """Are told of what happens; recipes tell them of locks."""
        self.session: Session | None = None
        """The session, or the one before while a new one is being made."""
        self._link: Link | None = None
        self._zxid = 0
        self._failure: Exception | None = None
        self._lot = trio.lowlevel.ParkingLot()
        self._holding = trio.Event()
        addresses = list(settings.config.hosts.addresses)
        random.shuffle(addresses)  # so that the clients of an ensemble spread over it
        self._addresses = addresses
        self._failures = 0

    @property
    def zxid(self) -> int:
        """The last zxid seen."""
        return self._zxid if self._link is None else self._link.zxid

    async def run(self) -> None:
        """Keep a session until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_deadlines)
            while self._failure is None:
                link = await self._attach()
                began = trio.current_time()
                try:
                    async with trio.open_nursery() as tasks:
                        tasks.start_soon(self._tidy, link)
                        await link.run()
                        tasks.cancel_scope.cancel()
                finally:
                    self._detach(link)
                if trio.current_time() - began >= WATCH_SECONDS:
                    self._failures = 0
                    self._turn()
                else:
                    await self._failed(f"connection lost: {link.lost}")
            nursery.cancel_scope.cancel()

    async def call(
        self,
        opcode: OpCode,
        request: object,
        session: Session | None = None,
        then: Callable[[Reply], None] | None = None,
    ) -> Any:
        """Send a request once there is a connection; return the record that answers it.

        A request pinned to a session is not sent in another one. `then` is called with the reply
        before anything that follows it on the wire is looked at.
        """
        reply = await self._exchange(lambda link: link.post(opcode, request), session, then)
        if reply.error:
            raise error_for(reply.error, *([request.path] if hasattr(request, "path") else []))
        record = EXCHANGES[opcode][1]
        return None if record is None else jute.decode(record, reply.body)[0]

    def post(self, opcode: OpCode, request: object) -> None:
        """Send a request whose outcome nobody waits for, if there is a connection with room."""
        if self._link is not None and self._link.has_room:
            self._link.post(opcode, request)

    async def prove(self, session: Session, prove: Prove) -> None:
        """Make sure that the session lives, as of now."""
        asked_at = self.settings.clock()
        while session.proofs.latest(prove) < asked_at:
            with suppress(ReplyLost):
                if prove == "sync":
                    await self.call(OpCode.SYNC, SyncRequest("/"), session)
                else:
                    await self._exchange(Link.post_ping, session, None)

    async def add_auth(self, scheme: str, credential: bytes) -> None:
        """Send a credential, and keep it for later connections."""
        reply = None
        while reply is None:
            with suppress(ReplyLost):
                reply = await self._exchange(
                    lambda link: link.post_auth(scheme, credential), None, None
                )
        if reply.error:
            raise error_for(reply.error)
        self.settings.identities.append(Auth(scheme, credential))

    def hold(self, hold: Hold, session: Session) -> None:
        """Watch over something that ends with a session."""
        if session.ended is not None:
            hold.lose(session.ended)
            return
        session.holds.add(hold)
        self._holding.set()

    async def attached(self) -> Session:
        """Return the present session once there is a connection."""
        session = (await self._room(None)).session
        assert session is not None
        return session

    async def close(self) -> None:
        """End the session, if there is a connection to say so; requests fail from now on."""
        self._fail(ClientClosed("the client is closed"))
        link = self._link
        if link is not None and link.lost is None:
            with trio.move_on_after(CLOSE_SECONDS, shield=True), suppress(NotSent, ReplyLost):
                await link.post(OpCode.CLOSE_SESSION, CloseSessionRequest()).wait()

    async def _exchange(
        self,
        post: Callable[[Link], Pending],
        session: Session | None,
        then: Callable[[Reply], None] | None,
    ) -> Reply:
        await trio.lowlevel.checkpoint_if_cancelled()  # what is cancelled is not sent
        while True:
            pending = post(await self._room(session))
            pending.then = then
            with suppress(NotSent):
                return await pending.wait()

    async def _room(self, session: Session | None) -> Link:
        """Return the connection once there is one with room for another request."""
        while True:
            if self._failure is not None:
                raise self._failure
            if session is not None and session.ended is not None:
                raise SessionExpired(session.ended)
            if self._link is not None and self._link.has_room:
                return self._link
            await self._lot.park()

    def _wake(self) -> None:
        if self._lot:
            self._lot.unpark_all()

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
        self._wake()

    async def _attach(self) -> Link:
        """Return a connection with a session attached, once there is a server that gives one."""
        while True:
            host, port = self._addresses[0]
            patience = self.settings.config.session_timeout / 2 / len(self._addresses)
            try:
                with trio.fail_after(max(ATTEMPT_SECONDS_MIN, patience)):
                    link = await self._dial(host, port)
            except (LinkLost, *FAILURES) as error:
                await self._failed(f"{host}:{port}: {error}")
                continue
            if link is not None:
                return link

    async def _dial(self, host: str, port: int) -> Link | None:
        """Greet one server. None: the session has ended, ask for a new one."""
        stream = await self.settings.open_stream(host, port)
        window = self.settings.config.in_flight
        link = Link(stream, self._zxid, window, self.settings.clock, self.hub.notify, self._wake)
        attached = False
        try:
            sent_at = self.settings.clock()
            response = await link.greet(self._greeting())
            attached = self._accept(link, response, sent_at)
        finally:
            if not attached:
                await link.aclose()
        return link if attached else None

    def _greeting(self) -> ConnectRequest:
        session = self.session
        resumes = session is not None and session.ended is None
        return ConnectRequest(
            protocol_version=0,
            last_zxid_seen=self._zxid,
            timeout_ms=round(self.settings.config.session_timeout * 1000),
            session_id=session.id if session is not None and resumes else 0,
            password=session.password if session is not None and resumes else bytes(16),
            read_only=False,
        )

    def _accept(self, link: Link, response: ConnectResponse, sent_at: float) -> bool:
        session = self.session if self.session is not None and not self.session.ended else None
        gives = response.timeout_ms > 0
        if session is not None and (not gives or response.session_id != session.id):
            # Also where the server gives a new session without a word: nobody must go on in it
            # believing that it is the old one.
            session.end("the server has expired the session")
            self._wake()
            return False
        if not gives:
            raise LinkLost("the server gives no session")
        timeout = response.timeout_ms / 1000
        if session is None:
            proofs = Proofs(timeout, heard=sent_at, ordered=sent_at)
            session = Session(response.session_id, response.password or b"", proofs)
        else:
            session.proofs.timeout = timeout
            session.proofs.add(sent_at, ordered=True)
        link.session = self.session = session
        _log.info("session %#x attached", session.id)
        for identity in self.settings.identities:
            link.post_auth(identity.scheme, identity.credential).then = self._check_credential
        self._link = link
        self._wake()
        return True

    def _check_credential(self, reply: Reply) -> None:
        """When a credential that was good is refused now, no connection can do what was asked."""
        if reply.error:
            self._fail(AuthFailed("the server refuses a credential of this client"))

    def _detach(self, link: Link) -> None:
        _log.info("connection lost: %s", link.lost)
        self._zxid = link.zxid
        self._link = None
        self.hub.interrupt()
        self._wake()

    async def _failed(self, why: str) -> None:
        """Turn to the next server; after a round of failures pause, longer each time."""
        _log.debug("%s", why)
        self._turn()
        self._failures += 1
        rounds, rest = divmod(self._failures, len(self._addresses))
        if not rest:
            first, longest = PAUSE_SECONDS
            pause = min(longest, first * 2 ** min(rounds - 1, 10))
            await trio.sleep(pause * random.uniform(0.5, 1))

    def _turn(self) -> None:
        self._addresses.append(self._addresses.pop(0))

    async def _tidy(self, link: Link) -> None:
        """Take back watches that nobody waits for any longer."""
        while True:
            await trio.sleep(WATCH_SECONDS)
            if link.lost is not None:
                return
            for path, kind in self.hub.sweep():
                link.post(OpCode.REMOVE_WATCHES, RemoveWatchesRequest(path, kind))

    async def _watch_deadlines(self) -> None:
        """Cancel what cannot be proved any longer."""
        while True:
            await self._holding.wait()
            session = self.session
            if session is None or not session.holds:
                self._holding = trio.Event()
                continue
            now = self.settings.clock()
            left = {each: session.proofs.deadline(each.prove) - now for each in session.holds}
            overdue = {each for each, seconds in left.items() if seconds <= 0}
            session.lose_holds("no server proved in time that the session lives", overdue)
            await trio.sleep(max(0, min([WATCH_SECONDS, *(s for s in left.values() if s > 0)])))
