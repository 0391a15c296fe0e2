"""Being a member of a group, session after session.

Znodes: `GROUP/NAME` for each member, ephemeral; its data is what the member says of itself.

Rules:
1. A member's znode is owned by the client's present session. When that has ended, or when somebody
   deleted the znode, it is made anew.
2. A znode of the same name is our own, when our present session owns it; a remainder, when a
   session owns it in which this member was before, and then it is deleted; and somebody else's
   otherwise, and then it is waited for until it goes: it may be that of an earlier process.
3. One task writes the znode. So what the member says last is what stands there last.
4. Who leaves deletes the znode of its last session, and no other.

Limits: between the end of a session and the next nobody sees the member. Two members that bear the
same name at the same time in different processes take turns, for as long as each of them lives.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from client.calls import Calls
from client.errors import ReplyLost
from client.recipes.leftovers import Janitor, Leftover
from client.session import Session
from client.transactions import Guard
from client.znodes import Stat
from coord.wire.errors import BadVersion, NodeExists, NoNode, SessionExpired
from coord.wire.numbers import CreateFlag, OpCode, WatcherType
from coord.wire.requests import SetDataRequest

SESSIONS_MAX = 16
"""Sessions that a member remembers to have been in: what older ones left has long expired."""


@attrs.define(eq=False)
class Registration(Leftover):
    """The znode of a member in one session. Its name tells nothing, so its owner does."""

    async def take_away(self, calls: Calls) -> None:
        """Delete it; NoNode when it is not there."""
        assert self.path is not None
        await calls.sync(self.session)
        stat = await calls.exists(self.path, session=self.session)
        if stat is None or stat.ephemeral_owner != self.session.id:
            raise NoNode(self.path)
        await calls.delete(self.path, session=self.session)


class Member:
    """A membership while its block runs.

    async with zk.member("/workers", b"idle", name="host-7") as me:
        print(me.name, me.path, me.token, me.is_registered)
        await me.update(b"busy")
    """

    def __init__(self, calls: Calls, path: str, full: str, data: bytes) -> None:
        self.path = path
        """The znode, as the client sees it."""
        self.token = 0
        """The fencing token: czxid of the znode, greater after each registration; 0 before."""
        self.left_by = trio.CancelScope()
        """Cancelled when the membership cannot be kept up, to end the body."""
        self.failure: Exception | None = None
        """Why it could not be kept up."""
        self.registration: Registration | None = None
        """The znode that may exist."""
        self._calls = calls
        self._full = full
        self._data = data
        self._wanted = 1
        self._written = 0
        self._sessions: deque[int] = deque(maxlen=SESSIONS_MAX)
        self._waiter = calls.hub.wait_for(full, WatcherType.DATA)
        self._lot = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()
        self._stopped = trio.Event()

    @property
    def name(self) -> str:
        """What the member is called in its group."""
        return self.path.rpartition("/")[2]

    @property
    def is_registered(self) -> bool:
        """Whether the znode was there when this client last heard, in a session that may live."""
        registration = self.registration
        return self.token > 0 and registration is not None and registration.session.ended is None

    def guard(self) -> Guard:
        """Return what lets a transaction fail, with NoNode, while the znode is not there.

        async with zk.member("/workers") as me, zk.transaction() as both:
            both.add(me.guard())
            both.set_data("/state", b"...")
        """
        return Guard(self._full)

    async def update(self, data: bytes) -> None:
        """Say something else from now on; return when it is written.

            async with zk.member("/workers", b"idle") as me:
                await me.update(b"busy")

        Waits while there is no connection. It holds for later sessions, also when it is cancelled.
        """
        self._data = data
        self._wanted += 1
        wanted = self._wanted
        self._waiter.raise_flag()
        await self._until_written(wanted)

    async def registered(self) -> None:
        """Wait until the znode is there, with what was said last.

        async with zk.member("/workers") as me:
            await me.registered()
            print(me.token)
        """
        await self._until_written(self._wanted)

    async def _until_written(self, wanted: int) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        while self._written < wanted or not self.is_registered:
            if self.failure is not None:
                raise self.failure
            await self._lot.park()

    async def run(self) -> None:
        """Keep the znode as it shall be, until `stop`. For the client's own use."""
        try:
            with self._scope:
                while True:
                    self._waiter.lower_flag()
                    if await self._establish():
                        self._lot.unpark_all()
                    await self._waiter.wait()
        except Exception as error:  # noqa: BLE001  (it comes out of the block)
            self.failure = error
            self.left_by.cancel()
            self._lot.unpark_all()
        finally:
            self._calls.hub.leave(self._waiter)
            self._stopped.set()

    async def stop(self) -> None:
        """Let nothing be written any more. Cannot be cancelled, and takes no time."""
        self._scope.cancel()
        with trio.CancelScope(shield=True):
            await self._stopped.wait()

    async def _establish(self) -> bool:
        """Bring the znode to what it shall be; False: somebody else's stands there."""
        while True:
            session = await self._calls.keeper.attached()
            try:
                stat = await self._calls.exists(self._full, watch=True, session=session)
                if stat is None:
                    await self._create(session)
                elif stat.ephemeral_owner == session.id:
                    if self._written == self._wanted:
                        self.token = stat.czxid
                        return True
                    await self._set(session)
                elif stat.ephemeral_owner in self._sessions:
                    await self._calls.delete(self._full, stat.version, session)
                else:
                    self.token = 0
                    return False
            except (NodeExists, BadVersion, SessionExpired, ReplyLost):
                continue  # another look tells what there is now
            except NoNode:
                await self._calls.ensure(self._full.rpartition("/")[0] or "/")

    async def _create(self, session: Session) -> None:
        self.token = 0
        if session.id not in self._sessions:
            self._sessions.append(session.id)
            parent, _, name = self._full.rpartition("/")
            self.registration = Registration(session, parent, name, self._full)
        wanted = self._wanted
        _, stat = await self._calls.create(
            self._full, self._data, CreateFlag.EPHEMERAL, session=session
        )
        self._taken(wanted, stat)

    async def _set(self, session: Session) -> None:
        wanted = self._wanted
        request = SetDataRequest(self._full, self._data, -1)
        reply = await self._calls.write(OpCode.SET_DATA, request, session)
        self._taken(wanted, Stat.of(reply.stat))

    def _taken(self, wanted: int, stat: Stat) -> None:
        self.token = stat.czxid
        self._written = wanted


@asynccontextmanager
async def membership(
    member: Member, nursery: trio.Nursery, janitor: Janitor, names: set[str]
) -> AsyncIterator[Member]:
    """Be a member while the body runs; `names` are those that this client bears."""
    full = member.guard().path
    if full in names:
        raise RuntimeError(f"this client is {member.path} already")
    member._calls.keeper.check_use()  # noqa: SLF001  (not as the nursery says it)
    names.add(full)
    nursery.start_soon(member.run)
    try:
        with member.left_by:
            await member.registered()
            yield member
    finally:
        await member.stop()
        names.discard(full)
        if member.registration is not None:
            await janitor.remove(member.registration)
    if member.failure is not None:
        raise member.failure
