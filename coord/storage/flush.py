"""A flush: the changes of one layer go into LMDB, all or none, beside a loop that must not stop.

What it costs, for 20,000 nodes among 1,000,000, beside a loop that never rests but makes calls of
the system (`python -m benchmarks storage`; the commits are 7 µs a node in both):

    all puts in another thread       21 to 77 µs of CPU a node, 1 to 17 s, pauses of 8 to 200 ms
    puts by the loop in slices       15 µs of CPU a node, 0.3 to 0.5 s, no pause over 3 ms

LMDB's binding gives the interpreter's lock away around every single put: the thread must then get
it back from the loop, and each time both of them pay for a switch. So the loop puts, in slices of a
length that the driver chooses, and another thread only begins and commits: two calls a transaction.
LMDB wants a write transaction to begin and end in one thread, since its writer mutex belongs to a
thread; that is so here, and the two threads take turns. (The loop could also commit without a sync
and leave the sync to the thread. But the page that names the new state could then reach the disk
before the state does, and LMDB, which has no checksums, would believe it after a power cut.)

A transaction keeps the pages that it changes in memory until it commits: 80 MB for 20,000 nodes
that lie far apart. Changes that are sure to need few pages, as new children with rising names, go
into the tree in one transaction. Others are first written as they are, in sequence, to a journal
(6 MB); the commit that completes it is the moment in which the flush has happened. Then the changes
are folded into the tree, sorted, in transactions of bounded size, and the last one drops the
journal. A start that finds a whole journal takes it for a frozen layer and folds it again; every
step may be repeated. A journal that is not whole is ignored and dropped by the next flush.
"""

from collections.abc import Iterator
from math import inf
from struct import Struct
from time import perf_counter
from typing import Final

import attrs
import lmdb

from coord.consensus.log import ORIGIN, Point
from coord.state.store import Table
from coord.storage.arrangement import Arrangement, Change
from coord.storage.environment import Database, Environment, Transaction
from coord.storage.errors import DamagedTree
from coord.storage.layer import Layer
from coord.storage.seal import seal, unseal


@attrs.frozen
class Steps:
    """How finely a flush is cut."""

    pages: int = 4000
    """Leaves, of 4 KiB, that a flush without a journal may change: all are in memory at once."""
    records: int = 1000
    """Changes in one transaction of the fold: each may cost a page."""
    step_bytes: int = 4 << 20
    """Bytes of records in one transaction."""
    piece_bytes: int = 1900
    """Of the journal; two pieces to a page: longer ones need runs of free pages, which are rare."""
    encode_bytes: int = 16 << 10
    """Bytes of records encoded at once."""
    turn: int = 32
    """Puts between two looks at the clock: about 0.1 ms."""
    run: int = 512
    """Keys sorted at once: about 0.2 ms."""


STEPS: Final = Steps()

_NONE: Final = 0xFFFFFFFF
_ITEM: Final = Struct("<II")
_PIECE: Final = Struct(">I")
_POINT: Final = Struct(">qqQ")
_COUNT: Final = Struct(">I")
_SLASH: Final = b"/"[0]


@attrs.frozen
class FlushPoint:
    """The place in the log up to which a tree is flushed."""

    point: Point = ORIGIN
    """The tree is the state after this entry."""
    configuration: bytes = b""
    """The configuration in force there, opaque here; b"" for none."""

    def encode(self) -> bytes:
        """Return it as it is stored."""
        point = self.point
        return _POINT.pack(point.index, point.epoch, point.chain) + self.configuration

    @classmethod
    def decode(cls, data: bytes) -> "FlushPoint":
        """Read what `encode` made."""
        return cls(Point(*_POINT.unpack_from(data)), data[_POINT.size :])


DATABASES: Final = {b"nodes": True, b"rows": True, b"journal": True, b"state": True}
"""The databases of a tree, and whether their values are sealed."""


class TreeFile:
    """The environment of one tree and its databases."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.nodes = environment.database(b"nodes")
        """Key of a path -> sealed record."""
        self.rows = environment.database(b"rows")
        """Table, key -> sealed value."""
        self.journal = environment.database(b"journal")
        """Number of a piece -> sealed piece."""
        self.state = environment.database(b"state")
        """`point`, and `journal` while a flush is being folded: the number of its pieces."""

    @property
    def reusable_bytes(self) -> int:
        """Bytes of pages that hold nothing: changes go there before the file gets longer."""
        environment = self.environment
        transaction = environment.read()
        try:
            used = sum(
                stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
                for database in (self.nodes, self.rows, self.journal, self.state)
                for stat in (transaction.stat(database),)
            )
        except lmdb.Error as error:
            raise DamagedTree(f"the tree is damaged: {error}") from error
        finally:
            transaction.abort()
        return max(0, environment.pages_used - used) * environment.page_bytes

    def put_state(self, transaction: Transaction, name: bytes, value: bytes) -> None:
        """Store a value beside the tree."""
        transaction.put(name, seal(name, value), db=self.state)

    def get_state(self, transaction: Transaction, name: bytes) -> bytes | None:
        """Return such a value; None when there is none."""
        stored = transaction.get(name, db=self.state)
        if stored is None:
            return None
        value = unseal(name, stored)
        if value is None:
            raise DamagedTree(f"the record {name.decode()!r} of the tree is damaged")
        return value


class Flush:
    """One flush under way.

    commit() in the flusher's thread, then fill() in the loop, again and again, until `is_done`;
    never both at once, and commit() always in the same thread. It should not be the thread that
    writes the log, which would wait for it. Then `TreeStore.finish`. Any failure is fatal.
    """

    def __init__(
        self,
        file: TreeFile,
        point: FlushPoint,
        arrangement: Arrangement,
        steps: Steps,
    ) -> None:
        """Use `TreeStore.freeze`."""
        self.point = point
        self.is_done = False
        self._file = file
        self._arrangement = arrangement
        self._transaction: Transaction | None = None
        self._steps = steps
        self._work = self._all()
        self._is_resumed = False
        self._is_exhausted = False

    def resume(self) -> None:
        """Do no more than the fold, since the journal is whole."""
        self._is_resumed = True

    def commit(self) -> None:
        """Make durable what was filled in and begin the next transaction; blocks on the disk."""
        environment = self._file.environment
        if self._transaction is not None:
            environment.commit(self._transaction)
            self._transaction = None
        if self._is_exhausted:
            self.is_done = True
        else:
            self._transaction = environment.write()

    def fill(self, seconds: float) -> bool:
        """Put for about so long; True when the next commit is due."""
        deadline = perf_counter() + seconds
        try:
            for is_commit_due in self._work:
                if is_commit_due:
                    return True
                if perf_counter() >= deadline:
                    return False
        except lmdb.Error as error:
            raise self._file.environment.failure(error) from error
        self._is_exhausted = True
        return True

    def write(self) -> None:
        """Do all of it in this thread, where nobody waits."""
        self.commit()
        while not self.is_done:
            self.fill(inf)
            self.commit()

    def abort(self) -> None:
        """Drop the transaction that is being filled; in the thread that commits."""
        if self._transaction is not None:
            self._transaction.abort()
            self._transaction = None

    def _all(self) -> Iterator[bool]:
        for _ in self._arrangement.gather():
            yield False
        if self._is_resumed:
            yield from self._fold()
        elif self._arrangement.pages_max > self._steps.pages:
            yield from self._write_journal()
            yield from self._fold()
        else:
            self._open.drop(self._file.journal, delete=False)  # one that never became whole
            for _ in self._put_in_order():
                yield False
            self._file.put_state(self._open, b"point", self.point.encode())

    def _write_journal(self) -> Iterator[bool]:
        file = self._file
        self._open.drop(file.journal, delete=False)
        pieces = 0
        step_bytes = 0
        rest = b""
        size = self._steps.piece_bytes
        for encoded in _encoded(self._arrangement.records, self._steps.encode_bytes):
            data = rest + encoded
            whole = len(data) - len(data) % size
            rest = data[whole:]
            for at in range(0, whole, size):
                self._put_piece(pieces, data[at : at + size])
                pieces += 1
                step_bytes += size
                if step_bytes >= self._steps.step_bytes:
                    step_bytes = 0
                    yield True
                elif pieces % self._steps.turn == 0:
                    yield False
        self._put_piece(pieces, rest)
        file.put_state(self._open, b"journal", _COUNT.pack(pieces + 1))
        file.put_state(self._open, b"point", self.point.encode())
        yield True

    def _put_piece(self, number: int, piece: bytes) -> None:
        key = _PIECE.pack(number)
        if not self._open.put(key, seal(key, piece), append=True, db=self._file.journal):
            raise DamagedTree("the tree's journal was not empty")

    def _fold(self) -> Iterator[bool]:
        steps = self._steps
        step_bytes = step_records = 0
        for count, size in self._put_in_order():
            step_records += count
            step_bytes += size
            if step_records >= steps.records or step_bytes >= steps.step_bytes:
                step_bytes = step_records = 0
                yield True
            else:
                yield False
        self._open.delete(b"journal", db=self._file.state)
        self._open.drop(self._file.journal, delete=False)

    def _put_in_order(self) -> Iterator[tuple[int, int]]:
        """Put or delete everything, a few records at a time: how many, and how many bytes."""
        file = self._file
        for rows, nodes in self._arrangement.in_order(self._steps.turn):
            size = self._put(rows, file.rows) + self._put(nodes, file.nodes)
            yield len(rows) + len(nodes), size

    def _put(self, changes: list[Change], database: Database) -> int:
        """Put or delete a few values; return how many bytes they have."""
        items: list[tuple[bytes, bytes]] = []
        size = 0
        for key, value in changes:
            if value is None:
                self._open.delete(key, db=database)
            else:
                items.append((key, seal(key, value)))
                size += len(value)
        if items:  # one call for all of them takes half the time of a call for each
            with self._open.cursor(db=database) as cursor:
                cursor.putmulti(items)
        return size

    @property
    def _open(self) -> Transaction:
        assert self._transaction is not None, "commit() comes before fill()"
        return self._transaction


def _encoded(records: dict[bytes, bytes | None], size_min: int) -> Iterator[bytes]:
    """Encode the records for the journal, some at a time."""
    parts: list[bytes] = []
    size = 0
    for name, record in records.items():
        if record is None:
            parts += (_ITEM.pack(len(name), _NONE), name)
            size += len(name)
        else:
            parts += (_ITEM.pack(len(name), len(record)), name, record)
            size += len(name) + len(record)
        if size >= size_min:
            yield b"".join(parts)
            parts = []
            size = 0
    yield b"".join(parts)


def read_journal(file: TreeFile, transaction: Transaction) -> Layer | None:
    """Return the layer whose journal is whole but not yet folded; None when there is none."""
    count = file.get_state(transaction, b"journal")
    if count is None:
        return None
    pieces = []
    for number in range(_COUNT.unpack(count)[0]):
        key = _PIECE.pack(number)
        stored = transaction.get(key, db=file.journal)
        piece = None if stored is None else unseal(key, stored)
        if piece is None:
            raise DamagedTree(f"piece {number} of the tree's journal is damaged")
        pieces.append(piece)
    data = b"".join(pieces)
    layer = Layer()
    at = 0
    while at < len(data):
        name_length, record_length = _ITEM.unpack_from(data, at)
        at += _ITEM.size
        name = data[at : at + name_length]
        at += name_length
        record = None
        if record_length != _NONE:
            record = data[at : at + record_length]
            at += record_length
        if name[0] == _SLASH:
            layer.change_node(name, record)
        else:
            layer.change_row(Table(name[0]), name, record)
    return layer
