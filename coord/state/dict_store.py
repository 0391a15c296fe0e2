"""A store in dictionaries: for tests, the simulation and the test kit."""

from collections.abc import Iterator

from coord.state.store import Store, Table


class ListedValues:
    """Values that were all copied at once; implements `Listing`."""

    def __init__(self, values: list[bytes]) -> None:
        self._values = values
        self._taken = 0

    def take(self, count: int) -> list[bytes]:
        """Return the next ones, at most `count`; none when there are no more."""
        taken = self._values[self._taken : self._taken + count]
        self._taken += len(taken)
        return taken

    def close(self) -> None:
        """There is nothing to let go of."""


class DictStore(Store):
    """The state in memory."""

    def __init__(self) -> None:
        self._nodes: dict[bytes, bytes] = {}
        # Names by parent, in the order of their creation; parents without children have no entry.
        self._names: dict[bytes, dict[bytes, None]] = {}
        self._rows: list[dict[bytes, bytes]] = [{} for _ in Table]

    def get(self, path: bytes) -> bytes | None:
        """Return the record of a node, or None when it does not exist."""
        return self._nodes.get(path)

    def add(self, path: bytes, record: bytes) -> None:
        """Create a node that does not exist."""
        self.put(path, record)

    def put(self, path: bytes, record: bytes) -> None:
        """Create a node or replace its record."""
        nodes = self._nodes
        if path not in nodes and path != b"/":
            parent, _, name = path.rpartition(b"/")
            names = self._names.get(parent)
            if names is None:
                names = self._names[parent] = {}
            names[name] = None
        nodes[path] = record

    def delete(self, path: bytes) -> None:
        """Remove a node that exists and has no children."""
        del self._nodes[path]
        parent, _, name = path.rpartition(b"/")
        names = self._names[parent]
        del names[name]
        if not names:
            del self._names[parent]

    def children(self, path: bytes) -> list[bytes]:
        """Return the names of a node's children."""
        # The root's children are kept under the empty path, as `rpartition` cuts them.
        return list(self._names.get(b"" if path == b"/" else path, ()))

    def listing(self, path: bytes) -> ListedValues:
        """Return the names that `children` returns now."""
        return ListedValues(self.children(path))

    def row_listing(self, table: Table, prefix: bytes) -> ListedValues:
        """Return the values that `rows` returns now."""
        return ListedValues([value for _, value in self.rows(table, prefix)])

    def row(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of a row, or None when there is none."""
        return self._rows[table].get(key)

    def put_row(self, table: Table, key: bytes, value: bytes) -> None:
        """Create or replace a row."""
        self._rows[table][key] = value

    def delete_row(self, table: Table, key: bytes) -> None:
        """Remove a row that exists."""
        del self._rows[table][key]

    def rows(self, table: Table, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Go through the rows whose keys begin with the prefix, in the order of their keys."""
        rows = self._rows[table]
        for key in sorted(rows):
            if key.startswith(prefix):
                yield key, rows[key]
