"""A lease: something held for so many seconds at a time, by the servers' clock.

A lock ends with its session. A lease does not: whoever holds it may lose its session, be restarted
by another network, or sleep, and has it still for as long as was agreed.

Znodes below the lease's own, which holds the name of the present term, or nothing:
    term-MARKER   a term: its mtime is when it was renewed last; its data is for how many seconds
                  that is good, then a line break, then what the holder says of itself
    clock         written to learn what time it is

Rules:
1. A term is over when it was renewed longer ago than it is good for, by the servers' clock: its
   mtime is compared with that of a write just made. No client's clock comes into it.
2. A term begins in one multi, which deletes the one before in the version that was found to be
   over: a renewal that came in between wins.
3. The holder counts from before it sent the renewal that was answered last. So its body is
   cancelled while the term stands: all that its own clock must do is to run at the right speed.
4. A term's znode bears a name that no other has. So a guard on it holds for this term only.

Limits: the servers' clocks may differ by SKEW_SECONDS, for a new leader brings its own; more than
that must be prevented elsewhere. A holder that dies keeps others out until its term is over, and
leaves one small znode until the next term. A renewal is a write, three to a term.
"""

import math
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from client.calls import Calls
from client.deadline import DRIFT, MARGIN
from client.errors import ClientClosed, LockLost, ReplyLost
from client.recipes import multi
from client.recipes.leftovers import Janitor, Leftover
from client.recipes.multi import Refused
from client.recipes.news import News
from client.transactions import Guard
from client.znodes import Stat, Znode
from coord.wire.errors import BadVersion, NoNode, ZooKeeperError
from coord.wire.numbers import OpCode, WatcherType
from coord.wire.requests import SetDataReply, SetDataRequest

SKEW_SECONDS = 1.0
"""By how much the servers' clocks may differ: others wait for so much longer."""

LOOK_SECONDS = 1.0
"""How often the holder looks at its clock, which may have run on in a sleep."""


@attrs.define(eq=False)
class Term(Leftover):
    """A term that may stand, and shall not when its block has ended. No session owns it."""

    is_owned = False

    token: int = attrs.field(default=0, init=False)
    """zxid of its beginning."""
    sent_at: float = attrs.field(default=0.0, init=False)
    """When the renewal that was answered last was sent, by the client's clock."""

    @property
    def name(self) -> str:
        """The name of its znode."""
        return f"term-{self.marker}"

    async def take_away(self, calls: Calls) -> None:
        """Give the lease back; NoNode when the term does not stand."""
        await calls.sync()
        assert self.path is not None
        while True:
            root = await calls.get(self.parent)
            if root.data != self.name.encode():
                raise NoNode(self.path)
            clear = multi.set_data(self.parent, b"", root.stat.version)
            try:
                await multi.commit(calls, clear, multi.delete(self.path))
            except Refused as refused:
                if not isinstance(refused.error, BadVersion):
                    raise refused.error from None
            else:
                return


class Lease:
    """A lease, while its block runs.

    async with zk.lease("/leases/report", 60) as lease:
        print(lease.token, lease.seconds_left())
        lease.check()
        await work(lease.token)
    print(lease.lost)
    """

    def __init__(self, calls: Calls, path: str, term: Term, seconds: float, record: bytes) -> None:
        self.path = path
        """The lease, as it was asked for."""
        self.token = term.token
        """The fencing token: greater than that of every holder before."""
        self.seconds = seconds
        """For how long each renewal is good."""
        self.scope = trio.CancelScope()
        """That of the body."""
        self._calls = calls
        self._term = term
        self._record = record
        self._reason: str | None = None
        self._renewing = trio.CancelScope()
        self._stopped = trio.Event()

    def guard(self) -> Guard:
        """Return what lets a transaction fail, with NoNode, unless this term stands.

        async with zk.lease("/leases/report", 60) as lease, zk.transaction() as both:
            both.add(lease.guard())
            both.set_data("/state", b"...")
        """
        assert self._term.path is not None
        return Guard(self._term.path)

    def check(self) -> None:
        """Raise LockLost unless the term stands for certain: for use before each side effect."""
        if self.seconds_left() <= 0:
            raise LockLost(self.path, self.token, self._reason or "its last renewal is too old")

    def seconds_left(self) -> float:
        """Return for how long the term stands without another renewal; 0 when it is lost."""
        if self._reason is not None:
            return 0.0
        deadline = self._term.sent_at + self.seconds * (1 - DRIFT - MARGIN)
        return max(0.0, deadline - self._calls.keeper.settings.clock())

    @property
    def lost(self) -> str | None:
        """Why it was lost; None while it is held."""
        return self._reason

    def lose(self, reason: str) -> None:
        """End it: the body is cancelled. For the client's own use."""
        if self._reason is None:
            self._reason = reason
            self.scope.cancel()

    async def renew(self) -> None:
        """Renew it until `stop`. For the client's own use."""
        try:
            with self._renewing:
                while self._reason is None:
                    await self._renew_when_due()
        except NoNode:
            self.lose("its term has gone")
        except (ClientClosed, ZooKeeperError) as error:
            self.lose(f"it cannot be renewed: {error!r}")
        finally:
            self._stopped.set()

    async def stop(self) -> None:
        """Let nothing be written any more. Cannot be cancelled, and takes no time."""
        self._renewing.cancel()
        with trio.CancelScope(shield=True):
            await self._stopped.wait()

    async def _renew_when_due(self) -> None:
        clock = self._calls.keeper.settings.clock
        left = self.seconds_left()
        if left <= 0:
            self.lose("its renewals were not answered in time")
            return
        due_in = self._term.sent_at + self.seconds / 3 - clock()
        if due_in > 0:
            await trio.sleep(min(due_in, left, LOOK_SECONDS))
            return
        sent_at = clock()
        assert self._term.path is not None
        with trio.move_on_after(min(left, LOOK_SECONDS)):
            try:
                request = SetDataRequest(self._term.path, self._record, -1)
                await self._calls.write(OpCode.SET_DATA, request)
            except ReplyLost:
                return
            self._term.sent_at = sent_at


@attrs.frozen
class Leasing:
    """What takes one lease."""

    calls: Calls
    """The requests of the client."""
    janitor: Janitor
    """Gives it back."""
    parent: str
    """The lease."""
    seconds: float = attrs.field()
    """For how long a renewal shall be good."""
    data: bytes
    """What we say of ourselves."""

    @seconds.validator
    def _check_seconds(self, _attribute: object, seconds: float) -> None:
        if not (0 < seconds < math.inf):
            raise ValueError(f"a lease is good for some seconds, not for {seconds}")

    @property
    def record(self) -> bytes:
        """What the znode of our term holds."""
        return f"{self.seconds!r}\n".encode() + self.data

    async def acquire(self, *, wait: bool) -> Term:
        """Begin a term, once there is none. Cancelled at any point, it leaves nothing behind."""
        session = await self.calls.keeper.attached()
        marker = uuid.uuid4().hex
        term = Term(session, self.parent, marker, f"{self.parent}/term-{marker}")
        try:
            with News(self.calls.hub) as news:
                while not await self._begin(term, news, wait=wait):
                    pass
        except BaseException:
            await self.janitor.remove(term)
            raise
        return term

    async def _begin(self, term: Term, news: News, *, wait: bool) -> bool:
        """Begin the term, or wait until it is worth another look."""
        news.expect(self.parent, WatcherType.DATA)
        try:
            root = await self.calls.get(self.parent, watch=True)
        except NoNode:
            await self.calls.ensure(self.parent)
            return False
        if root.data == term.name.encode():
            term.token = root.stat.mzxid  # begun, though the reply was lost
            return True
        before = f"{self.parent}/{root.data.decode()}" if root.data else None
        if before is not None:
            try:
                standing = await self.calls.get(before)
            except NoNode:
                before = None
            else:
                left = await self._seconds_left(standing)
                if left > 0:
                    if not wait:
                        raise trio.WouldBlock
                    with trio.move_on_after(left):
                        await news.wait()
                    return False
                return await self._replace(term, root, before, standing.stat.version)
        return await self._replace(term, root, None, 0)

    async def _replace(self, term: Term, root: Znode, before: str | None, version: int) -> bool:
        assert term.path is not None
        end = [] if before is None else [multi.delete(before, version)]
        begin = multi.set_data(self.parent, term.name.encode(), root.stat.version)
        term.sent_at = self.calls.keeper.settings.clock()
        try:
            begun, *_ = await multi.commit(
                self.calls, begin, *end, multi.create(term.path, self.record)
            )
        except ReplyLost:
            await self.calls.sync()
            return False
        except Refused as refused:
            if not isinstance(refused.error, BadVersion | NoNode):
                raise refused.error from None
            return False
        assert isinstance(begun.reply, SetDataReply)
        term.token = begun.reply.stat.mzxid
        return True

    async def _seconds_left(self, standing: Znode) -> float:
        """Return for how long a term stands without another renewal, by the servers' clock."""
        try:
            good_for = float(standing.data.partition(b"\n")[0])
        except ValueError:
            good_for = self.seconds  # written by another hand: it gets what we would get
        age = (await self._now_ms() - standing.stat.mtime_ms) / 1000
        return good_for + SKEW_SECONDS - age

    async def _now_ms(self) -> int:
        clock = f"{self.parent}/clock"
        while True:
            try:
                reply = await self.calls.write(OpCode.SET_DATA, SetDataRequest(clock, b"", -1))
            except NoNode:
                await self.calls.ensure(clock)
            except ReplyLost:
                continue
            else:
                return Stat.of(reply.stat).mtime_ms


@asynccontextmanager
async def leased(
    leasing: Leasing, path: str, nursery: trio.Nursery, *, wait: bool = True
) -> AsyncIterator[Lease]:
    """Take a lease, hold it while the body runs, and give it back."""
    term = await leasing.acquire(wait=wait)
    lease = Lease(leasing.calls, path, term, leasing.seconds, leasing.record)
    error: Exception | None = None
    nursery.start_soon(lease.renew)
    try:
        try:
            with lease.scope:
                yield lease
        except Exception as raised:  # noqa: BLE001  (it is raised again when all is known)
            error = raised
        if lease.seconds_left() <= 0:
            lease.lose("its last renewal is too old")
    finally:
        await lease.stop()
        await leasing.janitor.remove(term)
    if lease.lost is not None:
        lost = LockLost(path, lease.token, lease.lost)
        if error is not None:
            lost.add_note(f"meanwhile the body raised {error!r}")
        raise lost from error
    if error is not None:
        raise error
