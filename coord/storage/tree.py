"""The tree of one replica: znodes and rows, in LMDB as of the last flush, in memory what is newer.

A record is looked for in the cache (read from LMDB before and not changed since), in the fresh
layer (changed since the last freeze), in the frozen layer (being flushed), then in LMDB.

Rules

1. LMDB holds the state after one entry of the log, whole: see `flush.py`. Only what is committed,
   and durable in this replica's own log, may be frozen: the driver freezes at an index up to which
   both hold, so that a tree on disk never knows more than the log beside it.
2. `finish` opens the read transaction that sees a flush and drops the frozen layer in one step, so
   no reader ever misses a change or sees the tree without it.
3. Values leave LMDB as copies; nothing refers into the map once a call is over.
4. Nothing grows with the tree: cache and layers are bounded in bytes, the former here, the latter
   by the driver, which freezes at its bound and holds writes back at a greater one.
5. No page is used, and none said to lack a key, that was not looked at: see `scrub`.
"""

from collections.abc import Generator, Iterator
from heapq import merge
from pathlib import Path
from typing import Final

import lmdb

from coord.consensus.log import Point
from coord.state.store import PATH_KEY, Store, Table
from coord.storage.arrangement import Arrangement
from coord.storage.ends import Ends
from coord.storage.environment import Environment
from coord.storage.errors import DamagedTree
from coord.storage.flush import DATABASES, STEPS, Flush, FlushPoint, Steps, TreeFile, read_journal
from coord.storage.keys import TAG_AT, PathKeys, record_behind_name
from coord.storage.layer import MISSING, TABLE_PREFIXES, Cache, Layer
from coord.storage.pages import check_pages
from coord.storage.ranges import shown, stored_names, stored_rows, unsealed_row
from coord.storage.scrub import Scrub
from coord.storage.seal import unseal
from coord.storage.view import StoredListing, View

MAP_BYTES: Final = 1 << 40
"""Addresses set aside: more than any tree of this kind needs."""
CHECKED_BYTES_MAX: Final = 4 << 20
"""Files up to this size are looked at in full at the start: 0.1 s."""
CACHE_BYTES: Final = 16 << 20
"""Hot records kept in memory, unless told otherwise."""

_CHECKSUM_SPACE: Final = 4  # what stands before the key in the value of the PATH_KEY row
_NOTHING: Final[dict[bytes, bytes | None]] = {}


class TreeStore(Store):
    """The state, kept in LMDB; belongs to the loop's thread."""

    def __init__(
        self, environment: Environment, cache_bytes: int, steps: Steps, scrub: Scrub | None
    ) -> None:
        """Use `open` or `create`."""
        self._scrub = scrub
        self._file = TreeFile(environment)
        self._view = View(self._file)
        self._ends = Ends(self._view.transaction, self._file.nodes)
        self._cache = Cache(cache_bytes)
        self._fresh = Layer()
        self._frozen: Layer | None = None
        self._frozen_records = _NOTHING
        self._path_key: bytes | None = None
        self._keys = PathKeys(b"")  # until the row of the path key is put: no node comes before
        self._steps = steps
        self._flush: Flush | None = None
        self._flushed = FlushPoint()
        self._read_state()

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        cache_bytes: int = CACHE_BYTES,
        steps: Steps = STEPS,
        map_bytes: int = MAP_BYTES,
    ) -> "TreeStore":
        """Make an empty tree, durably, in a folder that is not there yet."""
        path.mkdir()
        tree = cls.open(path, cache_bytes=cache_bytes, steps=steps, map_bytes=map_bytes)
        tree.file.environment.sync()
        return tree

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        cache_bytes: int = CACHE_BYTES,
        steps: Steps = STEPS,
        map_bytes: int = MAP_BYTES,
        checked_bytes_max: int = CHECKED_BYTES_MAX,
    ) -> "TreeStore":
        """Open a tree as of its last flush; reads a bounded amount, however large it is.

        A small one is looked at in full; a large one is, too, but in the course of time.
        """
        file = path / "data.mdb"
        scrub: Scrub | None = None
        environment: Environment | None = None
        if file.exists():
            if file.stat().st_size <= checked_bytes_max:
                check_pages(file, DamagedTree, DATABASES)
            else:
                scrub = Scrub(file, DamagedTree, DATABASES)
        try:
            environment = Environment.open(
                path, map_bytes=map_bytes, locked=True, durable=True, damage=DamagedTree
            )
            return cls(environment, cache_bytes, steps, scrub)
        except BaseException:
            if scrub is not None:
                scrub.close()
            if environment is not None:
                environment.close()
            raise

    def look_on(self, seconds: float) -> bool:
        """Look at more of a large tree, for about so long; whether there is more to look at.

        Until then nothing is to be frozen or shared.
        """
        if self._scrub is not None:
            self._scrub.go_on(seconds)
            if self._scrub.is_done:
                self._scrub = None
        return self._scrub is not None

    @property
    def point(self) -> Point:
        """The place in the log of which the tree on disk is the state."""
        return self._flushed.point

    @property
    def configuration(self) -> bytes:
        """What `freeze` was given with that place; b"" at first."""
        return self._flushed.configuration

    @property
    def overlay_bytes(self) -> int:
        """Memory of the changes since the last freeze: when to freeze again."""
        return self._fresh.size

    @property
    def unflushed_bytes(self) -> int:
        """Memory of all changes that are not folded yet: when to hold writes back."""
        return self._fresh.size + (0 if self._frozen is None else self._frozen.size)

    def get(self, path: bytes) -> bytes | None:
        """Return the record of a node, or None when it does not exist."""
        record = self._cache.young.get(path, MISSING)
        if record is MISSING:
            record = self._fresh.records.get(path, MISSING)
            if record is MISSING:
                record = self._frozen_records.get(path, MISSING)
                if record is MISSING:
                    return self._read_node(path)
        return record

    def add(self, path: bytes, record: bytes) -> None:
        """Create a node that does not exist: the cache holds none of these."""
        self._fresh.add_node(path, record)

    def put(self, path: bytes, record: bytes) -> None:
        """Create a node or replace its record."""
        fresh = self._fresh
        if path not in fresh.records:  # else the cache has forgotten it before
            self._cache.forget(path)
        fresh.change_node(path, record)

    def delete(self, path: bytes) -> None:
        """Remove a node that exists and has no children."""
        self._cache.forget(path)
        self._fresh.change_node(path, None)

    def children(self, path: bytes) -> list[bytes]:
        """Return the names of a node's children."""
        changed = self._names_changed(path)
        return list(self._names(self._view, path, changed))

    def listing(self, path: bytes) -> StoredListing:
        """Return the names of a node's children as they are now, to be taken over time."""
        view, changed = self._view.hold(), dict(self._names_changed(path))
        return StoredListing(view, self._names(view, path, changed))

    def row_listing(self, table: Table, prefix: bytes) -> StoredListing:
        """Return the values of the rows that begin so, as they are now, to be taken over time."""
        start = TABLE_PREFIXES[table] + prefix
        view, changed = self._view.hold(), self._rows_changed(table, start)
        return StoredListing(view, self._values(view, start, changed))

    def row(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of a row, or None when there is none."""
        row = TABLE_PREFIXES[table] + key
        value = self._cache.young.get(row, MISSING)
        if value is MISSING:
            value = self._fresh.records.get(row, MISSING)
            if value is MISSING:
                value = self._frozen_records.get(row, MISSING)
                if value is MISSING:
                    return self._read_row(row)
        return value

    def put_row(self, table: Table, key: bytes, value: bytes) -> None:
        """Create or replace a row."""
        row = TABLE_PREFIXES[table] + key
        self._cache.forget(row)
        self._fresh.change_row(table, row, value)
        if table is Table.META and key == PATH_KEY:
            self._key_paths(value)

    def delete_row(self, table: Table, key: bytes) -> None:
        """Remove a row that exists."""
        row = TABLE_PREFIXES[table] + key
        self._cache.forget(row)
        self._fresh.change_row(table, row, None)

    def rows(self, table: Table, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Go through the rows whose keys begin with the prefix, in the order of their keys.

        Nothing is put, deleted or finished while the iterator is in use.
        """
        start = TABLE_PREFIXES[table] + prefix
        changed = self._rows_changed(table, start)
        stored = (
            item
            for item in stored_rows(self._view, self._scrub, self._file, start)
            if item[0] not in changed
        )
        newer = ((row, value) for row, value in sorted(changed.items()) if value is not None)
        for row, value in merge(stored, newer):
            yield row[1:], value

    def freeze(self, point: Point, configuration: bytes) -> Flush:
        """Begin to flush all changes so far: they are the state after the entry at `point`.

        That entry is committed, and durable in this replica's own log. Costs the same however much
        was changed. See `Flush` for what follows; then `finish`.
        """
        assert self._flush is None, "one flush at a time"
        assert point.index >= self.point.index, "a tree never goes back"
        assert self._scrub is None, "not all was looked at"
        self._frozen, self._fresh = self._fresh, Layer()
        self._frozen_records = self._frozen.records
        self._flush = self._new_flush(FlushPoint(point, configuration))
        return self._flush

    def unfinished(self) -> Flush | None:
        """Return the flush that the last process left unfinished: to be done before `freeze`."""
        return self._flush

    def finish(self, flush: Flush) -> None:
        """Show a flush that is done: from now on its changes are read from LMDB."""
        assert flush is self._flush, "not the flush that was begun"
        assert flush.is_done, "not all is written"
        self._view.release()
        self._view = View(self._file)
        self._ends = Ends(self._view.transaction, self._file.nodes)
        self._flushed = flush.point
        self._frozen = None
        self._frozen_records = _NOTHING
        self._flush = None

    def share(self) -> tuple[View, FlushPoint] | None:
        """Return what a transfer reads: the tree as of `point`.

        None while only part is folded, or looked at.
        """
        is_partly_folded = self._flush is not None and self._flush.point is self._flushed
        if is_partly_folded or self._scrub is not None:
            return None
        return self._view.hold(), self._flushed

    @property
    def file(self) -> TreeFile:
        """The environment and its databases, for transfers."""
        return self._file

    def close(self) -> None:
        """Let go of the file; a flush under way must have been aborted."""
        self._view.release()
        self._file.environment.close()
        if self._scrub is not None:
            self._scrub.close()

    def _read_state(self) -> None:
        """Find out where the tree on disk stands."""
        if self._scrub is not None:
            self._scrub.look_at_all(b"state")
            self._scrub.look_at_all(b"journal")
        try:
            stored = self._file.get_state(self._view.transaction, b"point")
            self._flushed = FlushPoint() if stored is None else FlushPoint.decode(stored)
            self._frozen = read_journal(self._file, self._view.transaction)
        except lmdb.Error as error:
            raise DamagedTree(f"the tree is damaged: {error}") from error
        self._frozen_records = _NOTHING if self._frozen is None else self._frozen.records
        path_key = self.row(Table.META, PATH_KEY)
        if path_key is not None:
            self._key_paths(path_key)
        if self._frozen is not None:
            self._flush = self._new_flush(self._flushed)
            self._flush.resume()

    def _new_flush(self, point: FlushPoint) -> Flush:
        assert self._frozen is not None
        records = self._frozen.records
        arrangement = Arrangement(records, self._keys, self._ends, self._steps.run)
        return Flush(self._file, point, arrangement, self._steps)

    def _key_paths(self, row: bytes) -> None:
        """Take the key of all paths from its row, before there is any path."""
        secret = row[_CHECKSUM_SPACE:]
        assert self._path_key in (None, secret), "the path key never changes"
        self._path_key = secret
        self._keys = PathKeys(secret)

    def _read_node(self, path: bytes) -> bytes | None:
        """Return a node that no layer has, and remember it."""
        record = self._cache.promoted(path)
        if record is not MISSING:
            return record
        parent, _, name = path.rpartition(b"/")
        if self._ends.come_before(parent, name):
            return None
        key = self._keys.key_of(path)
        if self._scrub is not None:
            self._scrub.look(b"nodes", key)
        try:
            stored = self._view.transaction.get(key, None, self._file.nodes)
            if stored is None:
                if self._scrub is None:
                    self._ends.was_missing(parent, self._keys)
                return None
        except lmdb.Error as error:
            raise DamagedTree(f"the tree is damaged: {error}") from error
        record = unseal(key, stored)
        if record is None:
            raise DamagedTree(f"the znode {shown(path)} is damaged")
        if key[TAG_AT]:
            record = record_behind_name(record)
        self._cache.add(path, record)
        return record

    def _read_row(self, row: bytes) -> bytes | None:
        """Return a row that no layer has, and remember it, also when there is none."""
        value = self._cache.promoted(row)
        if value is MISSING:
            if self._scrub is not None:
                self._scrub.look(b"rows", row)
            try:
                stored = self._view.transaction.get(row, None, self._file.rows)
            except lmdb.Error as error:
                raise DamagedTree(f"the tree is damaged: {error}") from error
            value = None if stored is None else unsealed_row(row, stored)
            self._cache.add(row, value)
        return value

    def _names_changed(self, path: bytes) -> dict[bytes, bool]:
        """Return the children that LMDB does not know as they are: there (True) or gone."""
        parent = b"" if path == b"/" else path
        changed = self._fresh.names_changed(parent)
        if self._frozen is not None:
            changed = self._frozen.names_changed(parent) | changed
        return changed

    def _rows_changed(self, table: Table, start: bytes) -> dict[bytes, bytes | None]:
        """Return the rows that begin so and that LMDB does not know as they are."""
        changed: dict[bytes, bytes | None] = {}
        for layer in (self._frozen, self._fresh):
            if layer is not None:
                records = layer.records
                for row in layer.rows_changed(table, start):
                    changed[row] = records[row]
        return changed

    def _names(
        self, view: View, path: bytes, changed: dict[bytes, bool]
    ) -> Generator[bytes, None, None]:
        """Go through the names of a node's children, as of a view and the changes above it."""
        yield from stored_names(view, self._scrub, self._file, self._keys, path, changed)
        for name, is_there in changed.items():
            if is_there:
                yield name

    def _values(
        self, view: View, start: bytes, changed: dict[bytes, bytes | None]
    ) -> Generator[bytes, None, None]:
        """Go through the values of the rows that begin so, as of a view and changes above it."""
        for row, value in stored_rows(view, self._scrub, self._file, start):
            if row not in changed:
                yield value
        for newer in changed.values():
            if newer is not None:
                yield newer
