"""What processes share: values, groups and work. See `client.recipes` for how these work."""

import uuid
from contextlib import AbstractAsyncContextManager
from functools import partial

import trio

from client.calls import Calls
from client.deadline import Prove
from client.locking import Locking
from client.recipes.barrier import Barrier
from client.recipes.claims import Claims
from client.recipes.counter import Counter
from client.recipes.discovery import EJECT_AFTER, EJECT_SECONDS, Discovery, discovery
from client.recipes.double_barrier import DoubleBarrier, Round, entered
from client.recipes.entries import Entries, Places
from client.recipes.instances import StrategyName
from client.recipes.lease import Lease, Leasing, leased
from client.recipes.leftovers import Janitor
from client.recipes.members import Members
from client.recipes.membership import Member, membership
from client.recipes.value import Value
from client.recipes.work import ATTEMPTS, BUCKET_ENTRIES, WorkQueue


class Sharing(Locking):
    """Values, groups and work of a client.

    Missing ancestors of the paths are created. Everything waits while there is no connection, for
    as long as the caller's cancel scope permits, and leaves nothing behind when it is cancelled.
    """

    def __init__(self, calls: Calls, nursery: trio.Nursery, janitor: Janitor) -> None:
        super().__init__(calls, nursery, janitor)
        self._members: set[str] = set()

    def value(self, path: str) -> Value:
        """Return bytes that many change, exactly once each.

        cursor = zk.value("/jobs/cursor")
        await cursor.update(lambda data: data + b".")
        """
        return Value(self._calls, self._below_root(path), self._lines)

    def counter(self, path: str) -> Counter:
        """Return a number that many count, exactly once each.

        served = await zk.counter("/served").add(1)
        """
        return Counter(self.value(path), path)

    def barrier(self, path: str) -> Barrier:
        """Return a barrier that is closed while a znode is there.

            async with zk.barrier("/migration").closed():
                await migrate()

        and wherever nobody shall go on meanwhile: `await zk.barrier("/migration").wait()`.
        """
        return Barrier(path, self._below_root(path), self._calls, self._janitor)

    def double_barrier(
        self, path: str, count: int, *, prove: Prove | None = None
    ) -> AbstractAsyncContextManager[Round]:
        """Begin together with others, and go on together when all have ended.

            async with zk.double_barrier("/phases/1", 3) as together:
                await work_on_part(together.number, together.count)

        The block begins once `count` are there, and what follows it once all of their blocks have
        ended. A body that raises leaves at once. When the session is lost inside, the body is
        cancelled and LockLost raised; outside, it is waited for anew. Raises ValueError for a count
        below 1 or above 1000.
        """
        barrier = DoubleBarrier(self._calls, self._janitor, self._below_root(path), count,
                                prove or self._calls.keeper.settings.config.prove)  # fmt: skip
        return entered(barrier, path, self._nursery)

    def member(
        self, path: str, data: bytes = b"", *, name: str | None = None
    ) -> AbstractAsyncContextManager[Member]:
        """Be a member of a group while a block runs, session after session.

            async with zk.member("/workers", b"idle", name="host-7") as me:
                await me.update(b"busy")

        The block begins when the znode is there; one that an earlier process of that name has left
        is waited for. Without a name it gets one that nobody has. Raises RuntimeError when this
        client is that member already, and what the servers raise when they refuse the znode, also
        later, to end the block.
        """
        unique = name or uuid.uuid4().hex
        if "/" in unique:
            raise ValueError(f"{name!r} is no name for a member")
        own = f"{path.rstrip('/')}/{unique}"
        member = Member(self._calls, own, self._full(own), data)
        return membership(member, self._nursery, self._janitor, self._members)

    def members(self, path: str) -> Members:
        """Iterate over who the members of a group are: name and data of each.

            async for members in zk.members("/workers"):
                print(sorted(members))

        Empty while there is no such group.
        """
        return Members(self._calls, self._full(path))

    def discover(
        self,
        path: str,
        strategy: StrategyName = "round_robin",
        *,
        eject_after: int = EJECT_AFTER,
        eject_seconds: float = EJECT_SECONDS,
    ) -> AbstractAsyncContextManager[Discovery]:
        """Find the instances of a service while a block runs, and pick those that work.

            async with zk.discover("/services/web") as web:
                with web.using() as instance:
                    await ask(instance.address)

        strategy: how one is picked; all heed the weights.
        eject_after: failures on end after which an instance is not picked for a while.
        eject_seconds: for how long the first time; twice as long each next time.
        """
        make = partial(Discovery, path=path, strategy=strategy, eject_after=eject_after,
                       eject_seconds=eject_seconds)  # fmt: skip
        return discovery(self._calls, self._full(path), self._nursery, make)

    def queue(
        self,
        path: str,
        *,
        attempts: int = ATTEMPTS,
        bucket_entries: int = BUCKET_ENTRIES,
        prove: Prove | None = None,
    ) -> WorkQueue:
        """Return a queue of work, whose entries are claimed by one worker at a time.

            queue = zk.queue("/jobs")
            await queue.put(b"resize 7")
            async with queue.claim() as claim:
                await resize(claim.data)

        attempts: how often an entry is claimed before it is put with the dead.
        bucket_entries: how many entries share a parent.
        prove: which replies prove a claim, if not those that `connect` was told.
        """
        places = Places(self._below_root(path))
        how = prove or self._calls.keeper.settings.config.prove
        entries = Entries(self._calls, places, bucket_entries)
        claims = Claims(self._calls, self._janitor, places, how, attempts, self._lines)
        return WorkQueue(path, entries, claims, self._full, self._nursery)

    def lease(
        self, path: str, seconds: float, data: bytes = b"", *, wait: bool = True
    ) -> AbstractAsyncContextManager[Lease]:
        """Hold something while a block runs, for so many seconds at a time, across sessions.

            async with zk.lease("/leases/report", 60, b"host 7") as lease:
                await write_report(lease.token)

        It is renewed three times as often as needed, by the servers' clock, and outlives lost
        sessions; when it cannot be renewed in time, the body is cancelled and LockLost raised.
        Waits until it is free; without `wait` raises trio.WouldBlock. Whoever dies holding it keeps
        it for up to `seconds`. ValueError when that is not above 0.
        """
        leasing = Leasing(self._calls, self._janitor, self._below_root(path), seconds, data)
        return leased(leasing, path, self._nursery, wait=wait)
