"""A tree on its way to another replica: checksummed chunks of records, never an LMDB file.

    chunk = checksum u32 | number u32 | kind u8 | body        the checksum covers all that follows

    HEAD   format u16, then the flush point
    NODES  records in the order of their keys: key length u16, value length u32, key, sealed value
    ROWS   likewise
    END    how many nodes and how many rows there were, u64 each

Numbers count from 0. What is exported is the tree as of a flush, whole: a transfer shares the read
transaction that the tree served from at that moment. While it lasts LMDB cannot reuse the pages
that newer flushes replaced, and the file grows; so it is limited in time and in growth.
"""

from collections.abc import Callable, Generator, Iterator
from enum import IntEnum
from pathlib import Path
from struct import Struct
from struct import error as struct_error
from time import monotonic
from typing import Final, Self
from zlib import crc32

import lmdb

from coord.storage.environment import Database, Environment
from coord.storage.errors import DamagedTree, SnapshotError, TransferExpired
from coord.storage.flush import FlushPoint, TreeFile
from coord.storage.seal import unseal
from coord.storage.tree import MAP_BYTES, TreeStore
from coord.storage.view import View

FORMAT: Final = 1
"""Of chunks and of what is in them: another one is refused."""
CHUNK_BYTES: Final = 128 << 10
"""A chunk ends with the record that reaches this: about 0.5 ms to make or to take in."""
SECONDS_MAX: Final = 300.0
"""How long one transfer may last."""
GROWTH_BYTES_MAX: Final = 2 << 30
"""How much longer the file may become during one transfer."""


class _Kind(IntEnum):
    HEAD = 0
    NODES = 1
    ROWS = 2
    END = 3


_FRAME: Final = Struct("<IIB")
_NUMBER_AT: Final = 4
_FORMAT: Final = Struct("<H")
_RECORD: Final = Struct("<HI")
_COUNTS: Final = Struct("<QQ")


class Export:
    """An iterator of chunks; belongs to the loop's thread. Close it when it is not used up."""

    def __init__(self, view: View, file: TreeFile, point: FlushPoint, clock: Callable[[], float]):
        """Use `begin`."""
        self.point = point
        self._view = view
        self._file = file
        self._clock = clock
        self._deadline = clock() + SECONDS_MAX
        self._pages_max = file.environment.pages_used + GROWTH_BYTES_MAX // 4096
        self._number = 0
        self._counts = [0, 0]
        self._is_closed = False
        self._chunks = self._all_chunks()

    @classmethod
    def begin(cls, tree: TreeStore, *, clock: Callable[[], float] = monotonic) -> "Export | None":
        """Export the tree as of its last flush; None while an old flush is still unfinished."""
        shared = tree.share()
        if shared is None:
            return None
        view, point = shared
        return cls(view, tree.file, point, clock)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        environment = self._file.environment
        if environment.is_closed:
            raise TransferExpired("the tree was replaced during the transfer")
        if self._clock() > self._deadline:
            self.close()
            raise TransferExpired(f"the transfer lasted more than {SECONDS_MAX:.0f} s")
        if environment.pages_used > self._pages_max:
            self.close()
            raise TransferExpired("the tree's file grew too much during the transfer")
        try:
            return next(self._chunks)
        except lmdb.Error as error:
            raise DamagedTree(f"the tree is damaged: {error}") from error
        except StopIteration:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the tree; may be repeated."""
        if not self._is_closed:
            self._is_closed = True
            self._chunks.close()
            self._view.release()

    def _all_chunks(self) -> Generator[bytes, None, None]:
        yield self._chunk(_Kind.HEAD, _FORMAT.pack(FORMAT) + self.point.encode())
        yield from self._records(_Kind.NODES, self._file.nodes)
        yield from self._records(_Kind.ROWS, self._file.rows)
        yield self._chunk(_Kind.END, _COUNTS.pack(*self._counts))

    def _records(self, kind: _Kind, database: Database) -> Iterator[bytes]:
        parts: list[bytes] = []
        size = 0
        with self._view.transaction.cursor(db=database) as cursor:
            for key, stored in cursor.iternext():
                if unseal(key, stored) is None:
                    raise DamagedTree(f"the record with the key {key.hex()} is damaged")
                parts += (_RECORD.pack(len(key), len(stored)), key, stored)
                size += len(key) + len(stored)
                self._counts[kind is _Kind.ROWS] += 1
                if size >= CHUNK_BYTES:
                    yield self._chunk(kind, b"".join(parts))
                    parts = []
                    size = 0
        if parts:
            yield self._chunk(kind, b"".join(parts))

    def _chunk(self, kind: _Kind, body: bytes) -> bytes:
        chunk = _FRAME.pack(0, self._number, kind) + body
        self._number += 1
        checksum = crc32(memoryview(chunk)[_NUMBER_AT:])
        return checksum.to_bytes(4, "little") + chunk[_NUMBER_AT:]


class Import:
    """A tree that is being received, in a folder that no log names yet.

    `feed` in the loop; `finish`, which blocks on the disk, in any thread; or `abort`.
    """

    def __init__(self, path: Path) -> None:
        """Make the folder, which must not be there."""
        path.mkdir()
        # Nothing needs to be durable before the end: until then the folder has no name.
        self._environment = Environment.open(
            path, map_bytes=MAP_BYTES, locked=False, durable=False, damage=DamagedTree
        )
        self._file = TreeFile(self._environment)
        self._next_number = 0
        self._kind: _Kind | None = None
        self._counts = [0, 0]
        self.point = FlushPoint()
        """Where the tree stands; known after the first chunk."""

    @property
    def is_complete(self) -> bool:
        """Whether the last chunk has come."""
        return self._kind is _Kind.END

    def feed(self, chunk: bytes) -> None:
        """Take in the next chunk; SnapshotError when it is not that."""
        kind, body = self._opened(chunk)
        try:
            match kind:
                case _Kind.HEAD:
                    if _FORMAT.unpack_from(body)[0] != FORMAT:
                        raise SnapshotError("the snapshot is of another format")
                    self.point = FlushPoint.decode(body[_FORMAT.size :])
                case _Kind.NODES:
                    self._put(self._file.nodes, _records_in(body))
                case _Kind.ROWS:
                    self._put(self._file.rows, _records_in(body))
                case _Kind.END:
                    if list(_COUNTS.unpack(body)) != self._counts:
                        raise SnapshotError("records are missing")
        except struct_error as error:
            raise SnapshotError(f"chunk {self._next_number} is malformed") from error
        self._kind = kind
        self._next_number += 1

    def finish(self) -> FlushPoint:
        """Make the tree durable, its folder's name included, and let go of it."""
        assert self.is_complete, "the last chunk has not come"
        transaction = self._environment.write()
        with self._environment.failing():
            self._file.put_state(transaction, b"point", self.point.encode())
        self._environment.commit(transaction)
        self._environment.sync()
        self._environment.close()
        return self.point

    def abort(self) -> None:
        """Let go of what came; the folder is to be removed."""
        self._environment.close()

    def _opened(self, chunk: bytes) -> tuple[_Kind, bytes]:
        """Check the frame of a chunk."""
        if len(chunk) < _FRAME.size:
            raise SnapshotError("a chunk is too short")
        checksum, number, kind = _FRAME.unpack_from(chunk)
        if checksum != crc32(memoryview(chunk)[_NUMBER_AT:]):
            raise SnapshotError(f"chunk {self._next_number} is damaged")
        if number != self._next_number:
            raise SnapshotError(f"chunk {number} came where {self._next_number} was due")
        if kind not in _FOLLOWERS[self._kind]:
            raise SnapshotError(f"chunk {number} is of a kind that cannot stand there")
        return _Kind(kind), chunk[_FRAME.size :]

    def _put(self, database: Database, records: list[tuple[bytes, bytes]]) -> None:
        transaction = self._environment.write()
        try:
            with transaction.cursor(db=database) as cursor:
                _, added = cursor.putmulti(records, append=True)
        except lmdb.Error as error:
            transaction.abort()
            raise self._environment.failure(error) from error
        if added != len(records):
            transaction.abort()
            raise SnapshotError(f"chunk {self._next_number} is not in order")
        self._environment.commit(transaction)
        self._counts[database is self._file.rows] += added


_FOLLOWERS: Final[dict[_Kind | None, tuple[_Kind, ...]]] = {
    None: (_Kind.HEAD,),
    _Kind.HEAD: (_Kind.NODES, _Kind.ROWS, _Kind.END),
    _Kind.NODES: (_Kind.NODES, _Kind.ROWS, _Kind.END),
    _Kind.ROWS: (_Kind.ROWS, _Kind.END),
    _Kind.END: (),
}
"""Which chunks may come after one of a kind."""


def _records_in(body: bytes) -> list[tuple[bytes, bytes]]:
    """Read the records of a chunk; each one's own checksum is checked as well."""
    records = []
    at = 0
    while at < len(body):
        key_length, value_length = _RECORD.unpack_from(body, at)
        at += _RECORD.size
        key = body[at : at + key_length]
        at += key_length
        stored = body[at : at + value_length]
        at += value_length
        if at > len(body) or unseal(key, stored) is None:
            raise SnapshotError(f"the record with the key {key.hex()} is damaged")
        records.append((key, stored))
    return records
