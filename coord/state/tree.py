"""The znodes and rows of a replica, with the counts and the digest that are kept beside them.

Theory. Every replica applies the same operations, so every replica holds the same bytes. The digest
shows it: the sum of the checksums of all nodes and rows, kept as they change. Counters, the last
zxid and that sum lie in one row, (META, "state"), written once for each entry of the log; the
digest is the sum plus the checksum of this row.

Whatever changes a node goes through here, so that these hold between two operations:

1. Every node but the root has a parent; numChildren and cversion of the parent say so.
2. EPHEMERALS lists each node with an owner, under its owner.
3. REAPABLE lists each container and TTL node without children, under the time it may go.
4. DESCENDANTS has, for each node but the root, how many descendants lie deeper than its children,
   and no row where it is none: a tree of two levels has no rows and pays nothing. (These rows are
   written by `save`, once for all operations of an entry.)
5. `sum` is the sum of the checksums of all nodes and of all rows but (META, "state").

While children are born one after the other below one parent, 1 and 5 wait: its record is written
once for all of them, by `settle`. Before anything else is read or changed, `settle` is called.

Nothing is checked here: the operations did.
"""

from struct import Struct
from typing import Final

from coord.state import record as znode
from coord.state import rows
from coord.state.journal import Journal
from coord.state.paths import ROOT, ancestors, child_of
from coord.state.record import KIND_AT, STAT_SIZE, Kind, checksum_of, crc32
from coord.state.store import Store, Table

STATE_KEY: Final = b"state"
CONTAINER_IDLE_MS: Final = 300_000
"""How long a container without any child so far may live, as in ZooKeeper 3.10."""

_STATE: Final = Struct(">qqqqqqQ")
_COUNT: Final = Struct(">q")
# Plain numbers: an attribute of an enumeration takes as long as a look into a dictionary.
_EPHEMERAL: Final = int(Kind.EPHEMERAL)
_TTL: Final = int(Kind.TTL)


Begun = tuple[Store, Journal, tuple[int, ...], dict[bytes, int]]
"""What undoes a multi: the store, the journal over it, the counts, the changes of DESCENDANTS."""


class Tree:
    """The state of one replica in a store."""

    __slots__ = (
        "_deeper_changes",
        "_last_birth",
        "_parent",
        "_parent_path",
        "births",
        "data_bytes",
        "ephemeral_count",
        "last_session",
        "node_count",
        "store",
        "sum",
        "time_ms",
        "zxid",
    )

    zxid: int
    """Number of the last operation; 0 before the first."""
    time_ms: int
    """Time of the last entry; never goes back."""
    last_session: int
    """The last session id given; 0 before the first."""
    node_count: int
    """Number of znodes, the root included (ZooKeeper reports one more)."""
    ephemeral_count: int
    """Number of ephemeral znodes."""
    data_bytes: int
    """Bytes of all paths and data: ZooKeeper's approximate_data_size."""
    sum: int
    """The digest without the state row."""
    births: int
    """Children born that the record of their parent does not know yet; 0: all is settled."""

    def __init__(self, store: Store) -> None:
        self.store = store
        # By grandparent: how many grandchildren this entry added to it. What that adds to the rows
        # of it and its ancestors is written once for all operations of the entry, or before one
        # is read.
        self._deeper_changes: dict[bytes, int] = {}
        self.births = 0
        self._parent_path = b""
        self._parent = b""
        self._last_birth = 0
        stored = self.row(Table.META, STATE_KEY)
        (
            self.zxid,
            self.time_ms,
            self.last_session,
            self.node_count,
            self.ephemeral_count,
            self.data_bytes,
            self.sum,
        ) = (0, 0, 0, 0, 0, 0, 0) if stored is None else _STATE.unpack(stored)

    @property
    def digest(self) -> int:
        """What two replicas at the same entry must agree on."""
        return self.sum + rows.term_of(Table.META, STATE_KEY, self._state())

    def save(self) -> None:
        """Write the state row: the last change of every entry."""
        self.settle()
        self._save_deeper()
        state = self._state()
        term = rows.term_of(Table.META, STATE_KEY, state)
        self.store.put_row(Table.META, STATE_KEY, term.to_bytes(4, "big") + state)

    def _state(self) -> bytes:
        return _STATE.pack(
            self.zxid,
            self.time_ms,
            self.last_session,
            self.node_count,
            self.ephemeral_count,
            self.data_bytes,
            self.sum,
        )

    # Nodes.

    def node(self, path: bytes) -> bytes | None:
        """Return the record of a node, or None; the path may be anything a client sends."""
        return self.store.get(path) if path.startswith(ROOT) else None

    def parent(self, path: bytes) -> tuple[bytes, int] | None:
        """Return the record of a node below which another is to be created, or None.

        With it: how many births it does not know yet.
        """
        if self.births and path == self._parent_path:
            return self._parent, self.births
        record = self.node(path)
        return None if record is None else (record, 0)

    def create(
        self, path: bytes, parent: tuple[bytes, bytes], head: bytes, data: bytes, owner: int
    ) -> bytes:
        """Create a node below `parent`, its path and record; return the new node's Stat.

        `head` is made by `record.new_head`, `data` is a jute buffer, `owner` a session or 0.
        """
        zxid = self.zxid
        record = znode.new_record(path, head, data, zxid, self.time_ms, owner)
        self.store.add(path, record)
        self.node_count += 1
        self.data_bytes += len(path) + len(data) - 4
        self.sum += checksum_of(record)
        if head[0]:
            self._list(path, record)
        parent_path, old = parent
        if not self.births or parent_path != self._parent_path:
            self.settle()
            self._parent_path, self._parent = parent_path, old
            if old[KIND_AT] > _EPHEMERAL:
                self._unlist(parent_path, old)
        self.births += 1
        self._last_birth = zxid
        self._count_deeper(parent_path, 1)
        return record[-STAT_SIZE:]

    def settle(self) -> None:
        """Write what the births so far have changed in the record of the parent."""
        if self.births:
            path, old = self._parent_path, self._parent
            new, moved = znode.with_children_created(old, path, self._last_birth, self.births)
            self.births = 0
            self.store.put(path, new)
            self.sum += moved

    def delete(self, path: bytes, record: bytes, parent: tuple[bytes, bytes]) -> None:
        """Delete a node without children."""
        self.store.delete(path)
        self.node_count -= 1
        self.data_bytes -= len(path) + znode.data_length_of(record)
        parent_path, old = parent
        new, moved = znode.with_child_deleted(old, parent_path, self.zxid)
        self.store.put(parent_path, new)
        self.sum += moved - checksum_of(record)
        if record[KIND_AT]:
            self._unlist(path, record)
        if new[KIND_AT] > _EPHEMERAL:
            self._list(parent_path, new)
        self._count_deeper(parent_path, -1)

    def set_data(self, path: bytes, old: bytes, data: bytes) -> bytes:
        """Replace the data of a node; return its Stat."""
        new, stat = znode.with_data(old, path, data, self.zxid, self.time_ms)
        self.store.put(path, new)
        self.sum += checksum_of(new) - checksum_of(old)
        # Nothing but the data changed its length.
        self.data_bytes += len(new) - len(old)
        if old[KIND_AT] > _EPHEMERAL:  # its age counts from now on
            self._unlist(path, old)
            self._list(path, new)
        return stat

    def set_acl(self, path: bytes, old: bytes, acl: bytes) -> bytes:
        """Replace the ACL of a node; return its Stat."""
        new = znode.with_acl(old, path, acl)
        self.replace(path, old, new)
        return new[-STAT_SIZE:]

    def replace(self, path: bytes, old: bytes | None, new: bytes) -> None:
        """Put a record where another was, or none: for what leaves all counts as they are."""
        self.store.put(path, new)
        self.sum += checksum_of(new) - (0 if old is None else checksum_of(old))

    def descendants(self, path: bytes, record: bytes) -> int:
        """Return how many nodes lie below this one."""
        if path == ROOT:
            return self.node_count - 1
        self._save_deeper()
        return znode.children_of(record) + self._deeper(rows.path_key(path))

    # What a multi needs.

    def begin(self) -> Begun:
        """Make all changes from now on revocable; the result is for `keep` or `take_back`."""
        assert not self.births, "what was before a multi is not revoked"
        store = self.store
        journal = Journal(store)
        self.store = journal
        counts = (self.node_count, self.ephemeral_count, self.data_bytes, self.sum)
        return store, journal, counts, dict(self._deeper_changes)

    def keep(self, begun: Begun) -> None:
        """Let the changes since `begin` stand."""
        self.store = begun[0]

    def take_back(self, begun: Begun) -> None:
        """Undo the changes since `begin`."""
        self.store, journal, counts, self._deeper_changes = begun
        journal.take_back()
        self.node_count, self.ephemeral_count, self.data_bytes, self.sum = counts

    # Rows.

    def row(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of a row, or None when there is none."""
        stored = self.store.row(table, key)
        return None if stored is None else stored[4:]

    def put_row(self, table: Table, key: bytes, value: bytes) -> None:
        """Create or replace a row."""
        term = crc32(value, crc32(key, table))
        old = self.store.row(table, key)
        self.store.put_row(table, key, term.to_bytes(4, "big") + value)
        self.sum += term if old is None else term - checksum_of(old)

    def delete_row(self, table: Table, key: bytes) -> None:
        """Remove a row, if it is there."""
        old = self.store.row(table, key)
        if old is not None:
            self.store.delete_row(table, key)
            self.sum -= checksum_of(old)

    def _list(self, path: bytes, record: bytes) -> None:
        """Enter a node that something may end: its owner's session or its age."""
        if record[KIND_AT] == _EPHEMERAL:
            self.put_row(Table.EPHEMERALS, rows.ephemeral_key(znode.owner_of(record), path), path)
            self.ephemeral_count += 1
        elif not znode.children_of(record):
            self.put_row(Table.REAPABLE, rows.reapable_key(due_of(record), path), path)

    def _unlist(self, path: bytes, record: bytes) -> None:
        """Strike out what `_list` entered for this record, if it did."""
        if record[KIND_AT] == _EPHEMERAL:
            self.delete_row(Table.EPHEMERALS, rows.ephemeral_key(znode.owner_of(record), path))
            self.ephemeral_count -= 1
        elif not znode.children_of(record):
            self.delete_row(Table.REAPABLE, rows.reapable_key(due_of(record), path))

    def _count_deeper(self, parent: bytes, by: int) -> None:
        """Note that a node below this parent came or went."""
        cut = parent.rfind(b"/")
        if cut > 0:  # else the root is the grandparent, which is not counted, or there is none
            grandparent = parent[:cut]
            changes = self._deeper_changes
            changes[grandparent] = changes.get(grandparent, 0) + by

    def _save_deeper(self) -> None:
        """Write what the entry added so far to the counts of far descendants."""
        if not self._deeper_changes:
            return
        changes: dict[bytes, int] = {}
        for grandparent, by in self._deeper_changes.items():
            for ancestor in (grandparent, *ancestors(grandparent)):
                changes[ancestor] = changes.get(ancestor, 0) + by
        for ancestor, by in changes.items():
            key = rows.path_key(ancestor)
            count = self._deeper(key) + by
            if count:
                self.put_row(Table.DESCENDANTS, key, _COUNT.pack(count))
            else:
                self.delete_row(Table.DESCENDANTS, key)
        self._deeper_changes = {}

    def _deeper(self, key: bytes) -> int:
        """Return the count in DESCENDANTS under this key."""
        stored = self.row(Table.DESCENDANTS, key)
        count: int = 0 if stored is None else _COUNT.unpack(stored)[0]
        return count


def due_of(record: bytes) -> int:
    """Return from when on a container or TTL node without children may go."""
    if record[KIND_AT] == _TTL:
        return znode.stat_of(record).mtime + znode.ttl_of(record)
    # A container that had children may go at once, one that never had waits for its first.
    return 0 if znode.creates_of(record) else znode.stat_of(record).mtime + CONTAINER_IDLE_MS


def recompute_digest(store: Store) -> int:
    """Return the digest of all that is in a store, the slow way: for checks and tests."""
    total = 0
    paths = [ROOT] if store.get(ROOT) is not None else []
    while paths:
        path = paths.pop()
        record = store.get(path)
        assert record is not None, path
        total += checksum_of(record)
        paths += [child_of(path, name) for name in store.children(path)]
    for table in Table:
        total += sum(checksum_of(value) for _, value in store.rows(table))
    return total
