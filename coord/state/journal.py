"""A store that can take back what was put: what a multi needs, and nothing else does."""

from collections.abc import Callable, Iterator
from typing import Any

from coord.state.store import Listing, Store, Table


class Journal(Store):
    """Passes everything on to a store and keeps what undoes it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._undo: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def take_back(self) -> None:
        """Undo all of it, the last change first."""
        while self._undo:
            undo, arguments = self._undo.pop()
            undo(*arguments)

    def get(self, path: bytes) -> bytes | None:
        """Return the record of a node, or None when it does not exist."""
        return self._store.get(path)

    def children(self, path: bytes) -> list[bytes]:
        """Return the names of a node's children."""
        return self._store.children(path)

    def listing(self, path: bytes) -> Listing:
        """Return the names that `children` returns now."""
        return self._store.listing(path)

    def row_listing(self, table: Table, prefix: bytes) -> Listing:
        """Return the values that `rows` returns now."""
        return self._store.row_listing(table, prefix)

    def row(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of a row, or None when there is none."""
        return self._store.row(table, key)

    def rows(self, table: Table, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Go through the rows whose keys begin with the prefix, in the order of their keys."""
        return self._store.rows(table, prefix)

    def add(self, path: bytes, record: bytes) -> None:
        """Create a node that does not exist."""
        self._undo.append((self._store.delete, (path,)))
        self._store.add(path, record)

    def put(self, path: bytes, record: bytes) -> None:
        """Create a node or replace its record."""
        old = self.get(path)
        if old is None:
            self._undo.append((self._store.delete, (path,)))
        else:
            self._undo.append((self._store.put, (path, old)))
        self._store.put(path, record)

    def delete(self, path: bytes) -> None:
        """Remove a node that exists and has no children."""
        self._undo.append((self._store.put, (path, self.get(path))))
        self._store.delete(path)

    def put_row(self, table: Table, key: bytes, value: bytes) -> None:
        """Create or replace a row."""
        old = self.row(table, key)
        if old is None:
            self._undo.append((self._store.delete_row, (table, key)))
        else:
            self._undo.append((self._store.put_row, (table, key, old)))
        self._store.put_row(table, key, value)

    def delete_row(self, table: Table, key: bytes) -> None:
        """Remove a row that exists."""
        self._undo.append((self._store.put_row, (table, key, self.row(table, key))))
        self._store.delete_row(table, key)
