"""Entries, Persists and trees to store, and a view of all that a store holds."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import lmdb

from coord.consensus.configuration import Configuration
from coord.consensus.effects import InstalledSnapshot, Persist
from coord.consensus.log import ORIGIN, Entry, EntryKind, HardState, Point, make_entry, point_of
from coord.state.store import PATH_KEY, Store, Table
from coord.storage.folder import DataFolder
from coord.storage.log import DurableLog
from coord.storage.tree import TreeStore

Everything = tuple[dict[bytes, bytes], dict[Table, list[tuple[bytes, bytes]]]]


def history(count: int, *, after: Point = ORIGIN, epoch: int = 1, size: int = 20) -> list[Entry]:
    """Return entries that follow one another."""
    entries = []
    for number in range(count):
        payload = (b"%d." % (after.index + 1) * size)[:size] + b"%d" % number
        entry = make_entry(after, epoch, EntryKind.OPERATIONS, payload)
        entries.append(entry)
        after = point_of(entry)
    return entries


def persist(
    *entries: Entry,
    hard: HardState | None = None,
    truncate_after: int | None = None,
    snapshot: InstalledSnapshot | None = None,
) -> Persist:
    return Persist(1, hard, truncate_after, tuple(entries), snapshot)


def snapshot_named(name: str, point: Point) -> InstalledSnapshot:
    return InstalledSnapshot(
        index=point.index, epoch=point.epoch, chain=point.chain, name=name,
        configuration=Configuration(
            ensemble=5, settings=b"", quorums="majority", members=()
        ),
    )  # fmt: skip


def opened_log(path: Path) -> DurableLog:
    """Return the log in an existing data folder of replica 1."""
    folder = DataFolder.open(path, 1)
    try:
        return DurableLog.open(folder.log_path)
    finally:
        folder.close()


def plant(store: Store) -> None:
    """Put the first row and the root."""
    store.put_row(Table.META, PATH_KEY, b"\0\0\0\0sixteen bytes ok")
    store.put(b"/", b"root")


def fill(store: Store, count: int, *, parents: int = 10, value: bytes = b"v" * 60) -> None:
    """Put some nodes and rows below a few parents."""
    plant(store)
    for number in range(parents):
        store.put(b"/parent%d" % number, b"p")
    for number in range(count):
        store.put(b"/parent%d/node%06d" % (number % parents, number), value + b"%d" % number)
        store.put_row(Table.SESSIONS, b"%08d" % number, b"s%d" % number)


def everything(store: Store) -> Everything:
    """Return all nodes, found from the root down, and all rows."""
    nodes: dict[bytes, bytes] = {}
    waiting = [b"/"]
    while waiting:
        path = waiting.pop()
        record = store.get(path)
        if record is None:
            assert path == b"/", f"{path!r} is listed and not there"
            continue
        nodes[path] = record
        below = b"/" if path == b"/" else path + b"/"
        names = store.children(path)
        assert len(set(names)) == len(names), f"a child of {path!r} is listed twice"
        assert all(names), f"a child of {path!r} has no name"
        waiting += (below + name for name in names)
    return nodes, {table: list(store.rows(table)) for table in Table}


def flush_all(tree: TreeStore, index: int, configuration: bytes = b"") -> None:
    """Flush what was changed, as the state after an entry."""
    flush = tree.freeze(Point(index, 1, index * 7), configuration)
    flush.write()
    tree.finish(flush)


def flip_bit(path: Path, database: bytes, key: bytes, at: int) -> None:
    """Change one bit of a stored value in the file, as a rotten disk would."""
    file = path / "data.mdb"
    with TemporaryDirectory() as copy:  # the file itself may be open
        shutil.copy(file, copy)
        environment = lmdb.open(copy, max_dbs=8, lock=False, map_size=1 << 30, readonly=True)
        opened = environment.open_db(database, create=False)
        with environment.begin() as transaction:
            value = transaction.get(key, db=opened)
        environment.close()
    data = file.read_bytes()
    rotten = bytearray(value)
    rotten[at] ^= 0x10
    assert value in data
    file.write_bytes(data.replace(value, rotten))
