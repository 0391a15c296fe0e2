"""Where the state of a replica is kept: what storage implements and tests fake.

Rules

1. Keys and values are bytes, and immutable: what `get` and `row` return never changes.
2. There are no transactions here. Everything that one entry of the log changes is put between two
   calls of `StateMachine.apply`; a store may take its own snapshot only between them.
3. The first thing ever put into an empty store is the row (META, PATH_KEY). A store that hashes
   paths takes its key from there; no node is put or read before it.
4. A node's parent is put before the node and deleted after it, so `children` needs no scan of
   what lies deeper. `put` of a path that is there replaces its record.
5. Every path begins with `/`: who asks for what a client sent has looked. Other paths could meet
   the keys of rows in a store that keeps both in one space.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, Protocol

from mypy_extensions import mypyc_attr


class Table(IntEnum):
    """The tables of rows beside the tree; keys have at most 200 bytes."""

    META = 0  # the state row, the genesis settings, the path key
    SESSIONS = 1  # session id -> attachment, timeout
    EPHEMERALS = 2  # session id + hash of the path -> path
    ORIGINS = 3  # replica id -> its last applied start and number
    REAPABLE = 4  # due time + hash of the path -> path
    DESCENDANTS = 5  # path (hashed when long) -> how many descendants lie deeper than the children


PATH_KEY: Final = b"path_key"
"""Key of the META row whose value, after its 4 bytes of checksum, keys the hash of paths."""


class Listing(Protocol):
    """Many short values as they were at one moment, to be taken over time. Close it in the end."""

    def take(self, count: int) -> list[bytes]:
        """Return the next ones, at most `count`; none when there are no more."""
        ...

    def close(self) -> None:
        """Let go of that moment; may be repeated."""
        ...


@mypyc_attr(allow_interpreted_subclasses=True)
class Store(ABC):
    """The tree as path -> record, and some tables of small rows."""

    @abstractmethod
    def get(self, path: bytes) -> bytes | None:
        """Return the record of a node, or None when it does not exist."""
        raise NotImplementedError

    @abstractmethod
    def add(self, path: bytes, record: bytes) -> None:
        """Create a node that does not exist; its parent does, unless it is the root `/`."""

    @abstractmethod
    def put(self, path: bytes, record: bytes) -> None:
        """Create a node as `add` does, or replace its record."""

    @abstractmethod
    def delete(self, path: bytes) -> None:
        """Remove a node that exists and has no children."""

    @abstractmethod
    def children(self, path: bytes) -> list[bytes]:
        """Return the names (not paths) of a node's children, all of them, in any order."""
        raise NotImplementedError

    @abstractmethod
    def listing(self, path: bytes) -> Listing:
        """Return the names that `children` returns now, for who cannot wait for all at once."""
        raise NotImplementedError

    @abstractmethod
    def row_listing(self, table: Table, prefix: bytes) -> Listing:
        """Likewise the values that `rows` returns now, in any order."""
        raise NotImplementedError

    @abstractmethod
    def row(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of a row, or None when there is none."""
        raise NotImplementedError

    @abstractmethod
    def put_row(self, table: Table, key: bytes, value: bytes) -> None:
        """Create or replace a row."""

    @abstractmethod
    def delete_row(self, table: Table, key: bytes) -> None:
        """Remove a row that exists."""

    @abstractmethod
    def rows(self, table: Table, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Go through the rows whose keys begin with the prefix, in the order of their keys.

        Nothing is put or deleted while an iterator is in use.
        """
        raise NotImplementedError
