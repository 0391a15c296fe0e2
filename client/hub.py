"""Which parts of this client wait for changes, and of what.

Servers keep watches for a connection, not for a session, so whoever waits is also told when a
connection is lost, and asks again. Nothing here waits for anybody: notices are flags and bounded
queues, set in the order of the wire.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class Listener:
    """Somebody who wants each event of a znode, or of a whole subtree, as it comes."""

    def __init__(self, path: str, *, recursive: bool) -> None:
        self.path = path
        self.recursive = recursive
        self.asked = False
        """Whether the server was ever asked for the watch."""
        self.asking: Callable[[Reply], None] | None = None
        """What waits for the reply to that question; None when it was not put, or is answered."""
        self.standing = False
        """Whether the server has the watch now."""
        self.piecemeal = False
        """Whether there is no such watch, but one-shot ones that reads have set, below the path."""

    def concerns(self, change: Change) -> bool:
        """Whether it is an event of this listener."""
        if not self.standing:
            return False
        if not self.recursive:
            return change.path == self.path
        if change.kind == EventType.NODE_CHILDREN_CHANGED and not self.piecemeal:
            return False
        return self.covers(change.path)

    def covers(self, path: str) -> bool:
        """Whether a path is that of the listener, or below it."""
        below = self.path if self.path == "/" else self.path + "/"
        return path == self.path or path.startswith(below)

    def stand(self, reply: Reply) -> None:
        """Begin, if this is a good reply: from here on the server has the watch."""
        if not reply.error:
            self.standing = True

    def push(self, change: Change) -> None:
        """Hear of an event. Returns at once."""
        raise NotImplementedError

    def drop(self, since: float) -> None:
        """Hear that events may be missing since then. Returns at once."""
        raise NotImplementedError


class Stream(Listener):
    """Somebody who takes events one by one, later."""

    def __init__(self, path: str, *, recursive: bool) -> None:
        super().__init__(path, recursive=recursive)
        self._changes: deque[Change | None] = deque()  # None for a gap
        self._wake = trio.Event()

    def stand(self, reply: Reply) -> None:
        """Begin, if this is a good reply, with a gap: nothing is known of what was before."""
        super().stand(reply)
        if self.standing:
            self._break()
            self._wake.set()

    def drop(self, since: float) -> None:  # noqa: ARG002  (it is a gap, however long)
        """Wake the consumer, so that the watch is set again."""
        self._wake.set()

    def push(self, change: Change) -> None:
        """Keep an event for the consumer."""
        if len(self._changes) >= EVENTS_MAX:
            self._changes.clear()
            self._break()
        self._changes.append(change)
        self._wake.set()

    def _break(self) -> None:
        """Name a gap, but once."""
        if not self._changes or self._changes[-1] is not None:
            self._changes.append(None)

    @property
    def is_empty(self) -> bool:
        """Whether the consumer has taken all."""
        return not self._changes

    def take(self) -> Change | None:
        """Return the next event, or None for a gap; there must be one."""
        return self._changes.popleft()

    def keep(self, number: int) -> None:
        """Forget what is kept but for the last events, and a gap if there are fewer."""
        left = sum(change is not None for change in self._changes)
        are_there = left >= number
        while left > number or (are_there and self._changes and self._changes[0] is None):
            left -= self._changes.popleft() is not None

    async def wait(self) -> None:
        """Wait until there is something to take, or the watch is lost."""
        while self.is_empty and self.standing:
            self._wake = trio.Event()
            await self._wake.wait()


Who = TypeVar("Who", Waiter, Listener)


class Hub:
    """Everybody who waits for changes, by path."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[Waiter]] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._armed: set[tuple[str, WatcherType]] = set()
        self.is_piecemeal = False
        """Whether the servers know of no watches of subtrees. Those before 3.6 close the connection
        over the question, so it is asked but once."""
        self._left: deque[Waiter | Listener] = deque()

    def wait_for(self, path: str, kind: WatcherType) -> Waiter:
        """Register somebody who waits. The flag is up."""
        waiter = Waiter(path, kind)
        self._waiters.setdefault(path, []).append(waiter)
        return waiter

    def listen(self, listener: Listener) -> None:
        """Register somebody who wants each event."""
        listeners = self._listeners.setdefault(listener.path, [])
        if any(each.recursive is not listener.recursive for each in listeners):
            # Servers before 3.9 keep one watch of one mode for a path and a connection.
            raise ValueError(
                f"{listener.path} is being watched in the other mode, recursive or not"
            )
        listeners.append(listener)

    @contextmanager
    def asking(self, listener: Listener) -> Iterator[Callable[[Reply], None]]:
        """Give a listener its watch while a block runs: call what this yields with the reply.

        On servers before 3.9 the last watch set on a znode replaces those of another mode. So while
        the question is under way nobody sets one that could replace it, and after it those who
        wait, for children above all, read again.
        """

        def stand(reply: Reply) -> None:
            if listener.asking is stand:  # else whoever asked was cancelled, and asks again
                listener.asking = None
                listener.stand(reply)
                self._raise_flags(listener.path)

        listener.asked = True
        listener.asking = stand
        try:
            yield stand
        finally:
            if listener.asking is stand:
                listener.asking = None
                self._raise_flags(listener.path)

    def _raise_flags(self, path: str) -> None:
        """Let those who wait read again: their own watches may have been replaced, or left out."""
        for waiter in self._waiters.get(path, ()):
            waiter.raise_flag()

    def leave(self, who: Waiter | Listener) -> None:
        """Register that somebody does not wait any longer. Safe wherever garbage is collected."""
        self._left.append(who)

    def arms(self, path: str, kind: WatcherType) -> bool:
        """Whether a read should set a watch; then it is counted as set.

        Where a listener has its own watch on the same znode, that one tells already, and a second
        one would replace it on servers before 3.9.
        """
        for each in self._listeners.get(path, ()):
            stands = each.asking is not None or (each.standing and not each.piecemeal)
            if stands and (kind == WatcherType.DATA or not each.recursive):
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
        if self._listeners:
            for listener in self._listeners_of(change):
                listener.push(change)

    def interrupt(self, since: float) -> None:
        """Tell everybody that the connection and all its watches are gone.

        since: when a server was last heard, by Trio's clock.
        """
        self._armed.clear()
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.raise_flag()
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.standing, listener.asking = False, None
                listener.drop(since)

    def sweep(self) -> Iterator[tuple[str, WatcherType]]:
        """Forget those who have left; yield the watches that nobody needs any longer."""
        while self._left:
            who = self._left.popleft()
            if isinstance(who, Listener):
                yield from self._close(who)
            elif self._remove(self._waiters, who):
                for kind in (WatcherType.DATA, who.kind):
                    if (who.path, kind) in self._armed and not self._is_needed(who.path, kind):
                        self._armed.discard((who.path, kind))
                        yield who.path, kind

    def _is_needed(self, path: str, kind: WatcherType) -> bool:
        """Whether somebody still rests on a watch. All may rest on that of `exists`."""
        waiters = self._waiters.get(path, ())
        return self._is_listened_to(path) or any(
            kind in (WatcherType.DATA, w.kind) for w in waiters
        )

    def _is_listened_to(self, path: str) -> bool:
        """Whether a listener rests on the watches of a znode, or has its own there."""
        if path in self._listeners:
            return True
        at_all = (each for listeners in self._listeners.values() for each in listeners)
        return any(each.piecemeal and each.covers(path) for each in at_all)

    def _close(self, listener: Listener) -> Iterator[tuple[str, WatcherType]]:
        if not self._remove(self._listeners, listener):
            return
        if listener.piecemeal:
            for path, kind in sorted(self._armed):
                if listener.covers(path) and not self._is_needed(path, kind):
                    self._armed.discard((path, kind))
                    yield path, kind
        elif listener.asked and listener.path not in self._listeners:
            # Servers before 3.9 can only remove all kinds at once: the others read again.
            self._armed -= {(listener.path, kind) for kind in _TOLD}
            self._raise_flags(listener.path)
            yield listener.path, WatcherType.ANY

    def _listeners_of(self, change: Change) -> Iterator[Listener]:
        path = change.path
        while True:
            for listener in self._listeners.get(path, ()):
                if listener.concerns(change):
                    yield listener
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
