"""A subtree at hand: reads without a request, each of them of the latest state that is known.

    async with zk.cache("/services/web") as cache:
        hosts = [cache[f"/{name}"].data for name in cache.children()]

Every state is that of one moment of the servers: all of the subtree up to `zxid`, and nothing after
it. A state is never a mixture, not even while all is read again after a lost connection; then it
stays what it was, and `stale_since` tells how old it is.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager

import trio

from client.calls import Calls
from client.errors import ClientClosed
from client.feed import Feed
from client.tree import Tree
from client.watches import Iteration
from client.znodes import Znode
from coord.wire.errors import ZooKeeperError


class Cache(Mapping[str, Znode]):
    """The latest state of a subtree: a mapping of paths below its root, "/" being the root itself.

        async with zk.cache("/services/web") as cache:
            await cache.sync()
            for name in cache.children():
                print(name, cache[f"/{name}"].data)
            print(cache.zxid, cache.stale_since)

    It is empty while the root is missing. What this client may not read is not in it, nor is
    "/zookeeper" in a cache of all. A znode may have children whose names take 64 MiB together;
    with more, coord answers MarshallingError, which ends the cache.
    """

    def __init__(self, calls: Calls, path: str) -> None:
        self._calls = calls
        self._feed = Feed(calls, path)
        self._news = trio.Event()
        self.failure: Exception | None = None
        """Why it is not kept up to date any longer; then the block is cancelled and raises it."""

    def __getitem__(self, path: str) -> Znode:
        """Return a znode; raise KeyError when there is none."""
        return self._feed.mirror.nodes.znodes[path]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths as they are now, sorted: a parent comes before its children."""
        return iter(sorted(self._feed.mirror.nodes.znodes))

    def __len__(self) -> int:
        return len(self._feed.mirror.nodes.znodes)

    def children(self, path: str = "/") -> list[str]:
        """Return the names of a znode's children, sorted; of one that is missing, none."""
        return sorted(self._feed.mirror.nodes.names.get(path, ()))

    @property
    def zxid(self) -> int:
        """The zxid up to which all changes are in the state; grows also with changes elsewhere."""
        return self._feed.zxid

    @property
    def stale_since(self) -> float | None:
        """Since when changes may be missing, by trio.current_time(); None when none are known of.

        Then the state is that of the server, as far as this client was told. A server may lag
        behind its leader: see `sync`.
        """
        return self._feed.stale_since

    def snapshot(self) -> Tree:
        """Return the state of now, which never changes: for several reads of one state.

            with cache.snapshot() as tree:
                assert set(tree.children("/primary")) <= set(tree.children("/members"))

        It costs nothing by itself. While it is kept, the next change costs a copy of the whole.
        """
        return self._feed.tree()

    def states(self) -> "CacheStates":
        """Iterate over the states: the present one at once, then the latest after changes.

            async for tree in cache.states():
                print(tree.children("/members"))

        Those that nobody looked at in time melt into the next one.
        """
        return CacheStates(self)

    async def wait_until(self, predicate: Callable[[Tree], object]) -> Tree:
        """Wait until a state pleases a predicate; return that state.

            tree = await cache.wait_until(lambda tree: len(tree.children("/members")) >= 3)

        It is called with the present state, then with the latest after changes: one that came and
        went in between may never be seen. What it raises is raised here.
        """
        while True:
            tree = self.snapshot()
            if predicate(tree):
                await trio.lowlevel.checkpoint()
                return tree
            del tree  # so that it is not kept while nobody looks at it
            await self.wait_beyond(self.published)

    async def sync(self) -> None:
        """Wait until the state has all that was written before this call, by anybody."""
        await self._calls.sync()
        target = self._calls.keeper.zxid
        while self.zxid < target:
            await self._news.wait()

    @property
    def published(self) -> int:
        """How many states there have been that differ from the one before."""
        return self._feed.mirror.published

    async def wait_beyond(self, seen: int) -> None:
        """Wait for a state beyond the one with that number, as counted by `published`.

        async with zk.cache("/services/web") as cache:
            seen = cache.published
            await cache.wait_beyond(seen)
        """
        while self.published <= seen:
            await self._news.wait()

    async def follow(self, scope: trio.CancelScope, body: trio.CancelScope) -> None:
        """Keep the state up to date until cancelled. For the client's own use."""
        try:
            with scope:
                while True:
                    await self._feed.work()
                    self._news.set()
                    self._news = trio.Event()
        except (ClientClosed, ZooKeeperError) as error:
            self.failure = error
            body.cancel()
        finally:
            self._feed.leave()


class CacheStates(Iteration[Tree]):
    """The states of a cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._seen = 0
        super().__init__()

    async def _next(self) -> Tree:
        await self._cache.wait_beyond(self._seen)
        self._seen = self._cache.published
        return self._cache.snapshot()

    def _leave(self) -> None:
        """Nothing was registered."""


@asynccontextmanager
async def open_cache(calls: Calls, path: str, nursery: trio.Nursery) -> AsyncIterator[Cache]:
    """Keep a cache while a block runs, which begins when all has been read."""
    calls.keeper.check_use()  # not as the nursery says it
    cache = Cache(calls, path)
    body = trio.CancelScope()
    following = trio.CancelScope()
    nursery.start_soon(cache.follow, following, body)
    try:
        with body:
            await cache.wait_beyond(0)
            yield cache
    finally:
        following.cancel()
    if cache.failure is not None:
        raise cache.failure
