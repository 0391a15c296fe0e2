"""The events of a znode or a subtree one by one, and the gaps between them by name.

Servers keep no history: what happens while there is no connection makes no event. Such a gap is
named by `Resynced`. With `fill`, the Stats of the znodes are held, and after a gap those that
differ make events of their own, by czxid, mzxid and pzxid: what was deleted and made anew differs
though its version may not. What came and went within the gap leaves its mark on the parent only.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import attrs

from client.calls import Calls
from client.errors import ReplyLost
from client.feed import Feed
from client.hub import Change, Stream
from client.tree import parent_of
from client.watches import Iteration
from client.znodes import Stat
from coord.wire.connection import Reply
from coord.wire.numbers import AddWatchMode, EventType, OpCode
from coord.wire.requests import AddWatchRequest


@attrs.frozen
class Event:
    """One change of a znode.

    async for event in zk.events("/app", recursive=True):
        if isinstance(event, Event) and event.kind is EventType.NODE_CREATED:
            print(event.path, event.zxid, event.is_synthetic)
    """

    kind: EventType
    """Created, deleted, data changed; children changed only without `recursive`, or where children
    came and went within a gap."""
    path: str
    """The znode."""
    zxid: int
    """The zxid of the change; -1 when the server does not tell, as ZooKeeper before 3.9."""
    is_synthetic: bool = False
    """Whether it is no event of a server's, but found by comparing what was before a gap with what
    is after it. It may repeat an event that was given before the gap."""


@attrs.frozen
class Resynced:
    """Every change from here on comes as an event: now is the time to read what there is.

    async for event in zk.events("/app"):
        if isinstance(event, Resynced):
            print("missed something" if event.gap else "begins", await zk.exists("/app"))
    """

    gap: bool
    """False at the start; True when events may have been missed since the one before."""


class Events(Iteration[Event | Resynced]):
    """Each event of a znode, or of it and all below it, in order. Begins with `Resynced`."""

    def __init__(self, calls: Calls, path: str, chroot: str, *, recursive: bool) -> None:
        self._stream = Stream(path, recursive=recursive)
        calls.hub.listen(self._stream)
        super().__init__()
        self._calls = calls
        self._chroot = chroot
        self._has_begun = False

    async def _next(self) -> Event | Resynced:
        while self._stream.is_empty:
            if self._stream.standing:
                await self._stream.wait()
            else:
                await self._stand()
        change = self._stream.take()
        if change is not None:
            return Event(change.kind, change.path[len(self._chroot) :] or "/", change.zxid)
        resynced = Resynced(gap=self._has_begun)
        self._has_begun = True
        return resynced

    async def _stand(self) -> None:
        mode = (
            AddWatchMode.PERSISTENT_RECURSIVE if self._stream.recursive else AddWatchMode.PERSISTENT
        )
        request = AddWatchRequest(self._stream.path, mode)
        with self._calls.hub.asking(self._stream) as then, suppress(ReplyLost):
            await self._calls.keeper.call(OpCode.ADD_WATCH, request, then=then)

    def _leave(self) -> None:
        self._calls.hub.leave(self._stream)


class Record(Feed):
    """The Stats of a znode or a subtree, and the events that the consumer has not taken yet."""

    takes_pieces = False

    def __init__(self, calls: Calls, path: str, *, recursive: bool) -> None:
        super().__init__(calls, path, recursive=recursive, has_data=False)
        self.changed: set[str] = set()
        """The paths in which what is published differs from what was shown."""
        self.mirror.changed = self.changed
        self.events = Stream(path, recursive=recursive)

    def stand(self, reply: Reply) -> None:
        """Begin to follow; what was missed makes a gap."""
        super().stand(reply)
        self.events.stand(reply)

    def push(self, change: Change) -> None:
        """Keep an event, and have the znode read."""
        self.events.push(change)
        super().push(change)


class Known(NamedTuple):
    """What the consumer of events knows of a znode; -1 where an event came without its zxid."""

    czxid: int
    """zxid of its creation."""
    mzxid: int
    """zxid of the last change of its data."""
    pzxid: int
    """zxid of the last creation or deletion of a child."""

    @classmethod
    def of(cls, stat: Stat) -> "Known":
        """Return what a Stat tells."""
        return cls(stat.czxid, stat.mzxid, stat.pzxid)


class FilledEvents(Iteration[Event | Resynced]):
    """As `Events`; and after a gap, what differs from before makes synthetic events.

    What the consumer was shown follows the events as it takes them. When it has taken all, zxids
    that did not come with them are taken from the mirror.
    """

    def __init__(self, calls: Calls, path: str, chroot: str, *, recursive: bool) -> None:
        self._record = Record(calls, path, recursive=recursive)
        super().__init__()
        self._own = path[len(chroot) :] or "/"
        self._chroot = chroot
        self._recursive = recursive
        self._shown: dict[str, Known] | None = None
        self._found: deque[Event | Resynced] = deque()
        self._is_behind = False

    async def _next(self) -> Event | Resynced:
        record = self._record
        while not self._found:
            if self._is_behind:
                await self._catch_up()
            elif record.events.is_empty:
                if record.mirror.is_current:
                    self._follow()
                await record.work()
            else:
                change = record.events.take()
                if change is not None:
                    return self._show(change)
                self._is_behind = True
                if record.mirror.is_visited:
                    record.mirror.begin()  # there were too many events to keep: no one knows which
        return self._found.popleft()

    def _show(self, change: Change) -> Event:
        event = Event(change.kind, change.path[len(self._chroot) :] or "/", change.zxid)
        path, zxid = event.path, event.zxid
        assert self._shown is not None, "there is a gap at the start"
        known = self._shown.get(path, Known(-1, -1, -1))
        if event.kind == EventType.NODE_DATA_CHANGED:
            self._shown[path] = known._replace(mzxid=zxid)
            return event
        if event.kind == EventType.NODE_CREATED:
            self._shown[path] = Known(zxid, zxid, zxid)
        elif event.kind == EventType.NODE_DELETED:
            self._shown.pop(path, None)
        parent = path if event.kind == EventType.NODE_CHILDREN_CHANGED else parent_of(path)
        if parent in self._shown:
            self._shown[parent] = self._shown[parent]._replace(pzxid=zxid)
        return event

    async def _catch_up(self) -> None:
        """Find what differs now from what was shown."""
        record = self._record
        while not record.mirror.is_visited:
            await record.work()
        self._is_behind = False
        record.events.keep(record.mirror.heard - record.mirror.included)
        znodes = record.mirror.nodes.znodes
        after = {self._path(below): Known.of(znode.stat) for below, znode in znodes.items()}
        self._found.append(Resynced(gap=self._shown is not None))
        if self._shown is not None:
            self._found.extend(differences(self._shown, after, recursive=self._recursive))
        self._shown = after
        record.changed.clear()

    def _follow(self) -> None:
        """Learn the zxids from what was published: all events that led to it were given."""
        assert self._shown is not None, "there is a gap at the start"
        znodes = self._record.mirror.nodes.znodes
        for below in self._record.changed:
            if below in znodes:
                self._shown[self._path(below)] = Known.of(znodes[below].stat)
            else:
                self._shown.pop(self._path(below), None)
        self._record.changed.clear()

    def _path(self, below: str) -> str:
        if below == "/":
            return self._own
        return below if self._own == "/" else self._own + below

    def _leave(self) -> None:
        self._record.leave()


def differences(
    before: Mapping[str, Known], after: Mapping[str, Known], *, recursive: bool
) -> Iterator[Event]:
    """Yield the events that lead from one state to another: first what goes, children first."""
    renewed = {path for path in before.keys() & after if before[path].czxid != after[path].czxid}
    gone = (before.keys() - after.keys()) | renewed
    come = (after.keys() - before.keys()) | renewed
    touched = {parent_of(path) for path in gone | come if path != "/"}
    for path in sorted(gone, reverse=True):
        yield Event(EventType.NODE_DELETED, path, -1, is_synthetic=True)
    for path in sorted(after):
        known = after[path]
        if path in come:
            was = Known(known.czxid, known.czxid, known.czxid)
            yield Event(EventType.NODE_CREATED, path, known.czxid, is_synthetic=True)
        else:
            was = before[path]
        if known.mzxid != was.mzxid:
            yield Event(EventType.NODE_DATA_CHANGED, path, known.mzxid, is_synthetic=True)
        if known.pzxid != was.pzxid and not (recursive and path in touched):
            yield Event(EventType.NODE_CHILDREN_CHANGED, path, known.pzxid, is_synthetic=True)
