"""A barrier that is closed while a znode is there, for everybody, until it is opened.

Znodes: `PATH` while the barrier is closed, persistent, so that it stays closed when whoever closed
it has died. kazoo's Barrier and Curator's DistributedBarrier use the same znode.

Rules:
1. `wait` returns only after a server has said that the znode is not there, and that server had all
   that was written before the call: so who was told that the barrier is closed finds it closed.
   Neither a lost connection nor a lost session lets anybody through.
2. A block that closes the barrier opens its own only: one that was opened meanwhile, and closed by
   another, stays closed.

Limits: opening wakes all who wait at once. Who is on its way through when the barrier is closed
again is through. A process that dies in its `closed` block leaves the barrier closed: nobody can
know whether what it guards is done.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from client.calls import Calls
from client.errors import ReplyLost
from client.recipes.leftovers import Janitor, Leftover
from coord.wire.errors import NodeExists, NoNode
from coord.wire.numbers import WatcherType


@attrs.define(eq=False)
class Closure(Leftover):
    """The znode of one who closed the barrier; its data tells whose it is. No session owns it."""

    is_owned = False

    async def take_away(self, calls: Calls) -> None:
        """Delete it; NoNode when it is not there."""
        assert self.path is not None
        await calls.sync()
        znode = await calls.get(self.path)
        if znode.data != self.marker.encode():
            raise NoNode(self.path)
        await calls.delete(self.path, znode.stat.version)


@attrs.frozen
class Barrier:
    """A barrier.

        async with zk.barrier("/migration").closed():
            await migrate()

    and, wherever nobody shall go on meanwhile:

        await zk.barrier("/migration").wait()

    Every method waits while there is no connection, and raises what the servers raise when they
    refuse it, as NoAuth.
    """

    path: str
    """The barrier, as it was asked for."""
    _full: str
    _calls: Calls
    _janitor: Janitor

    async def close(self) -> bool:
        """Close it; return False when it was closed already. It stays closed until `open`.

        gate = zk.barrier("/migration")
        if await gate.close():
            print("closed now:", await gate.is_closed())
        await gate.open()
        """
        return await self._close(uuid.uuid4().hex)

    async def open(self) -> bool:
        """Open it, whoever closed it; return False when it was open already.

        When a reply was lost, it may have been somebody else who did it: True then.
        """
        is_first = True
        while True:
            try:
                await self._calls.delete(self._full)
            except ReplyLost:
                is_first = False
            except NoNode:
                return not is_first
            else:
                return True

    async def is_closed(self) -> bool:
        """Return whether it is closed, as all the servers know it."""
        await self._calls.sync()
        return await self._calls.exists(self._full) is not None

    async def wait(self) -> None:
        """Wait until it is open.

        with trio.fail_after(60):
            await zk.barrier("/migration").wait()
        """
        waiter = self._calls.hub.wait_for(self._full, WatcherType.DATA)
        try:
            await self._calls.sync()  # a server that lags behind must not let anybody through
            while True:
                waiter.lower_flag()
                if await self._calls.exists(self._full, watch=True) is None:
                    return
                await waiter.wait()
        finally:
            self._calls.hub.leave(waiter)

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Keep it closed while a block runs. Raises NodeExists when it was closed already.

            async with zk.barrier("/migration").closed():
                await migrate()

        It is opened when the block ends, in whatever way, and without a connection as soon as there
        is one again.
        """
        session = await self._calls.keeper.attached()
        parent = self._full.rpartition("/")[0]
        closure = Closure(session, parent or "/", uuid.uuid4().hex, self._full)
        try:
            if not await self._close(closure.marker):
                raise NodeExists(self.path)
            yield
        finally:
            await self._janitor.remove(closure)

    async def _close(self, marker: str) -> bool:
        while True:
            try:
                await self._calls.create(self._full, marker.encode())
            except NoNode:
                await self._calls.ensure(self._full.rpartition("/")[0] or "/")
            except NodeExists:
                return False
            except ReplyLost:
                await self._calls.sync()
                try:
                    return (await self._calls.get(self._full)).data == marker.encode()
                except NoNode:
                    continue
            else:
                return True
