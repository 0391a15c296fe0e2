"""A semaphore: as many hold a permit at once as its limit says.

Those who want a permit go through a door, a fair lock, one by one. Who is in the door waits until
there are fewer permits than the limit allows, creates its own and leaves the door. So one client at
a time watches the permits, whatever the number of those that wait; a permit that becomes free is
taken at once; and a limit that was lowered holds as soon as enough permits have come back.

A permit is created in one transaction with a check of the znode that stands in the door: whoever
has lost its place there, with its session or by somebody's hand, creates none.
"""

import attrs
import trio

from client.calls import Calls
from client.deadline import Prove
from client.errors import LockLost, ReplyLost
from client.hub import Waiter
from client.pinned import PinnedCalls
from client.recipes.layouts import SemaphoreLayout
from client.recipes.leftovers import Janitor, Leftover
from client.recipes.queue import Displaced, Place, Queue, found_again, own, prove
from client.session import Session
from client.transactions import Guard
from coord.wire.errors import BadVersion, NodeExists, NoNode, SessionExpired
from coord.wire.numbers import CreateFlag, OpCode, WatcherType
from coord.wire.requests import SetDataRequest


@attrs.frozen
class Semaphore:
    """The permits of one semaphore, and the door before them."""

    door: Queue
    """The lock of those who want a permit."""
    permits: str
    """The parent of the permits."""
    layout: SemaphoreLayout
    """The names of the permits."""
    limit_path: str | None
    """The znode with the limit; None where every client is told it."""
    limit: int | None
    """The limit to write where there is none yet; None: somebody else has written it."""
    data: bytes
    """What our permits hold: who we are."""

    @property
    def calls(self) -> Calls:
        """The requests of the client."""
        return self.door.calls

    @property
    def janitor(self) -> Janitor:
        """Takes znodes away."""
        return self.door.janitor

    @property
    def prove(self) -> Prove:
        """Which replies prove that our session lives."""
        return self.door.prove

    async def acquire(self, *, wait: bool = True) -> Place:
        """Go through the door and take a permit. Without `wait`, raise WouldBlock if none is free.

        Cancelled at any point, it leaves nothing behind.
        """
        if not wait:
            await self._look()
        while True:
            entry = await self.door.acquire(wait=wait)
            try:
                return await self._enter(entry, wait=wait)
            except (SessionExpired, Displaced):
                continue
            finally:
                await self.door.release(entry)

    async def _enter(self, entry: Place, *, wait: bool) -> Place:
        """Wait in the door until there is room, and take a permit."""
        session = entry.session
        hub = self.calls.hub
        waiters = [hub.wait_for(self.permits, WatcherType.CHILDREN)]
        if self.limit_path is not None:
            waiters.append(hub.wait_for(self.limit_path, WatcherType.DATA))
        try:
            while not await self._has_room(session, waiters):
                if not wait:
                    raise trio.WouldBlock
                await _wait_for_any(waiters)
        finally:
            for waiter in waiters:
                hub.leave(waiter)
        marker = self.door.layout.marker()
        place = Place(session, Leftover(session, self.permits, marker))
        try:
            await self._take(place, entry)
            await prove(self.calls, session, self.prove)
        except BaseException:
            await self.janitor.remove(place.leftover)
            raise
        return place

    async def _look(self) -> None:
        """Raise WouldBlock when no permit is free, or somebody waits for one already."""
        session = await self.calls.keeper.attached()
        if await self.door.contenders(session) or not await self._has_room(session, []):
            raise trio.WouldBlock

    async def _has_room(self, session: Session, waiters: list[Waiter]) -> bool:
        for waiter in waiters:
            waiter.lower_flag()
        watch = bool(waiters)
        limit = await self._limit(session, watch=watch)
        return await self._count(session, watch=watch) < limit

    async def _count(self, session: Session, *, watch: bool) -> int:
        while True:
            try:
                names, _ = await self.calls.children(self.permits, watch=watch, session=session)
            except NoNode:
                await self.calls.ensure(self.permits, container=self._has_containers)
            else:
                return len(names)

    async def _limit(self, session: Session, *, watch: bool) -> int:
        """Return the limit, after it was written where there was none."""
        path = self.limit_path
        if path is None:
            assert self.limit is not None
            return self.limit
        while True:
            try:
                znode = await self.calls.get(path, watch=watch, session=session)
            except NoNode:
                await self.calls.ensure(path)
                continue
            if znode.data.strip().isdigit():
                return int(znode.data)
            if self.limit is None:
                raise ValueError(f"{path} has no limit yet: its data is {znode.data!r}")
            if znode.data:
                return self.limit  # somebody keeps something else there: as kazoo, leave it
            try:
                request = SetDataRequest(path, b"%d" % self.limit, znode.stat.version)
                await self.calls.write(OpCode.SET_DATA, request, session)
            except (BadVersion, ReplyLost):
                continue  # what stands there now will be read

    async def _take(self, place: Place, entry: Place) -> None:
        keeper, hub = self.calls.keeper, self.calls.hub
        guard, session = Guard(entry.path), entry.session
        pinned = PinnedCalls(keeper, hub, session=session, guard=guard, lost=self._left_door)
        marker, owner = place.leftover.marker, place.session.id
        name = self.layout.name(marker, owner)
        flag = CreateFlag.EPHEMERAL_SEQUENTIAL if self.layout.sequential else CreateFlag.EPHEMERAL
        while True:
            try:
                path, stat = await pinned.create(f"{self.permits}/{name}", self.data, flag)
            except NoNode:
                await self.calls.ensure(self.permits, container=self._has_containers)
                continue
            except (ReplyLost, NodeExists):
                found = await found_again(self.calls, place)
                if found is None:
                    continue
                path, stat = found
            except LockLost as lost:
                raise Displaced from lost
            own(place, path, stat)
            return

    def _left_door(self, reason: str) -> LockLost:
        return LockLost(self.door.parent, 0, reason)

    @property
    def _has_containers(self) -> bool:
        return self.permits != self.limit_path


async def _wait_for_any(waiters: list[Waiter]) -> None:
    """Wait until a flag is up."""
    async with trio.open_nursery() as nursery:

        async def wait_for(waiter: Waiter) -> None:
            await waiter.wait()
            nursery.cancel_scope.cancel()

        for waiter in waiters:
            nursery.start_soon(wait_for, waiter)
