"""A store that can take back what was put: what a multi needs, and nothing else does."""

from collections.abc import Callable
from typing import Any

from coord.state.store import Store, Table


class Journal:
    """Passes everything on to a store and keeps what undoes it; implements `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._undo: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.get = store.get
        self.children = store.children
        self.listing = store.listing
        self.row_listing = store.row_listing
        self.row = store.row
        self.rows = store.rows

    def take_back(self) -> None:
        """Undo all of it, the last change first."""
        while self._undo:
            undo, arguments = self._undo.pop()
            undo(*arguments)

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
