"""One connection: a reader, a writer and a pinger, and the requests that wait for replies.

Replies and events are handled by the reader in the order of the wire. It never waits for the
tasks it wakes, so nothing that a user does can stop pings or hold up other tasks.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn

import trio

from client.deadline import Clock
from client.errors import ReplyLost
from client.pending import NotSent, Pending, PendingRequest
from client.session import Session
from coord.jute import DecodeError
from coord.wire.connection import ClientConnection, Notification, Reply
from coord.wire.errors import (
    BadVersion,
    NoChildrenForEphemerals,
    NodeExists,
    NoNode,
    NotEmpty,
    SessionExpired,
    SessionMoved,
)
from coord.wire.frames import FrameError
from coord.wire.numbers import OpCode, Xid
from coord.wire.records import ConnectRequest, ConnectResponse
from coord.wire.requests import AuthRequest, PingRequest, SyncRequest

OUTBOX_BYTES_MAX = 4 * 1024 * 1024
"""Bytes not yet handed to the connection: a few of the largest requests, many small ones."""

REPLY_BYTES_MAX = 65 * 1024 * 1024
"""Requests are limited to a megabyte, lists of names are not: coord answers with 64, ZooKeeper with
whatever it has. A longer reply breaks the connection."""

RECEIVE_BYTES = 64 * 1024

XID_MAX = 0x7FFFFFFF
"""After this one, xids begin at 1 again."""

ORDERED = frozenset(
    {
        OpCode.CREATE,
        OpCode.CREATE2,
        OpCode.CREATE_CONTAINER,
        OpCode.CREATE_TTL,
        OpCode.DELETE,
        OpCode.SET_DATA,
        OpCode.SET_ACL,
        OpCode.MULTI,
        OpCode.RECONFIG,
        OpCode.SYNC,
    }
)
"""What only the leader can have answered, and so proves that the session lived there."""

_PROVING = ORDERED | {OpCode.PING}

_REFUSALS = (SessionExpired.code, SessionMoved.code)

DECIDED = frozenset(
    {
        0,
        NoNode.code,
        BadVersion.code,
        NoChildrenForEphemerals.code,
        NodeExists.code,
        NotEmpty.code,
    }
)
"""Errors of such requests that no server gives by itself."""

FAILURES = (
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    DecodeError,
    FrameError,
)
"""What may go wrong with a connection without anybody being at fault."""


class LinkLost(Exception):  # noqa: N818  (named after what happened)
    """The connection is of no more use."""


class Link:
    """One connection to one server."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        zxid: int,
        in_flight: int,
        clock: Clock,
        on_event: Callable[[Notification], None],
        on_room: Callable[[], None],
    ) -> None:
        self.zxid = zxid
        """The last zxid seen."""
        self.session: Session | None = None
        """The session that is attached to it, once the greeting has told."""
        self.lost: str | None = None
        """Why it ended; None while it lives."""
        self._stream = stream
        self._in_flight = in_flight
        self._clock = clock
        self._on_event = on_event
        self._on_room = on_room
        self._wire = ClientConnection(REPLY_BYTES_MAX)
        self._xid = 0
        self._floor = zxid
        """The zxid of the last reply but those to pings, which may overtake others."""
        self._pending: deque[Pending] = deque()
        self._pings: deque[Pending] = deque()
        self._auths: deque[Pending] = deque()
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._unsent = 0
        self._wake_writer = trio.Event()
        self._early: list[Any] = []
        self._is_amid_reply = False
        """Whether a long reply is coming in: nothing else can be heard before its end."""
        self._scope = trio.CancelScope()
        self.heard_at = trio.current_time()
        """When the server was last heard, by Trio's clock."""

    async def greet(self, request: ConnectRequest) -> ConnectResponse:
        """Make the greeting; return the server's."""
        await self._stream.send_all(self._wire.connect_frame(request))
        while True:
            data = await self._stream.receive_some(RECEIVE_BYTES)
            if not data:
                raise LinkLost("the server closed the connection instead of greeting")
            items = self._wire.receive(bytes(data))
            if items:
                response, *self._early = items
                assert isinstance(response, ConnectResponse)
                return response

    async def aclose(self) -> None:
        """Close the connection without a word."""
        await trio.aclose_forcefully(self._stream)

    async def run(self) -> None:
        """Serve until the connection is lost, which `lost` then tells of."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._until_lost, self._read)
                    nursery.start_soon(self._until_lost, self._write)
                    nursery.start_soon(self._until_lost, self._ping)
        finally:
            self.drop("the client gave it up")
            await self.aclose()

    def drop(self, reason: str) -> None:
        """End it: nothing is sent any more, and who waits for a reply is told."""
        if self.lost is None:
            self.lost = reason
        self._scope.cancel()
        sent = len(self._pending) - self._unsent
        for number, pending in enumerate(self._pending):
            pending.settle(self._loss_of(pending) if number < sent else NotSent())
        for pending in (*self._pings, *self._auths):
            pending.settle(self._loss_of(pending))
        self._pending.clear()
        self._pings.clear()
        self._auths.clear()

    def _loss_of(self, pending: Pending) -> ReplyLost:
        if self.session is not None:
            self.session.doubts.update(pending.ephemerals)
        # Requests are carried out in their order: this one not before what was answered last.
        return ReplyLost(max(pending.zxid, self._floor), self.session)

    @property
    def room(self) -> int:
        """How many more requests may be posted now."""
        if self.lost is not None or self._outbox_bytes >= OUTBOX_BYTES_MAX:
            return 0
        return self._in_flight - len(self._pending)

    @property
    def is_busy(self) -> bool:
        """Whether it has requests that are not answered."""
        return bool(self._pending)

    @property
    def is_exported(self) -> bool:
        """Whether its session goes on elsewhere."""
        return self.session is not None and self.session.is_exported

    def unanswered(self) -> Iterator[PendingRequest]:
        """Yield the requests that wait for their replies; pings are nobody's request."""
        now = self._clock()
        for pending in (*self._auths, *self._pending):
            yield pending.seen(now - pending.sent_at, self.session, is_sent=True)

    def post(self, pending: Pending) -> None:
        """Send a request, in the order of the calls; not on a connection that is lost.

        Raise EncodeError for a request that cannot be sent; then nothing has happened.
        """
        xid = self._xid % XID_MAX + 1
        frame = self._wire.encode_request(xid, pending.opcode, pending.request)
        self._xid = xid
        pending.sent_at = self._clock()
        pending.zxid = self.zxid
        self._pending.append(pending)
        self._unsent += 1
        self._send(frame)

    def post_ping(self) -> Pending:
        """Send a ping."""
        return self._post_aside(self._pings, Xid.PING, Pending(OpCode.PING, PingRequest()))

    def post_auth(self, scheme: str, credential: bytes) -> Pending:
        """Send a credential."""
        request = AuthRequest(0, scheme, credential)
        return self._post_aside(self._auths, Xid.AUTH, Pending(OpCode.AUTH, request))

    def _post_aside(self, queue: deque[Pending], xid: Xid, pending: Pending) -> Pending:
        """Send what has a place of its own, and no number."""
        pending.sent_at = self._clock()
        pending.zxid = self.zxid
        queue.append(pending)
        self._send(self._wire.encode_request(xid, pending.opcode, pending.request))
        return pending

    def _send(self, frame: bytes) -> None:
        self._outbox.append(frame)
        self._outbox_bytes += len(frame)
        self._wake_writer.set()

    async def _until_lost(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (LinkLost, *FAILURES) as error:
            self.drop(str(error) or type(error).__name__)

    async def _write(self) -> None:
        while True:
            await self._wake_writer.wait()
            self._wake_writer = trio.Event()
            data = b"".join(self._outbox)
            self._outbox.clear()
            self._outbox_bytes = self._unsent = 0
            await self._stream.send_all(data)
            self._on_room()

    async def _read(self) -> None:
        for item in self._early:
            self._take(item)
        while True:
            data = await self._stream.receive_some(RECEIVE_BYTES)
            if not data:
                raise LinkLost("the server closed the connection")
            self.heard_at = trio.current_time()
            items = self._wire.receive(bytes(data))
            self._is_amid_reply = not items
            for item in items:
                self._take(item)
            self._on_room()

    def _take(self, item: Reply | Notification | ConnectResponse) -> None:
        if type(item) is not Reply:
            assert isinstance(item, Notification)
            self._on_event(item)
            return
        xid, error = item.xid, item.error
        queue = self._pending
        if xid < 0:
            queue = self._pings if xid == Xid.PING else self._auths
        if not queue or (queue is self._pending and xid != self._oldest_xid()):
            raise LinkLost(f"a reply to xid {xid}, which is not its turn")
        pending = queue.popleft()
        if error in _REFUSALS:
            self._refused(item, pending)
        if item.zxid > 0:
            self.zxid = item.zxid
            if xid >= 0:
                self._floor = item.zxid
        if pending.opcode in _PROVING:
            self._prove(pending, error)
        if not error and self.session is not None and self.session.doubts:
            self.session.doubt_beside(pending.ephemerals)
        pending.settle(item)

    def _oldest_xid(self) -> int:
        """Return the xid of the request whose reply is next."""
        return (self._xid - len(self._pending)) % XID_MAX + 1

    def _prove(self, pending: Pending, error: int) -> None:
        if self.session is None:
            return
        if pending.opcode == OpCode.PING:
            if not error:
                self.session.proofs.add(pending.sent_at, ordered=False)
        elif error in DECIDED:
            self.session.proofs.add(pending.sent_at, ordered=True)

    def _refused(self, reply: Reply, pending: Pending) -> NoReturn:
        """Give up: the session has ended or has moved, and the request was not carried out.

        What is pinned to the session will not be sent again; all else belongs to no session.
        """
        pending.settle(NotSent())
        if reply.error == SessionExpired.code:
            if self.session is not None and pending.opcode != OpCode.CLOSE_SESSION:
                self.session.end("the server says that the session has expired")
            raise LinkLost("the session has expired")
        raise LinkLost("the session has moved to another connection")

    async def _ping(self) -> None:
        """Ask for proofs of life often enough, and give up on a server that gives none.

        A third of the timeout without proof asks for one, another third without an answer leaves
        the last for finding a better server. Where only sync proves, both are halved. Requests
        that were sent do not count, for their replies may prove nothing.
        """
        assert self.session is not None
        asked: Pending | None = None
        while True:
            timeout = self.session.timeout
            almost = timeout / 100
            await trio.sleep(timeout / 6)
            if self.lost is not None:
                return
            silent_for = trio.current_time() - self.heard_at
            if silent_for > timeout * 2 / 3 - almost or self._is_overdue(timeout / 3 - almost):
                raise LinkLost("the server has fallen silent")
            if any(hold.prove == "sync" for hold in self.session.holds):
                if asked is not None and not asked.is_settled:
                    if self._is_amid_reply:
                        continue
                    raise LinkLost("the server has no word from its leader")
                if self._clock() - self.session.proofs.ordered >= timeout / 6 - almost:
                    asked = Pending(OpCode.SYNC, SyncRequest("/"))
                    self.post(asked)
            elif not self._pings and (
                self._clock() - self.session.proofs.heard >= timeout / 3 - almost
            ):
                self.post_ping()

    def _is_overdue(self, patience: float) -> bool:
        """Whether a ping has waited for longer than this, with nothing before its reply."""
        if not self._pings or self._is_amid_reply:
            return False
        return self._clock() - self._pings[0].sent_at > patience
