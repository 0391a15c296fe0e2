"""Who waits for which path on this replica; local, never replicated.

Rules (the first four are ZooKeeper's)

1. A watch belongs to a watcher, which is one connection, and dies with it.
2. One trigger gives a watcher one event, however many watches it has there.
3. Data and child watches are consumed by a trigger, delivered or not; the others stay.
4. A deletion triggers data and child watches alike; a recursive watch hears of no child list.
5. All watches of one watcher have a budget in bytes: nothing a client sends grows for ever.
"""

from collections.abc import Hashable, Iterable, Iterator
from enum import IntFlag
from typing import Final

from coord.state.paths import ROOT
from coord.wire.errors import QuotaExceeded
from coord.wire.numbers import EventType, WatcherType


class Watch(IntFlag):
    """The watches that one watcher may have on one path, all at once."""

    DATA = 1  # one event: by exists and getData
    CHILDREN = 2  # one event: by getChildren
    PERSISTENT = 4  # by addWatch
    RECURSIVE = 8  # by addWatch


_ONE_SHOT: Final = int(Watch.DATA | Watch.CHILDREN)
_RECURSIVE: Final = int(Watch.RECURSIVE)

# Which watches an event reaches on its own path.
_HEARD_BY: Final = {
    int(EventType.NODE_CREATED): int(Watch.DATA | Watch.PERSISTENT | Watch.RECURSIVE),
    int(EventType.NODE_DELETED): int(
        Watch.DATA | Watch.CHILDREN | Watch.PERSISTENT | Watch.RECURSIVE
    ),
    int(EventType.NODE_DATA_CHANGED): int(Watch.DATA | Watch.PERSISTENT | Watch.RECURSIVE),
    int(EventType.NODE_CHILDREN_CHANGED): int(Watch.CHILDREN | Watch.PERSISTENT),
}

_NAMED_BY: Final = {
    WatcherType.CHILDREN: int(Watch.CHILDREN),
    WatcherType.DATA: int(Watch.DATA),
    WatcherType.ANY: int(Watch.DATA | Watch.CHILDREN | Watch.PERSISTENT | Watch.RECURSIVE),
    WatcherType.PERSISTENT: int(Watch.PERSISTENT),
    WatcherType.PERSISTENT_RECURSIVE: int(Watch.RECURSIVE),
}

_WATCH_BYTES: Final = 200
"""What a watch costs besides its path: two entries of dictionaries."""

BUDGET_BYTES: Final = 64 << 20
"""Room for 200,000 watches on paths of 100 bytes; Curator's caches set two for each znode."""


class WatchTable:
    """The watches of all connections of one replica."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._by_path: dict[bytes, dict[Hashable, int]] = {}
        self._by_watcher: dict[Hashable, dict[bytes, None]] = {}
        self._spent_bytes: dict[Hashable, int] = {}
        self._recursive = 0
        self._pairs = 0

    @property
    def count(self) -> int:
        """How many pairs of a path and a watcher there are."""
        return self._pairs

    @property
    def path_count(self) -> int:
        """How many paths are watched."""
        return len(self._by_path)

    @property
    def watcher_count(self) -> int:
        """How many connections watch."""
        return len(self._by_watcher)

    def by_path(self) -> Iterator[tuple[bytes, tuple[Hashable, ...]]]:
        """Go through the watched paths and their watchers, for administrators."""
        for path, watchers in self._by_path.items():
            yield path, tuple(watchers)

    def paths_of(self, watcher: Hashable) -> tuple[bytes, ...]:
        """Return the paths that one connection watches."""
        return tuple(self._by_watcher.get(watcher, ()))

    def add(self, watcher: Hashable, path: bytes, watch: int) -> None:
        """Set a watch (`Watch`); again is as good as once. Raises QuotaExceeded over the budget."""
        here = self._by_path.get(path)
        if here is None:
            here = {}
        watches = here.get(watcher, 0)
        if watches & watch == watch:
            return
        if not watches:
            self._spend(watcher, path)
            self._by_watcher.setdefault(watcher, {})[path] = None
            self._by_path[path] = here
            self._pairs += 1
        if watch & _RECURSIVE:
            self._recursive += 1
        here[watcher] = watches | watch

    def contains(self, watcher: Hashable, path: bytes, which: WatcherType) -> bool:
        """Tell whether a watcher has such a watch there."""
        return bool(self._by_path.get(path, {}).get(watcher, 0) & _NAMED_BY[which])

    def remove(self, watcher: Hashable, path: bytes, which: WatcherType) -> bool:
        """Remove such watches; tell whether there were any."""
        watches = self._by_path.get(path, {}).get(watcher, 0)
        named = watches & _NAMED_BY[which]
        if named:
            self._leave(watcher, path, watches, watches & ~named)
        return bool(named)

    def drop(self, watcher: Hashable) -> None:
        """Remove all watches of a connection that is gone."""
        for path in self.paths_of(watcher):
            self._leave(watcher, path, self._by_path[path][watcher], 0)

    def trigger(self, event: int, path: bytes) -> Iterable[Hashable]:
        """Return who is to be told of this event, each once, and consume one-shot watches."""
        here = self._by_path.get(path)
        if here is None and not self._recursive:
            return ()
        told: dict[Hashable, None] = {}
        if here is not None:
            self._trigger_here(event, path, here, told)
        if self._recursive and event != EventType.NODE_CHILDREN_CHANGED:
            self._trigger_above(path, told)
        return told

    def _trigger_here(
        self, event: int, path: bytes, here: dict[Hashable, int], told: dict[Hashable, None]
    ) -> None:
        heard_by = _HEARD_BY[event]
        for watcher, watches in tuple(here.items()):
            heard = watches & heard_by
            if heard:
                told[watcher] = None
                if heard & _ONE_SHOT:
                    self._leave(watcher, path, watches, watches & ~(heard & _ONE_SHOT))

    def _trigger_above(self, path: bytes, told: dict[Hashable, None]) -> None:
        """Add who watches an ancestor with all below it."""
        by_path = self._by_path
        cut = len(path)
        while path != ROOT and cut > 0:
            cut = path.rfind(b"/", 0, cut)
            watchers = by_path.get(path[:cut] or ROOT)
            if watchers is not None:
                told.update((each, None) for each, on in watchers.items() if on & _RECURSIVE)

    def _spend(self, watcher: Hashable, path: bytes) -> None:
        spent_bytes = self._spent_bytes.get(watcher, 0) + len(path) + _WATCH_BYTES
        if spent_bytes > self._budget_bytes:
            raise QuotaExceeded(f"watches of one connection take over {self._budget_bytes} bytes")
        self._spent_bytes[watcher] = spent_bytes

    def _leave(self, watcher: Hashable, path: bytes, watches: int, left: int) -> None:
        """Leave a watcher only some of its watches on a path."""
        if (watches & ~left) & _RECURSIVE:
            self._recursive -= 1
        here = self._by_path[path]
        if left:
            here[watcher] = left
            return
        del here[watcher]
        self._pairs -= 1
        if not here:
            del self._by_path[path]
        paths = self._by_watcher[watcher]
        del paths[path]
        if paths:
            self._spent_bytes[watcher] -= len(path) + _WATCH_BYTES
        else:
            del self._by_watcher[watcher]
            del self._spent_bytes[watcher]
