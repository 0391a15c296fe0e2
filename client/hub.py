"""Which parts of this client wait for changes, and of what.

Servers keep watches for a connection, not for a session, so whoever waits is also told when a
connection is lost, and asks again. Nothing here waits for anybody: notices are flags and bounded
queues, set in the order of the wire.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

import attrs
import trio

from coord.wire.connection import Notification, Reply
from coord.wire.numbers import EventType, WatcherType

EVENTS_MAX = 10_000
"""Events kept for one consumer; more become a gap, which it has to be ready for anyway."""

EVENT_TYPES = frozenset(EventType)

_TOLD = {
    WatcherType.DATA: frozenset(
        {EventType.NODE_CREATED, EventType.NODE_DELETED, EventType.NODE_DATA_CHANGED}
    ),
    WatcherType.CHILDREN: frozenset(
        {EventType.NODE_CREATED, EventType.NODE_DELETED, EventType.NODE_CHILDREN_CHANGED}
    ),
}
"""Which events concern whom. Whoever waits for children waits for their parent to come, too."""


@attrs.frozen
class Change:
    """One change of a znode, as the server told of it."""

    kind: EventType
    """What happened."""
    path: str
    """To which znode."""
    zxid: int
    """The zxid of the change; -1 when the server does not tell, as ZooKeeper before 3.9."""


class Waiter:
    """Somebody who waits for changes of one znode: a flag that is up when there may be one."""

    __slots__ = ("_raised", "kind", "path")

    def __init__(self, path: str, kind: WatcherType) -> None:
        self.path = path
        self.kind = kind
        self._raised = trio.Event()
        self._raised.set()

    def raise_flag(self) -> None:
        """Say that there may be a change."""
        self._raised.set()

    def lower_flag(self) -> None:
        """Say that what is read from now on will be known."""
        if self._raised.is_set():
            self._raised = trio.Event()

    async def wait(self) -> None:
        """Wait until the flag is up."""
        await self._raised.wait()


class Stream:
    """Somebody who wants each event of a znode, or of a whole subtree."""

    __slots__ = ("_changes", "_wake", "asked", "gap", "path", "recursive", "standing")

    def __init__(self, path: str, *, recursive: bool) -> None:
        self.path = path
        self.recursive = recursive
        self.asked = False
        """Whether the server was ever asked for the watch."""
        self.standing = False
        """Whether the server has the watch now."""
        self.gap = False
        """Whether the consumer must be told that events come from here on, but not those before."""
        self._changes: deque[Change] = deque()
        self._wake = trio.Event()

    def concerns(self, change: Change) -> bool:
        """Whether it is an event of this stream."""
        if not self.standing:
            return False
        if not self.recursive:
            return change.path == self.path
        if change.kind == EventType.NODE_CHILDREN_CHANGED:
            return False
        below = self.path if self.path == "/" else self.path + "/"
        return change.path == self.path or change.path.startswith(below)

    def stand(self, reply: Reply) -> None:
        """Begin, if this is a good reply: from here on the server has the watch."""
        if not reply.error:
            self.standing = self.gap = True

    def drop(self) -> None:
        """Drop what is kept: the consumer must be told that events may be missing."""
        self.gap = True
        self._changes.clear()
        self._wake.set()

    def push(self, change: Change) -> None:
        """Keep an event for the consumer."""
        if len(self._changes) == EVENTS_MAX:
            self.drop()
        else:
            self._changes.append(change)
            self._wake.set()

    async def wait(self) -> Change | None:
        """Return the next event, or None when there is a gap to tell of."""
        while not self.gap and not self._changes:
            self._wake = trio.Event()
            await self._wake.wait()
        return None if self.gap else self._changes.popleft()


Who = TypeVar("Who", Waiter, Stream)


class Hub:
    """Everybody who waits for changes, by path."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[Waiter]] = {}
        self._streams: dict[str, list[Stream]] = {}
        self._armed: set[tuple[str, WatcherType]] = set()
        self._left: deque[Waiter | Stream] = deque()

    def wait_for(self, path: str, kind: WatcherType) -> Waiter:
        """Register somebody who waits. The flag is up."""
        waiter = Waiter(path, kind)
        self._waiters.setdefault(path, []).append(waiter)
        return waiter

    def open_stream(self, path: str, *, recursive: bool) -> Stream:
        """Register somebody who wants each event."""
        streams = self._streams.setdefault(path, [])
        if any(each.recursive is not recursive for each in streams):
            # Servers before 3.9 keep one watch of one mode for a path and a connection.
            raise ValueError(f"{path} is being watched in the other mode, recursive or not")
        stream = Stream(path, recursive=recursive)
        streams.append(stream)
        return stream

    def leave(self, who: Waiter | Stream) -> None:
        """Register that somebody does not wait any longer. Safe wherever garbage is collected."""
        self._left.append(who)

    def arms(self, path: str, kind: WatcherType) -> bool:
        """Whether a read should set a watch; then it is counted as set.

        Where a stream has its own watch on the same znode, that one tells already, and a second
        one would replace it on servers before 3.9.
        """
        for stream in self._streams.get(path, ()):
            if stream.standing and (kind == WatcherType.DATA or not stream.recursive):
                return False
        self._armed.add((path, kind))
        return True

    def notify(self, notification: Notification) -> None:
        """Tell everybody whom a notification concerns."""
        event = notification.event
        if event.event_type not in EVENT_TYPES:
            return
        change = Change(EventType(event.event_type), event.path or "", notification.zxid)
        for kind, told in _TOLD.items():
            if change.kind in told:
                self._armed.discard((change.path, kind))
        for waiter in self._waiters.get(change.path, ()):
            if change.kind in _TOLD[waiter.kind]:
                waiter.raise_flag()
        if self._streams:
            for stream in self._streams_of(change):
                stream.push(change)

    def interrupt(self) -> None:
        """Tell everybody that the connection and all its watches are gone."""
        self._armed.clear()
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.raise_flag()
        for streams in self._streams.values():
            for stream in streams:
                stream.standing = False
                stream.drop()

    def sweep(self) -> Iterator[tuple[str, WatcherType]]:
        """Forget those who have left; yield the watches that nobody needs any longer."""
        while self._left:
            who = self._left.popleft()
            if isinstance(who, Stream):
                yield from self._close(who)
            elif self._remove(self._waiters, who):
                for kind in (WatcherType.DATA, who.kind):
                    if (who.path, kind) in self._armed and not self._is_needed(who.path, kind):
                        self._armed.discard((who.path, kind))
                        yield who.path, kind

    def _is_needed(self, path: str, kind: WatcherType) -> bool:
        """Whether somebody still rests on a watch. All may rest on that of `exists`."""
        waiters = self._waiters.get(path, ())
        return path in self._streams or any(kind in (WatcherType.DATA, w.kind) for w in waiters)

    def _close(self, stream: Stream) -> Iterator[tuple[str, WatcherType]]:
        if not self._remove(self._streams, stream) or stream.path in self._streams:
            return
        if stream.asked:
            # Servers before 3.9 can only remove all kinds at once: the others read again.
            for waiter in self._waiters.get(stream.path, ()):
                waiter.raise_flag()
            yield stream.path, WatcherType.ANY

    def _streams_of(self, change: Change) -> Iterable[Stream]:
        path = change.path
        while True:
            for stream in self._streams.get(path, ()):
                if stream.concerns(change):
                    yield stream
            if path in ("/", ""):
                return
            path = path.rpartition("/")[0] or "/"

    @staticmethod
    def _remove(table: dict[str, list[Who]], who: Who) -> bool:
        others = table.get(who.path, [])
        if who not in others:
            return False
        others.remove(who)
        if not others:
            del table[who.path]
        return True
