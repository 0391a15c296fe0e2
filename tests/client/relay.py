"""The verbs of the fake ensemble over three real servers: a relay that stands before them.

`pytest tests/client --servers zookeeper` (or coord) runs the tests of the library with it. What
clients send goes on to the servers, and what these answer comes back; on its way happens what a
test has asked for. The clock moves only while nothing is under way (see `tests.client.quiet`), so:
* How long a session may be silent is counted here, on the test's clock; the servers are then told
  to end it, and do what they do for one that has expired.
* The reply to a write is handed over when all servers have carried it out, and told who watches.

Whatever no server can be told to do raises OnlyTheFakeError, and the test is skipped.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, NoReturn

import attrs
import trio
import trio.testing

import client
from client.link import ORDERED
from coord import jute
from coord.wire.errors import Unimplemented
from coord.wire.frames import FRAME_BYTES_MAX, FrameBuffer, FrameError, encode_frame, encode_reply
from coord.wire.numbers import OpCode, Xid
from coord.wire.records import ConnectRequest, ConnectResponse
from tests.client.hand import TIMEOUT_MS, Tree, only_the_fake
from tests.client.quiet import Pace
from tests.ensemble.probe import RefusedError, Session
from tests.ensemble.servers import Ensemble

TIMEOUTS_MS = (2_000, 40_000)
"""What clients may ask for."""
REPLY_BYTES_MAX = (1 << 31) - 1
"""How long they may be is for the client to judge."""
HANG_UP = (trio.BrokenResourceError, trio.ClosedResourceError, FrameError)


class Forbidden(set[Any]):
    """A set that stays empty, for what no server can be told to do."""

    def add(self, *_: Any) -> None:
        only_the_fake("servers that are cut off, or alone")

    update = add


@attrs.define(eq=False)
class RelayedSession:
    id: int
    password: bytes
    timeout_ms: int
    touched_at: float


@attrs.define
class Mishap:
    """What happens to the next request of a kind: before, request, reply, or an error's code."""

    opcode: OpCode
    kind: str
    then: Callable[[], None] | None = None


@attrs.define(eq=False)
class Asked:
    """A request on its way."""

    xid: int
    opcode: OpCode
    answer: bytes | None = None
    """What the relay answers, as the servers were not asked."""
    hangs_up: bool = False
    """Whether the connection breaks when it has been answered."""
    mishap: Mishap | None = None
    """What becomes of the reply."""


@attrs.define(eq=False)
class Connection:
    """One client, between its end and the server's."""

    relay: "Relay"
    stream: trio.StapledStream
    upstream: trio.SocketStream
    port: int
    session: RelayedSession | None = None
    asked: list[Asked] = attrs.field(factory=list)
    """In the order in which they came."""
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _turn: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    def __getattr__(self, name: str) -> NoReturn:
        only_the_fake(f"connections with {name}")

    def hang_up(self) -> None:
        """Break the connection, at once."""
        self.stream.send_stream.close()
        self.stream.receive_stream.close()
        self._scope.cancel()

    async def serve(self) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_end, self._up)
                nursery.start_soon(self._until_end, self._down)

    async def _until_end(self, work: Callable[[], Awaitable[None]]) -> None:
        with suppress(HANG_UP):
            await work()
        self.hang_up()

    async def _up(self) -> None:
        frames, is_greeted = FrameBuffer(FRAME_BYTES_MAX), False
        while data := await self.stream.receive_some():
            for frame in frames.feed(bytes(data)):
                if not is_greeted:
                    is_greeted = True
                    self.asked.append(Asked(0, OpCode.CREATE_SESSION))
                    frame = self._greeting(frame)
                elif not await self._request(frame):
                    continue
                await self.upstream.send_all(encode_frame(frame))

    def _greeting(self, frame: bytes) -> bytes:
        self.relay.requests[OpCode.CREATE_SESSION] += 1
        hello, _ = jute.decode(ConnectRequest, frame)
        self.relay.zxids.append(hello.last_zxid_seen)
        low, high = TIMEOUTS_MS
        asked_ms = max(low, min(high, hello.timeout_ms))
        session = self.relay.sessions.get(hello.session_id)
        self.session = session or RelayedSession(0, b"", asked_ms, trio.current_time())
        hello = attrs.evolve(hello, timeout_ms=TIMEOUT_MS)
        if self.relay.greet_with_new_session:
            hello = attrs.evolve(hello, session_id=0, password=bytes(16))
            self.session = RelayedSession(0, b"", asked_ms, trio.current_time())
        return jute.encode(hello)

    async def _request(self, frame: bytes) -> bool:
        """A request has come; return whether it goes on to the server."""
        xid, opcode = (int.from_bytes(frame[at : at + 4], signed=True) for at in (0, 4))
        asked = Asked(xid, OpCode(opcode))
        relay = self.relay
        relay.requests[asked.opcode] += 1
        if asked.opcode in relay.mute:
            return False
        assert self.session is not None
        self.session.touched_at = trio.current_time()
        relay.tree.level(is_needed=False)
        mishap = relay.mishap(asked.opcode)
        if mishap is not None and mishap.kind == "reply":
            asked.mishap = mishap
        elif mishap is not None and mishap.then is not None:
            mishap.then()
            relay.tree.level(is_needed=False)
        if mishap is not None and mishap.kind == "request":
            self.hang_up()
            return False
        if asked.opcode in relay.unknown:
            asked.answer, asked.hangs_up = encode_reply(xid, 0, Unimplemented.code), True
        elif mishap is not None and mishap.kind.startswith("-"):
            asked.answer = encode_reply(xid, 0, int(mishap.kind))
        self.asked.append(asked)
        await self._answer()
        return asked.answer is None

    async def _send(self, data: bytes) -> None:
        async with self._turn:
            await self.stream.send_all(data)

    async def _down(self) -> None:
        frames = FrameBuffer(REPLY_BYTES_MAX)
        while data := await self.upstream.receive_some():
            for frame in frames.feed(bytes(data)):
                await self._reply(frame)
                self.relay.has_come()

    async def _reply(self, frame: bytes) -> None:
        if self.asked and self.asked[0].opcode == OpCode.CREATE_SESSION:
            del self.asked[0]
            await self._send(encode_frame(self._greeted(frame)))
            return
        xid = int.from_bytes(frame[:4], signed=True)
        if xid == Xid.NOTIFICATION:
            await self._send(encode_frame(frame))
            return
        asked = next(each for each in self.asked if each.xid == xid)
        if asked.opcode in ORDERED or asked.opcode == OpCode.CLOSE_SESSION:
            self.relay.level()
        self.asked.remove(asked)
        if asked.opcode == OpCode.CLOSE_SESSION and self.session is not None:
            self.relay.sessions.pop(self.session.id, None)
        if asked.mishap is not None:
            if asked.mishap.then is not None:
                asked.mishap.then()
            self.hang_up()
            return
        await self._send(encode_frame(frame))
        await self._answer()

    def _greeted(self, frame: bytes) -> bytes:
        response, _ = jute.decode(ConnectResponse, frame)
        session = self.session
        assert session is not None
        if response.timeout_ms <= 0:
            return frame
        if response.session_id not in self.relay.sessions:
            session.id, session.password = response.session_id, response.password
            self.relay.begin(session)
        session.touched_at = trio.current_time()
        self.relay.only_connection_of(session, self)
        return jute.encode(attrs.evolve(response, timeout_ms=session.timeout_ms))

    async def _answer(self) -> None:
        """Give the relay's own answers, each when it is its turn."""
        while self.asked and self.asked[0].answer is not None:
            asked = self.asked.pop(0)
            await self._send(asked.answer)
            if asked.hangs_up:
                self.hang_up()


class Relay:
    """As `tests.client.fake.FakeEnsemble`, of which the verbs are."""

    def __init__(self, ensemble: Ensemble, nursery: trio.Nursery) -> None:
        self.ensemble = ensemble
        self.tree = Tree(ensemble)
        self.sessions: dict[int, RelayedSession] = {}
        self.connections: list[Connection] = []
        self.down: set[int] = set()
        self.mute: set[OpCode] = set()
        self.unknown: set[OpCode] = set()
        self.dialled: list[int] = []
        self.requests: Counter[OpCode] = Counter()
        self.zxids: list[int] = []
        self.greet_with_new_session = False
        self.arrived = 0
        self.dialling = 0
        self.came = trio.Event()
        self._mishaps: list[Mishap] = []
        self._nursery = nursery

    @property
    def alone(self) -> set[int]:
        return Forbidden()

    @alone.setter
    def alone(self, ports: set[int]) -> None:
        Forbidden().update(ports) if ports else None

    @property
    def cut_off(self) -> set[int]:
        return Forbidden()

    def connect(
        self, hosts: str | client.ClientConfig = "one:1,two:2,three:3", **options: Any
    ) -> AbstractAsyncContextManager[client.Client]:
        settings = {"open_stream": self.open_stream, "clock": trio.current_time, **options}
        return client.connect(hosts, **settings)

    @property
    def has_ended(self) -> bool:
        return self._nursery.cancel_scope.cancel_called

    # What a test may tell it to do.

    def drop_reply(self, opcode: OpCode, then: Callable[[], None] | None = None) -> None:
        self._mishaps.append(Mishap(opcode, "reply", then))

    def drop_request(self, opcode: OpCode, then: Callable[[], None] | None = None) -> None:
        self._mishaps.append(Mishap(opcode, "request", then))

    def defer_request(self, opcode: OpCode) -> None:
        only_the_fake("writes that come after their session was resumed")

    def before(self, opcode: OpCode, then: Callable[[], None]) -> None:
        self._mishaps.append(Mishap(opcode, "before", then))

    def refuse_next(self, opcode: OpCode, error: int) -> None:
        self._mishaps.append(Mishap(opcode, str(error)))

    def forget_mishaps(self) -> None:
        self._mishaps.clear()

    def start_soon(self, work: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(work)

    def cut(self) -> None:
        for connection in self.connections:
            connection.hang_up()

    def expire(self, session_id: int, *, quietly: bool = False) -> None:
        if quietly:
            only_the_fake("sessions that end without a word")
        session = self.sessions.pop(session_id)
        self._end(session)
        for connection in self.connections:
            if connection.session is session:
                connection.hang_up()

    def _end(self, session: RelayedSession) -> None:
        with suppress(RefusedError):
            self.tree.end_session(Session(session.id, session.password, TIMEOUT_MS))

    async def open_stream(self, host: str, port: int) -> trio.abc.Stream:
        self.dialled.append(port)
        await trio.lowlevel.checkpoint()
        if self.has_ended or self.down & {port, -1}:
            raise OSError(f"{host}:{port} cannot be reached")
        ids = self.ensemble.ids
        address = self.ensemble.address(ids[(port - 1) % len(ids)])
        self.dialling += 1
        try:
            upstream = await trio.open_tcp_stream(*address)
        finally:
            self.dialling -= 1
            self.has_come()
        if self.has_ended:
            await trio.aclose_forcefully(upstream)
            raise OSError("the test has failed meanwhile")
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self._serve, Connection(self, theirs, upstream, port))
        return ours

    async def _serve(self, connection: Connection) -> None:
        self.connections.append(connection)
        try:
            await connection.serve()
        finally:
            self.connections.remove(connection)
            await trio.aclose_forcefully(connection.stream)
            await trio.aclose_forcefully(connection.upstream)
            self.has_come()

    # What connections tell.

    def mishap(self, opcode: OpCode) -> Mishap | None:
        found = next((each for each in self._mishaps if each.opcode == opcode), None)
        if found is not None:
            self._mishaps.remove(found)
        return found

    def begin(self, session: RelayedSession) -> None:
        self.sessions[session.id] = session
        self._nursery.start_soon(self._expire_when_silent, session)

    def only_connection_of(self, session: RelayedSession, connection: Connection) -> None:
        """A session has moved here."""
        for other in self.connections:
            if other.session is session and other is not connection:
                other.hang_up()

    async def _expire_when_silent(self, session: RelayedSession) -> None:
        while self.sessions.get(session.id) is session:
            left = session.touched_at + session.timeout_ms / 1000 - trio.current_time()
            if left <= 0:
                self.expire(session.id)
                return
            await trio.sleep(left)

    # What the clock waits for.

    @property
    def is_awaited(self) -> bool:
        asked = (asked for each in self.connections for asked in each.asked)
        return self.dialling > 0 or any(each.answer is None for each in asked)

    def has_come(self) -> None:
        self.arrived += 1
        self.came.set()
        self.came = trio.Event()

    def level(self) -> None:
        self.tree.level()

    def spur(self) -> None:
        self.tree.spur()

    def close(self) -> None:
        """End all sessions."""
        for session in self.sessions.values():
            self._end(session)
        self.tree.close()


@asynccontextmanager
async def relayed(ensemble: Ensemble, clock: trio.testing.MockClock) -> AsyncIterator[Relay]:
    async with trio.open_nursery() as nursery:
        relay = Relay(ensemble, nursery)
        pace = Pace(clock, relay)
        pace.begin()
        try:
            yield relay
        finally:
            nursery.cancel_scope.cancel()
            pace.leave()
            relay.close()
