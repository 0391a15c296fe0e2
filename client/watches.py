"""Changes of znodes as async iterators.

`Watch` and `ChildrenWatch` give states: the first at once, then the latest after each change.
Changes that come faster than they are consumed melt into one, so nothing grows; the final state is
always given. `Events` gives each event, and names the places where some may be missing.

None of them ends by itself. Leaving the loop is enough to be rid of one, as is `aclose`, or the end
of an `async with` around it: soon after, the watch is taken back from the server.
"""

from types import TracebackType
from typing import Generic, Self, TypeVar

import attrs

from client.calls import Calls
from client.errors import ReplyLost
from client.hub import Change
from client.znodes import Stat, Znode
from coord.wire.errors import NoNode
from coord.wire.numbers import AddWatchMode, EventType, OpCode, WatcherType
from coord.wire.requests import AddWatchRequest

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


@attrs.frozen
class Event:
    """One change of a znode."""

    kind: EventType
    """Created, deleted, data changed; without `recursive` also children changed."""
    path: str
    """The znode."""
    zxid: int
    """The zxid of the change; -1 when the server does not tell, as ZooKeeper before 3.9."""


@attrs.frozen
class Resynced:
    """Every change from here on comes as an event: now is the time to read what there is."""

    gap: bool
    """False at the start; True when events may have been missed since the one before."""


class Events(Iteration[Event | Resynced]):
    """Each event of a znode, or of it and all below it, in order. Begins with `Resynced`."""

    def __init__(self, calls: Calls, path: str, chroot: str, *, recursive: bool) -> None:
        self._stream = calls.hub.open_stream(path, recursive=recursive)
        super().__init__()
        self._calls = calls
        self._chroot = chroot
        self._has_begun = False

    async def _next(self) -> Event | Resynced:
        while True:
            if not self._stream.standing:
                await self._stand()
            elif self._stream.gap:
                self._stream.gap = False
                resynced = Resynced(gap=self._has_begun)
                self._has_begun = True
                return resynced
            else:
                change = await self._stream.wait()
                if change is not None:
                    return self._event(change)

    async def _stand(self) -> None:
        self._stream.asked = True
        mode = (
            AddWatchMode.PERSISTENT_RECURSIVE if self._stream.recursive else AddWatchMode.PERSISTENT
        )
        request = AddWatchRequest(self._stream.path, mode)
        try:
            await self._calls.keeper.call(OpCode.ADD_WATCH, request, then=self._stream.stand)
        except ReplyLost:
            return

    def _event(self, change: Change) -> Event:
        path = change.path[len(self._chroot) :] or "/"
        return Event(change.kind, path, change.zxid)

    def _leave(self) -> None:
        self._calls.hub.leave(self._stream)
