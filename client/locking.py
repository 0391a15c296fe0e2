"""Locks, semaphores and elections of a client: see `client.recipes` for how they work."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar

import attrs
import trio

from client.backoff import Backoff
from client.calls import Calls
from client.deadline import Prove
from client.operations import Operations
from client.recipes.description import LockDescription, describe
from client.recipes.election import Observation, Term, run_leader
from client.recipes.fence import StoredFence
from client.recipes.holds import Held, ReadHeld, hold, hold_all
from client.recipes.layouts import (
    ELECTIONS,
    LOCKS,
    SEEN,
    SEMAPHORES,
    SHARED,
    Layout,
    LayoutName,
    layout_of,
)
from client.recipes.leftovers import Janitor
from client.recipes.lines import Lines
from client.recipes.queue import Queue
from client.recipes.semaphore import Semaphore

Result = TypeVar("Result")


class Locking(Operations):
    """What can be held while a block runs, and what belongs to it.

    All of these are async context managers. Acquiring waits in a fair queue, for as long as the
    caller's cancel scope permits; cancelled at any point it leaves nothing behind. Without `wait`
    it looks first, and raises trio.WouldBlock instead of waiting. When the hold can no longer be
    proved, the body is cancelled and LockLost raised. A task that asks for what it holds already
    gets a RuntimeError instead of waiting for itself.

    path: the lock; it and its ancestors are created where they are missing.
    data: tells others who holds it.
    layout: with whose locks it contends; "zk" is go-zookeeper. ValueError where that library has
        no such recipe.
    prove: which replies prove the hold, if not those that `connect` was told.
    """

    def __init__(self, calls: Calls, nursery: trio.Nursery, janitor: Janitor) -> None:
        super().__init__(calls)
        self._nursery = nursery
        self._janitor = janitor
        self._lines = Lines()

    def lock(
        self,
        path: str,
        data: bytes = b"",
        *,
        layout: LayoutName = "coord",
        wait: bool = True,
        prove: Prove | None = None,
    ) -> AbstractAsyncContextManager[Held]:
        """Hold a lock, alone.

        async with zk.lock("/locks/nightly", b"host 7") as held:
            await work(held.token)
        """
        queue = self._queue(path, layout_of(LOCKS, layout, "lock"), data, prove)
        return hold(Held, path, queue, self._nursery, wait=wait)

    def write_lock(
        self,
        path: str,
        data: bytes = b"",
        *,
        layout: LayoutName = "coord",
        wait: bool = True,
        prove: Prove | None = None,
    ) -> AbstractAsyncContextManager[Held]:
        """Hold a read/write lock alone: no other writer is inside, and no reader.

            async with zk.write_lock("/locks/table") as held:
                await held.client.set("/table", b"...")

        In the layout "coord" this is `lock`.
        """
        queue = self._queue(path, layout_of(SHARED, layout, "read/write lock"), data, prove)
        return hold(Held, path, queue, self._nursery, wait=wait)

    def read_lock(
        self,
        path: str,
        data: bytes = b"",
        *,
        layout: LayoutName = "coord",
        wait: bool = True,
        prove: Prove | None = None,
    ) -> AbstractAsyncContextManager[ReadHeld]:
        """Hold a read/write lock together with others that read.

            async with zk.read_lock("/locks/table") as held:
                rows = await read_table()
                async with held.upgrade():
                    await write_table(rows)

        One that comes after somebody who waits to write waits for that one. See `ReadHeld.upgrade`.
        """
        queue = self._queue(path, layout_of(SHARED, layout, "read/write lock"), data, prove)
        reading = attrs.evolve(queue, kind="read")
        make = partial(ReadHeld, queue=reading, nursery=self._nursery)
        return hold(make, path, reading, self._nursery, wait=wait)

    def lock_all(
        self,
        paths: Sequence[str],
        data: bytes = b"",
        *,
        layout: LayoutName = "coord",
        wait: bool = True,
        prove: Prove | None = None,
    ) -> AbstractAsyncContextManager[tuple[Held, ...]]:
        """Hold several locks, all or none; the holds come in the order of the sorted paths.

            async with zk.lock_all(["/accounts/7", "/accounts/3"]) as (three, seven):
                await transfer(three.token, seven.token)

        Everybody acquires them in the same order, so that nobody waits in a circle. ValueError
        when a path is named twice.
        """
        if len(set(paths)) != len(paths):
            raise ValueError("a lock is named twice")
        one = partial(self.lock, data=data, layout=layout, wait=wait, prove=prove)
        return hold_all([one(path) for path in sorted(paths)])

    def semaphore(
        self,
        path: str,
        limit: int | None = None,
        data: bytes = b"",
        *,
        layout: LayoutName = "coord",
        wait: bool = True,
        prove: Prove | None = None,
    ) -> AbstractAsyncContextManager[Held]:
        """Hold one of the permits of a semaphore.

            async with zk.semaphore("/limits/exports", 3):
                await export()

        limit: how many hold a permit at once, where that is not known yet. It is kept in the data
            of the znode, and what stands there counts: `set_limit` changes it. ValueError when
            there is none and None is given. In Curator's layout it is not kept: all must say the
            same.
        """
        chosen = layout_of(SEMAPHORES, layout, "semaphore")
        if limit is not None and limit < 1:
            raise ValueError(f"a semaphore that admits {limit}")
        if limit is None and chosen.limit is None:
            raise ValueError(f"layout {layout!r} keeps no limit: it must be given")
        full = self._below_root(path)
        door = self._queue(path, chosen.door_layout, data, prove)
        semaphore = Semaphore(
            attrs.evolve(door, parent=chosen.door.format(path=full)),
            chosen.permits.format(path=full),
            chosen,
            None if chosen.limit is None else chosen.limit.format(path=full),
            limit,
            data,
        )
        return hold(Held, path, semaphore, self._nursery, wait=wait)

    async def set_limit(self, path: str, limit: int) -> None:
        """Change the limit of a semaphore, which counts at once for all that want a permit.

            await zk.set_limit("/limits/exports", 5)

        When it is lowered, nobody loses a permit; none is given until enough have come back.
        """
        if limit < 0:
            raise ValueError(f"a semaphore that admits {limit}")
        await self.ensure_path(path)
        await self.set(path, b"%d" % limit, idempotent=True)

    def lead(
        self,
        path: str,
        data: bytes = b"",
        *,
        layout: LayoutName = "coord",
        wait: bool = True,
        prove: Prove | None = None,
    ) -> AbstractAsyncContextManager[Term]:
        """Lead.

            async with zk.lead("/svc", b"host:80") as term:
                await serve(term.token)

        `data` is what those who `observe` get to see, until `term.update(data)` changes it;
        `term.resign()` ends the term from within, and `term.resign_to(data)` in favour of another.
        """
        queue = self._queue(path, layout_of(ELECTIONS, layout, "election"), data, prove)
        return hold(partial(Term, queue=queue), path, queue, self._nursery, wait=wait)

    def observe(self, path: str, *, layout: LayoutName = "coord") -> Observation:
        """Iterate over who leads: `Leader`, or None while nobody does.

        async for leader in zk.observe("/svc"):
            print("nobody" if leader is None else leader.data)
        """
        chosen = layout_of(ELECTIONS, layout, "election")
        return Observation(self._queue(path, chosen, b"", None))

    async def run_leader(
        self,
        path: str,
        work: Callable[[Term], Awaitable[Result]],
        data: bytes = b"",
        *,
        restart: Backoff | None = None,
        layout: LayoutName = "coord",
        prove: Prove | None = None,
    ) -> Result:
        """Lead and call `work(term)`, again after each loss; return what it returns in the end.

            await zk.run_leader("/svc", serve, b"host:80", restart=Backoff(longest=60))

        work: is cancelled when the leadership is lost, or when it has called `term.resign()`.
        restart: how long to pause after an error of `work` before standing again; None: an error
            ends it. The last error is raised when there are no more pauses.
        """
        lead = partial(self.lead, path, data, layout=layout, prove=prove)
        return await run_leader(lead, work, restart)

    def fence(self, path: str) -> StoredFence:
        """Keep the highest fencing token seen in a znode, which is created where it is missing.

            await zk.fence("/fences/printer").admit(token)

        See `StoredFence.admit`; `client.Fence` is the same in memory.
        """
        self._full(path)
        return StoredFence(self, path)

    async def describe_lock(self, path: str, *, layout: LayoutName = "coord") -> LockDescription:
        """Return who holds a lock, shared or not, or leads, and who waits, first ones first.

        lock = await zk.describe_lock("/locks/nightly")
        print([(each.data, each.age_seconds()) for each in lock.holders])
        """
        return await describe(self._queue(path, SEEN[layout], b"", None), path)

    def _queue(self, path: str, layout: Layout, data: bytes, prove: Prove | None) -> Queue:
        how = prove or self._calls.keeper.settings.config.prove
        parent = self._below_root(path)
        return Queue(self._calls, self._janitor, parent, layout, data, how, self._lines)

    def _below_root(self, path: str) -> str:
        full = self._full(path)
        if full == "/":
            raise ValueError("the root cannot be used for this")
        return full
