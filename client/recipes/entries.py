"""The entries of a queue of work: where they are, how they are put: see `client.recipes.work`."""

from contextlib import suppress

import attrs

from client.calls import Calls
from client.errors import ReplyLost
from client.recipes import multi, once
from client.recipes.multi import Refused
from client.transactions import Guard
from client.znodes import Stat
from coord.wire.errors import NodeExists, NoNode, NotEmpty, ZooKeeperError
from coord.wire.numbers import CreateFlag, OpCode
from coord.wire.requests import DeleteRequest

SWEEP_EVERY = 100
"""After so many puts of one client it looks for marks that others left."""


@attrs.frozen
class Entry:
    """An entry of a queue.

    for entry in await zk.queue("/work").dead():
        print(entry.id, entry.data)
    """

    id: str
    """What `put` returned."""
    data: bytes
    """What was put."""


@attrs.frozen
class Bucket:
    """Where entries are, and where those of them go that are given up."""

    path: str
    """The znode of the bucket."""
    dead: str
    """The znode of its dead entries."""


@attrs.frozen
class Places:
    """Where the parts of a queue are."""

    root: str
    """The queue."""

    @property
    def entries(self) -> str:
        """The parent of the buckets."""
        return f"{self.root}/entries"

    @property
    def taken(self) -> str:
        """The parent of the claims."""
        return f"{self.root}/taken"

    @property
    def dead(self) -> str:
        """The parent of the buckets of dead entries."""
        return f"{self.root}/dead"

    @property
    def marks(self) -> str:
        """The parent of the marks."""
        return f"{self.root}/marks"

    def bucket(self, name: str) -> Bucket:
        """Return a bucket."""
        return Bucket(f"{self.entries}/{name}", f"{self.dead}/{name}")

    async def ensure(self, calls: Calls) -> None:
        """Make what is missing."""
        for path in (self.entries, self.taken, self.dead, self.marks):
            await calls.ensure(path)


def by_age(name: str) -> tuple[int, str]:
    """Sort entries of a bucket: the oldest first."""
    return int(name.rpartition("-")[2]), name


def id_of(name: str) -> str:
    """Return the id of an entry."""
    return name.rpartition("-")[0]


def creations(stat: Stat) -> int:
    """Return how many children a znode ever had; its cversion counts deletions too."""
    return (stat.cversion + stat.num_children) // 2


class Entries:
    """The entries of a queue: what puts them and counts them."""

    def __init__(self, calls: Calls, places: Places, bucket_entries: int) -> None:
        self._calls = calls
        self._places = places
        self._bucket_entries = bucket_entries
        self._puts = 0

    async def put(self, data: bytes, guard: Guard | None) -> str:
        """Put an entry, once."""
        operation = once.Operation(self._calls, self._places.marks, "put")
        guards = [] if guard is None else [multi.check(guard.path)]
        if self._puts % SWEEP_EVERY == 0:
            await self._sweep()
        self._puts += 1
        while True:
            bucket = await self._newest()
            path = f"{bucket.path}/{operation.marker}-"
            create = multi.create(path, data, CreateFlag.PERSISTENT_SEQUENTIAL)
            try:
                await operation.attempt(*guards, create)
            except once.NotDone:
                continue
            except Refused as refused:
                if not isinstance(refused.error, NoNode) or (guards and refused.place == 0):
                    raise refused.error from None
                await self._places.ensure(self._calls)
            else:
                return operation.marker

    async def size(self) -> int:
        """Return the number of entries, claimed or not, dead ones left out."""
        size = 0
        for name in await self._buckets(self._places.entries):
            stat = await self._calls.exists(self._places.bucket(name).path)
            size += 0 if stat is None else stat.num_children
        return size

    async def dead(self) -> list[Entry]:
        """Return the entries that were given up, the oldest first."""
        found = []
        for bucket in await self._buckets(self._places.dead):
            folder = self._places.bucket(bucket).dead
            for name in sorted(await self._names(folder), key=by_age):
                try:
                    znode = await self._calls.get(f"{folder}/{name}")
                except NoNode:
                    continue
                found.append(Entry(id_of(name), znode.data))
        return found

    async def _newest(self) -> Bucket:
        """Return a bucket that takes another entry."""
        while True:
            names = await self._buckets(self._places.entries)
            number = int(names[-1]) if names else 0
            if names:
                bucket = self._places.bucket(names[-1])
                stat = await self._calls.exists(bucket.path)
                if stat is not None and creations(stat) < self._bucket_entries:
                    return bucket
            try:
                await self._calls.create(self._places.bucket(f"{number + 1:010d}").path, b"")
            except (NodeExists, ReplyLost):
                continue
            except NoNode:
                await self._places.ensure(self._calls)

    async def _buckets(self, parent: str) -> list[str]:
        return sorted(await self._names(parent))

    async def _names(self, path: str) -> list[str]:
        try:
            return (await self._calls.children(path))[0]
        except NoNode:
            return []

    async def _sweep(self) -> None:
        # The servers' time is that of something new; an ephemeral znode, as nobody looks after it.
        with suppress(ZooKeeperError):  # it is the put that matters, and that tells what is wrong
            folder = await self._calls.exists(self._places.marks)
            if folder is None or folder.num_children < once.MARKS_MAX:
                return
            path, stat = await self._calls.create(
                f"{self._places.marks}/now-", b"", CreateFlag.EPHEMERAL_SEQUENTIAL
            )
            self._calls.keeper.post(OpCode.DELETE, DeleteRequest(path, -1))
            await once.sweep(self._calls, folder, self._places.marks, stat.ctime_ms)


async def delete_bucket(calls: Calls, path: str) -> None:
    """Delete a bucket that is not the newest, if it is empty."""
    try:
        await calls.delete(path)
    except (NoNode, NotEmpty, ReplyLost):
        return  # there is somebody else to do it
