"""The states of znodes as async iterators: the first at once, then the latest after each change.

Changes that come faster than they are consumed melt into one, so nothing grows; the final state is
always given. For each event by itself see `client.events`.

None of them ends by itself. Leaving the loop is enough to be rid of one, as is `aclose`, or the end
of an `async with` around it: soon after, the watch is taken back from the server.
"""

from types import TracebackType
from typing import Generic, Self, TypeVar

from client.calls import Calls
from client.feed import Feed
from client.tree import Tree
from client.znodes import Stat, Znode
from coord.wire.errors import NoNode
from coord.wire.numbers import WatcherType

Item = TypeVar("Item")


class Iteration(Generic[Item]):
    """What all iterators here share: they can be closed, or just dropped."""

    _is_closed = True

    def __init__(self) -> None:
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        if self._is_closed:
            raise StopAsyncIteration
        return await self._next()

    async def aclose(self) -> None:
        """Stop. The server is soon told to forget the watch."""
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __del__(self) -> None:
        self.stop()

    def stop(self) -> None:
        """As `aclose`, which does not wait for anything either."""
        if not self._is_closed:
            self._is_closed = True
            self._leave()

    async def _next(self) -> Item:
        """Return what comes next."""
        raise NotImplementedError

    def _leave(self) -> None:
        """Give up what was registered."""
        raise NotImplementedError


class Watch(Iteration[Znode | None]):
    """The states of one znode; None while it is missing."""

    def __init__(self, calls: Calls, path: str) -> None:
        self._waiter = calls.hub.wait_for(path, WatcherType.DATA)
        super().__init__()
        self._calls = calls
        self._path = path
        self._last: tuple[int, int] | None = None
        self._has_last = False

    async def _next(self) -> Znode | None:
        while True:
            await self._waiter.wait()
            self._waiter.lower_flag()
            try:
                znode = await self._read()
            except BaseException:
                self._waiter.raise_flag()  # whoever goes on has yet to learn of the change
                raise
            # Versions begin again in a znode that was deleted and made anew: zxids do not.
            state = None if znode is None else (znode.stat.czxid, znode.stat.mzxid)
            if not self._has_last or state != self._last:
                self._has_last, self._last = True, state
                return znode

    def _leave(self) -> None:
        self._calls.hub.leave(self._waiter)

    async def _read(self) -> Znode | None:
        while True:
            try:
                return await self._calls.get(self._path, watch=True)
            except NoNode:
                if await self._calls.exists(self._path, watch=True) is None:
                    return None


class ChildrenWatch(Iteration[list[str] | None]):
    """The children of one znode, sorted by name; None while it is missing."""

    def __init__(self, calls: Calls, path: str) -> None:
        self._waiter = calls.hub.wait_for(path, WatcherType.CHILDREN)
        super().__init__()
        self._calls = calls
        self._path = path
        self._last: tuple[int, int] | None = None
        self._has_last = False

    async def _next(self) -> list[str] | None:
        while True:
            await self._waiter.wait()
            self._waiter.lower_flag()
            try:
                found = await self._read()
            except BaseException:
                self._waiter.raise_flag()
                raise
            state = None if found is None else (found[1].czxid, found[1].pzxid)
            if not self._has_last or state != self._last:
                self._has_last, self._last = True, state
                return None if found is None else sorted(found[0])

    def _leave(self) -> None:
        self._calls.hub.leave(self._waiter)

    async def _read(self) -> tuple[list[str], Stat] | None:
        while True:
            try:
                return await self._calls.children(self._path, watch=True)
            except NoNode:
                if await self._calls.exists(self._path, watch=True) is None:
                    return None


class TreeWatch(Iteration[Tree]):
    """The states of a subtree: all of it as it was at one moment; empty while it is missing."""

    def __init__(self, calls: Calls, path: str) -> None:
        self._feed = Feed(calls, path)
        super().__init__()
        self._seen = 0

    async def _next(self) -> Tree:
        await self._feed.advance(self._seen)
        self._seen = self._feed.mirror.published
        return self._feed.tree()

    def _leave(self) -> None:
        self._feed.leave()
