"""A small ensemble in memory that does what a test tells it to: a fake, with few of the checks.

`FakeEnsemble.open_stream` takes the place of `trio.open_tcp_stream`. What its clients do is carried
out by `tests.client.tree`; here are the connections, the sessions and the mishaps.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import attrs
import trio
import trio.testing

from client.link import ORDERED
from coord import jute
from coord.wire.connection import ServerConnection
from coord.wire.errors import (
    AuthFailed,
    NotReadOnly,
    SessionExpired,
    Unimplemented,
    ZooKeeperError,
)
from coord.wire.frames import FrameError, encode_notification, encode_reply
from coord.wire.numbers import OpCode, Xid
from coord.wire.opcodes import EXCHANGES
from coord.wire.records import ConnectRequest, ConnectResponse
from tests.client.tree import Answer, Tree, Watching


@attrs.define(eq=False)
class FakeSession:
    id: int
    password: bytes
    timeout_ms: int
    touched_at: float
    connection: "Connection | None" = None


@attrs.define(eq=False)
class Connection(Watching):
    """One client at the server's end."""

    stream: trio.StapledStream = attrs.field(kw_only=True)
    port: int = attrs.field(kw_only=True)
    cut_off: set[int] = attrs.field(kw_only=True)
    session: FakeSession | None = None
    identities: list[tuple[str, str]] = attrs.field(factory=lambda: [("ip", "127.0.0.1")])
    outbox: list[bytes] = attrs.field(factory=list)
    wake: trio.Event = attrs.field(factory=trio.Event)
    is_ending: bool = False
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def send(self, frame: bytes) -> None:
        self.outbox.append(frame)
        self.wake.set()

    def tell(self, event: int, path: str, zxid: int) -> None:
        if self.port not in self.cut_off:
            self.send(encode_notification(event, path.encode(), zxid))

    async def write(self) -> None:
        """Send what there is, until everything is sent and no more will come."""
        while self.outbox or not self.is_ending:
            await self.wake.wait()
            self.wake = trio.Event()
            data, self.outbox = b"".join(self.outbox), []
            await self.stream.send_all(data)


class FakeEnsemble:
    """One state, reachable under any address that is not in `down`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.tree = Tree()
        self.sessions: dict[int, FakeSession] = {}
        self.connections: list[Connection] = []
        self.down: set[int] = set()
        """Ports that cannot be reached; -1 for all of them."""
        self.mute: set[OpCode] = set()
        """What is neither carried out nor answered."""
        self.unknown: set[OpCode] = set()
        """What these servers do not know: as old servers do, they say so and hang up."""
        self.cut_off: set[int] = set()
        """Ports of servers cut off from their leader, as a ZooKeeper server behaves then: pings
        and reads are answered, but nobody hears of the sessions; writes and sync wait for ever."""
        self.alone: set[int] = set()
        """Ports of servers that have lost the ensemble and know it: they admit only clients who
        accept read-only, to sessions of their own, and refuse whatever is not a read."""
        self.requests: Counter[OpCode] = Counter()
        """How often each was asked for, greetings as CREATE_SESSION."""
        self.zxids: list[int] = []
        """The last zxids that clients had seen when they greeted."""
        self.dialled: list[int] = []
        """The ports of all attempts."""
        self.greet_with_new_session = False
        """Answer a resume with a new session, as no server should."""
        self._mishaps: list[tuple[OpCode, str, Callable[[], None] | None]] = []
        self._deferred: list[Callable[[], None]] = []
        self._nursery = nursery
        self._next_session = 1

    # What a test may tell it to do.

    def drop_reply(self, opcode: OpCode, then: Callable[[], None] | None = None) -> None:
        """Carry out the next such request, call `then`, and break the connection."""
        self._mishaps.append((opcode, "reply", then))

    def drop_request(self, opcode: OpCode, then: Callable[[], None] | None = None) -> None:
        """Break the connection instead of carrying out the next such request."""
        self._mishaps.append((opcode, "request", then))

    def defer_request(self, opcode: OpCode) -> None:
        """Break the connection at the next such request; carry it out before the next sync.

        So it goes with a request that its server has passed on to a slow leader.
        """
        self._mishaps.append((opcode, "defer", None))

    def before(self, opcode: OpCode, then: Callable[[], None]) -> None:
        """Call `then` before the next such request is carried out."""
        self._mishaps.append((opcode, "before", then))

    def refuse_next(self, opcode: OpCode, error: int) -> None:
        """Answer the next such request with an error."""
        self._mishaps.append((opcode, str(error), None))

    def forget_mishaps(self) -> None:
        """Take back what was asked for and has not come."""
        self._mishaps.clear()

    def start_soon(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run something beside the servers."""
        self._nursery.start_soon(work)

    def cut(self) -> None:
        """Break all connections."""
        for connection in self.connections:
            connection.scope.cancel()

    def expire(self, session_id: int, *, quietly: bool = False) -> None:
        """End a session; quietly: its connection goes on and hears nothing of it."""
        session = self.sessions.pop(session_id)
        self.tree.end(session_id)
        if session.connection is not None and not quietly:
            session.connection.scope.cancel()

    async def open_stream(self, host: str, port: int) -> trio.StapledStream:
        self.dialled.append(port)
        await trio.lowlevel.checkpoint()
        if self.down & {port, -1}:
            raise OSError(f"{host}:{port} cannot be reached")
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self._serve, theirs, port)
        return ours

    # Connections.

    async def _serve(self, stream: trio.StapledStream, port: int) -> None:
        connection = Connection(stream=stream, port=port, cut_off=self.cut_off)
        self.connections.append(connection)
        try:
            with connection.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(connection.write)
                    await self._read(connection)
                    connection.is_ending = True
                    connection.wake.set()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, FrameError):
            pass
        finally:
            self.connections.remove(connection)
            self.tree.leave(connection)
            if connection.session is not None and connection.session.connection is connection:
                connection.session.connection = None
            await trio.aclose_forcefully(stream)

    async def _read(self, connection: Connection) -> None:
        wire = ServerConnection()
        while data := await connection.stream.receive_some():
            items = list(wire.receive(bytes(data)))
            while items:
                item = items.pop(0)
                if isinstance(item, ConnectRequest):
                    if not self._greet(connection, wire, item):
                        return
                    items += wire.receive(b"")
                elif isinstance(item, bytes) and not await self._handle(connection, item):
                    return

    def _greet(self, connection: Connection, wire: ServerConnection, hello: ConnectRequest) -> bool:
        if connection.port in self.cut_off:
            return False
        self.zxids.append(hello.last_zxid_seen)
        if connection.port in self.alone:
            return self._greet_read_only(connection, wire, hello)
        self.requests[OpCode.CREATE_SESSION] += 1
        session = self.sessions.get(hello.session_id)
        is_good = session is not None and session.password == hello.password
        if hello.session_id and not is_good and not self.greet_with_new_session:
            connection.send(wire.refuse())
            return False
        if session is None or self.greet_with_new_session:
            number = self._next_session
            self._next_session += 1
            timeout = max(2000, min(40000, hello.timeout_ms))
            session = FakeSession(number, number.to_bytes(16), timeout, trio.current_time())
            self.sessions[number] = session
            self.tree.zxid += 1
            self._nursery.start_soon(self._expire_when_silent, session)
        if session.connection is not None:
            session.connection.scope.cancel()
        session.connection, connection.session = connection, session
        session.touched_at = trio.current_time()
        self.tree.watching.append(connection)
        response = ConnectResponse(0, session.timeout_ms, session.id, session.password)
        connection.send(wire.accept(response))
        return True

    def _greet_read_only(
        self, connection: Connection, wire: ServerConnection, hello: ConnectRequest
    ) -> bool:
        if not hello.read_only or hello.session_id:
            return False
        number = -self._next_session
        self._next_session += 1
        connection.session = FakeSession(
            number, number.to_bytes(16, signed=True), hello.timeout_ms, trio.current_time()
        )
        self.sessions[number] = connection.session
        self.tree.watching.append(connection)
        password = connection.session.password
        connection.send(
            wire.accept(ConnectResponse(0, hello.timeout_ms, number, password, read_only=True))
        )
        return True

    async def _handle(self, connection: Connection, frame: bytes) -> bool:
        """Carry out a request; False: break the connection."""
        xid, opcode = (int.from_bytes(frame[i : i + 4], signed=True) for i in (0, 4))
        opcode = OpCode(opcode)
        self.requests[opcode] += 1
        session = connection.session
        assert session is not None
        is_cut_off = connection.port in self.cut_off
        if opcode in self.mute or (is_cut_off and opcode in ORDERED):
            return True
        if not is_cut_off:
            session.touched_at = trio.current_time()
        mishap, then = self._mishap(opcode)
        if then is not None and mishap != "reply":
            then()
        if mishap == "request":
            return False
        if mishap == "defer":
            self._deferred.append(lambda: self._carry_out(connection, opcode, frame[8:]))
            return False
        if session.id not in self.sessions and opcode != OpCode.PING and not is_cut_off:
            answer = Answer(error=SessionExpired.code)
        elif mishap.startswith("-"):
            answer = Answer(error=int(mishap))
        else:
            answer = self._answer(connection, opcode, frame[8:])
        if mishap == "reply":
            if then is not None:
                then()
            return False
        zxid = self.tree.zxid if xid != Xid.AUTH else 0
        connection.send(encode_reply(xid, zxid, answer.error, answer.body))
        ends = (SessionExpired.code, AuthFailed.code)
        is_end = answer.error in ends or opcode in self.unknown
        return not is_end and opcode != OpCode.CLOSE_SESSION

    def _come_late(self) -> None:
        """Carry out what was deferred: all of it, for a sync goes behind it."""
        deferred, self._deferred = self._deferred, []
        for carry_out in deferred:
            carry_out()

    def _carry_out(self, connection: Connection, opcode: OpCode, body: bytes) -> None:
        if connection.session is not None and connection.session.id in self.sessions:
            self._answer(connection, opcode, body)

    def _answer(self, connection: Connection, opcode: OpCode, body: bytes) -> Answer:
        session = connection.session
        assert session is not None
        if opcode in self.unknown:
            return Answer(error=Unimplemented.code)
        if opcode == OpCode.CLOSE_SESSION:
            self.sessions.pop(session.id)
            self.tree.end(session.id)
            return Answer()
        if session.id < 0 and opcode in ORDERED:
            return Answer(error=NotReadOnly.code)
        request = jute.decode(EXCHANGES[opcode][0], body)[0]
        if opcode == OpCode.AUTH:
            if request.scheme != "digest":
                return Answer(error=AuthFailed.code)
            user, _, _password = request.auth.decode().partition(":")
            connection.identities.append(("digest", user))
            return Answer()
        try:
            return self.tree.answer(connection, session.id, opcode, request)
        except ZooKeeperError as error:
            return Answer(error=error.code)

    def _mishap(self, opcode: OpCode) -> tuple[str, Callable[[], None] | None]:
        if opcode == OpCode.SYNC:
            self._come_late()
        for number, (wanted, what, then) in enumerate(self._mishaps):
            if wanted == opcode:
                del self._mishaps[number]
                return what, then
        return "", None

    async def _expire_when_silent(self, session: FakeSession) -> None:
        while session.id in self.sessions:
            left = session.touched_at + session.timeout_ms / 1000 - trio.current_time()
            if left <= 0:
                ours = session.connection
                self.expire(session.id, quietly=ours is not None and ours.port in self.cut_off)
                return
            await trio.sleep(left)


Fake = TypeVar("Fake", bound=FakeEnsemble)


@asynccontextmanager
async def fake_ensemble(cls: type[Fake]) -> AsyncIterator[Fake]:
    async with trio.open_nursery() as nursery:
        yield cls(nursery)
        nursery.cancel_scope.cancel()
