"""What lies in memory above LMDB: layers of changes, and a bounded cache of what was read.

Nodes and rows share one space of keys here: a path begins with `/` (47), a row's key with the
number of its table (0 to 5).
"""

from bisect import bisect_left, insort
from enum import Enum
from typing import Final

from coord.state.store import Table

TABLE_PREFIXES: Final = tuple(bytes([table]) for table in Table)
"""What the keys of a table's rows begin with here and in LMDB."""

ITEM_BYTES: Final = 220
"""What one record costs beside its key and its bytes: two headers, a place in a dictionary."""


class Missing(Enum):
    """Not known here; None means known not to exist."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Layer:
    """Changes since a flush, the newest of each node and row."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes | None] = {}
        """The record, or None for what was deleted."""
        self.size = 0
        """Bytes of memory, about."""
        # Paths that were put or deleted, and do not stand in `_names` yet: few layers are asked.
        self._unnamed: list[bytes] = []
        # By parent: the names that were put (True) or deleted (False).
        self._names: dict[bytes, dict[bytes, bool]] = {}
        # By table: the keys of its changed rows, sorted.
        self._rows: list[list[bytes]] = [[] for _ in Table]

    def add_node(self, path: bytes, record: bytes) -> None:
        """Put a node that is not there, but may have been."""
        records = self.records
        before = len(records)
        records[path] = record
        self._unnamed.append(path)
        self.size += len(record)
        if len(records) > before:
            self.size += ITEM_BYTES + len(path)

    def change_node(self, path: bytes, record: bytes | None) -> None:
        """Put or delete a node."""
        records = self.records
        if path in records:
            old = records[path]
            self.size -= len(old) if old is not None else 0
            if (old is None) is not (record is None):
                self._unnamed.append(path)
        else:
            self.size += ITEM_BYTES + len(path)
            self._unnamed.append(path)
        if record is not None:
            self.size += len(record)
        records[path] = record

    def change_row(self, table: Table, row: bytes, value: bytes | None) -> None:
        """Put or delete a row; `row` is its key behind the table's prefix."""
        records = self.records
        if row in records:
            old = records[row]
            self.size -= len(old) if old is not None else 0
        else:
            self.size += ITEM_BYTES + len(row)
            insort(self._rows[table], row)
        if value is not None:
            self.size += len(value)
        records[row] = value

    def names_changed(self, parent: bytes) -> dict[bytes, bool]:
        """Return the names below a parent (the root is b"") that were put or deleted."""
        self._name()
        return self._names.get(parent, _NO_NAMES)

    def rows_changed(self, table: Table, prefix: bytes) -> list[bytes]:
        """Return the changed rows of a table whose keys begin so, sorted."""
        rows = self._rows[table]
        begin = bisect_left(rows, prefix)
        end = begin
        while end < len(rows) and rows[end].startswith(prefix):
            end += 1
        return rows[begin:end]

    def _name(self) -> None:
        """Enter the paths of the last changes under their parents."""
        for path in self._unnamed:
            parent, _, name = path.rpartition(b"/")
            if name:  # the root is nobody's child
                names = self._names.get(parent)
                if names is None:
                    names = self._names[parent] = {}
                    self.size += ITEM_BYTES + len(parent)
                names[name] = self.records[path] is not None
        self._unnamed.clear()


_NO_NAMES: Final[dict[bytes, bool]] = {}


class Cache:
    """Records read from LMDB, in two generations; bounded in bytes, each to half of it.

    What is used while it is in the old generation moves to the young one. When the young one is
    full it becomes the old one, and what was not used since is forgotten.
    """

    def __init__(self, bytes_max: int) -> None:
        self.young: dict[bytes, bytes | None] = {}
        """Looked into first, by the reader itself: most reads end there."""
        self._old: dict[bytes, bytes | None] = {}
        self._bytes_max = bytes_max
        self._young_bytes = 0

    def promoted(self, key: bytes) -> bytes | Missing | None:
        """Return what the old generation has, and make it young."""
        record = self._old.pop(key, MISSING)
        if record is not MISSING:
            self.add(key, record)
        return record

    def add(self, key: bytes, record: bytes | None) -> None:
        """Remember what was read; None that there is nothing."""
        self.young[key] = record
        self._young_bytes += ITEM_BYTES + len(key) + (len(record) if record is not None else 0)
        if self._young_bytes * 2 > self._bytes_max:
            self._old = self.young
            self.young = {}
            self._young_bytes = 0

    def forget(self, key: bytes) -> None:
        """Drop what has become stale."""
        self.young.pop(key, None)
        self._old.pop(key, None)
