"""Which containers and TTL nodes may go; the leader asks, and each is checked again at apply."""

import itertools

from coord.state import record as znode
from coord.state import rows
from coord.state.record import KIND_AT, Kind
from coord.state.store import Store, Table
from coord.state.tree import due_of


def reapable(store: Store, now_ms: int, limit: int) -> list[tuple[bytes, int, int]]:
    """Return (path, mzxid, pzxid) of at most `limit` nodes that may go, the longest due first.

    Looks at no more rows than that: nodes with children are not listed.
    """
    found = []
    for key, value in itertools.islice(store.rows(Table.REAPABLE), limit):
        if rows.due_of(key) >= now_ms:
            break
        path = value[4:]
        record = store.get(path)
        assert record is not None, path
        stat = znode.stat_of(record)
        found.append((path, stat.mzxid, stat.pzxid))
    return found


def is_reapable(record: bytes, seen: tuple[int, int], time_ms: int) -> bool:
    """Tell whether a node is as it was seen (mzxid, pzxid), still childless, and due."""
    if record[KIND_AT] not in (Kind.CONTAINER, Kind.TTL) or znode.children_of(record):
        return False
    stat = znode.stat_of(record)
    return (stat.mzxid, stat.pzxid) == seen and due_of(record) < time_ms
