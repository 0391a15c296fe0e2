"""The tree on disk: when it is flushed, and how it travels to another replica.

A flush is begun when the changes since the last one, or the log that a restart would have to read,
reach FLUSH_BYTES. Its commits run in the flusher's thread, its puts here in slices of FILL_S: see
`coord.storage.flush`. Before the first one, the rest of a large tree is looked at in such slices.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from coord.consensus.log import Point
from coord.replica.transfers import TransferBrokenError
from coord.storage.errors import SnapshotError, TransferExpired
from coord.storage.flush import Flush
from coord.storage.snapshots import Export, Import
from coord.storage.start import Storage
from coord.tasks.writer import Writer

FLUSH_BYTES: Final = 8 << 20
"""Changes in memory, or applied entries since the last flush. A restart applies that much of the
log again, which takes about a second at the most."""
OVERLAY_BYTES_MAX: Final = 32 << 20
"""With this much not flushed the log is not written, so acks wait, until a flush is done."""
FLUSH_AFTER_MS: Final = 60_000
"""Whatever changed is flushed after this time."""
FILL_S: Final = 0.001
"""Length of a slice of a flush in the loop."""
LOG_KEPT_ENTRIES: Final = 10_000
"""Entries kept below the newest one, for replicas that were away for a short time."""
LOG_KEPT_BYTES: Final = 16 << 20
"""The same in bytes, or LOG_KEPT_SHARE of the tree when that is more: whoever misses more gets a
snapshot, which is then the smaller of the two."""
LOG_KEPT_SHARE: Final = 0.25
BITE_ENTRIES: Final = 64
"""So many are given up at once: to drop one with every write costs as much as to add one."""
BITE_BYTES: Final = 1 << 20
"""Or so many bytes of them."""


class Trees:
    """Flushes, exports and imports of one replica's tree."""

    def __init__(self, storage: Storage, flusher: Writer) -> None:
        self._storage = storage
        self._flusher = flusher
        self._flush: Flush | None = None
        self._flush_number = 0
        """The log write that must be durable before the flush may begin."""
        self._durable_number = 0
        self._filling = False
        self._started = False
        self._is_looking = False
        """A large tree that was opened is still being looked at: no flush begins before."""
        self._flushed_ms = 0
        self._unflushed_bytes = 0
        """Entries applied since the last flush was begun."""
        self._kept: deque[tuple[int, int]] = deque()
        """Index and bytes of the newest entries."""
        self._kept_bytes = 0
        self._not_kept = 0
        """The log up to this entry is of no use to replicas that were away."""
        self.lowest_transfer: Callable[[], int | None] = lambda: None
        unfinished = storage.tree.unfinished()
        if unfinished is not None:
            self._begin(unfinished, 0)

    def applied(self, index: int, size: int, tree_bytes: int) -> None:
        """An entry of so many bytes was applied; the tree's data have so many now."""
        self._unflushed_bytes += size
        self._kept.append((index, size))
        self._kept_bytes += size
        kept_bytes_max = max(LOG_KEPT_BYTES, tree_bytes * LOG_KEPT_SHARE)
        excess, excess_bytes = len(self._kept) - LOG_KEPT_ENTRIES, self._kept_bytes - kept_bytes_max
        if excess < BITE_ENTRIES and excess_bytes < BITE_BYTES:
            return
        while self._kept_bytes > kept_bytes_max or len(self._kept) > LOG_KEPT_ENTRIES:
            self._not_kept, size = self._kept.popleft()
            self._kept_bytes -= size

    def log_is_durable(self, number: int) -> None:
        """The log writes up to this number are on the disk."""
        self._durable_number = number

    @property
    def overloaded(self) -> bool:
        """Whether the log must wait for a flush."""
        is_on_the_way = self._started or self._is_looking
        return is_on_the_way and self._storage.tree.unflushed_bytes > OVERLAY_BYTES_MAX

    def file_bytes(self) -> tuple[int, int]:
        """What the tree's file holds unused, and what the changes will take that it lacks yet."""
        return self._storage.tree.file.reusable_bytes, self._storage.tree.unflushed_bytes

    @property
    def configuration(self) -> bytes:
        """The configuration in force where the tree stands."""
        return self._storage.tree.configuration

    def trim_to(self) -> int:
        """The log is not needed up to this entry."""
        if self._storage.lacks_tree:
            return 0  # another tree may begin anywhere in the log
        lowest = self.lowest_transfer()
        trim_to = min(self._not_kept, self._storage.tree.point.index)
        return trim_to if lowest is None else min(lowest, trim_to)

    def keep(self, now_ms: int, handed_out: int, applied: Point, configuration: bytes) -> bool:
        """Do what is due; whether there is more to do at once.

        `handed_out`: number of the newest log write, which covers all that is applied.
        """
        if self._storage.lacks_tree:
            return False
        self._is_looking = self._storage.tree.look_on(FILL_S)
        if self._is_looking:
            return True
        if self._flush is None:
            if not self._is_due(now_ms, applied):
                return False
            self._flushed_ms = now_ms
            self._unflushed_bytes = 0
            self._begin(self._storage.tree.freeze(applied, configuration), handed_out)
        if not self._started:
            if self._durable_number >= self._flush_number:
                self._started = True
                self._commit()
            return False
        if self._filling and self._flush is not None and self._flush.fill(FILL_S):
            self._filling = False
            self._commit()
        return self._filling

    def _is_due(self, now_ms: int, applied: Point) -> bool:
        tree = self._storage.tree
        if applied.index == tree.point.index:
            self._flushed_ms = now_ms
            return False
        return (
            tree.overlay_bytes > FLUSH_BYTES
            or self._unflushed_bytes > FLUSH_BYTES
            or now_ms - self._flushed_ms > FLUSH_AFTER_MS
        )

    def _begin(self, flush: Flush, number: int) -> None:
        self._flush = flush
        self._flush_number = number
        self._started = False
        self._filling = False

    def _commit(self) -> None:
        flush = self._flush
        assert flush is not None
        self._flusher.submit(flush.commit, lambda _none: self._committed(flush))

    def _committed(self, flush: Flush) -> None:
        if self._flush is not flush:
            return
        if flush.is_done:
            self._storage.tree.finish(flush)
            self._flush = None
            self._started = False
        else:
            self._filling = True

    def stop(self) -> None:
        """Drop a flush under way: what it flushed is in the log as well."""
        if self._flush is not None:
            self._flusher.run(self._flush.abort)
            self._flush = None
            self._started = False
            self._filling = False

    def install(self) -> None:
        """Serve the tree that the log names now."""
        self.stop()
        # An import under way is given up by now, and must be over before its folder goes.
        self._flusher.run(lambda: None)
        self._storage.install()

    # ----------------------------------------------------------------- TreeStock of transfers

    def export(self, least_index: int) -> "TreeExport | None":
        """Open the flushed tree for reading; None when nothing as new as that was flushed yet."""
        if self._storage.lacks_tree:
            return None
        export = Export.begin(self._storage.tree)
        if export is not None and export.point.point.index < max(1, least_index):
            export.close()
            export = None
        if export is None:
            # Flush soon: consensus asks again.
            self._unflushed_bytes = max(self._unflushed_bytes, FLUSH_BYTES + 1)
            return None
        return TreeExport(export)

    def receive(self) -> "TreeImport":
        """Begin a new tree."""
        name, target = self._storage.begin_import()
        return TreeImport(name, target, self._flusher, self._storage.discard)

    def discard(self, name: str) -> None:
        """Remove a received tree that is not needed."""
        self._storage.discard(name)


class TreeExport:
    """A flushed tree being read for a transfer."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self.point = export.point.point
        self.configuration = export.point.configuration

    def next_chunk(self) -> bytes | None:
        """The next chunk; None after the last one; raises TransferBrokenError."""
        try:
            return next(self._export, None)
        except TransferExpired as error:
            raise TransferBrokenError(str(error)) from error

    def close(self) -> None:
        """Give the view back."""
        self._export.close()


class TreeImport:
    """A tree being received; its writes run in the flusher's thread."""

    def __init__(
        self, name: str, target: Import, flusher: Writer, discard: Callable[[str], None]
    ) -> None:
        self.name = name
        self._discard = discard
        self._target = target
        self._flusher = flusher

    def feed(self, chunk: bytes, done: Callable[[bool], None]) -> None:
        """Store a chunk."""
        self._flusher.submit(lambda: _succeeds(self._target.feed, chunk), done)

    def finish(self, done: Callable[[bool], None]) -> None:
        """Make everything durable."""
        self._flusher.submit(lambda: _succeeds(self._target.finish), done)

    def abandon(self) -> None:
        """Drop it, its folder included."""
        self._flusher.submit(self._drop, lambda _none: None)

    def _drop(self) -> None:
        self._target.abort()
        self._discard(self.name)


def _succeeds(action: Callable[..., Any], *arguments: bytes) -> bool:
    """Whether the chunks were whole; a failing disk still raises."""
    try:
        action(*arguments)
    except SnapshotError:
        return False
    return True
