"""An LMDB environment as coord uses it: how it is opened, how transactions end, how errors read.

Rules

1. The map is a large fixed range of addresses and is never resized. The file is sparse and only as
   long as what was written: without `writemap`, which stays off (it would turn a full disk into a
   crash), LMDB never extends the file to the size of the map.
2. A commit that fails is not retried and nothing is written after it: `StorageFailed`.
3. A new file or folder is durable only after an fsync of the folder that holds its name.
4. A file that is shorter than it says, because its end was lost, would end the process with a
   SIGBUS when a page is read that is not there. It is made as long as it says: a page of zeros is
   no page to LMDB, and no value to its checksum.
5. Only this process opens the environment: the data folder is locked (`folder.py`).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import lmdb

from coord.storage.errors import Damaged, DiskFull, StorageError, StorageFailed

if TYPE_CHECKING:
    Database = lmdb._Database  # noqa: SLF001 - its only name
    Transaction = lmdb.Transaction[bytes]
else:  # LMDB's classes cannot be subscripted
    Database = object
    Transaction = lmdb.Transaction

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_ROOM_TEXTS: Final = tuple(os.strerror(code) for code in _NO_ROOM)
_ROOM_BYTES_MIN: Final = 4 << 20
"""With less than this free, any failed write is put down to a full disk."""

_DAMAGE: Final = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.VersionMismatchError,
    lmdb.CursorFullError,
)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageFailed(f"cannot sync the folder {path}: {error.strerror}") from error


def failure(error: lmdb.Error, path: Path) -> StorageFailed:
    """Return what a failed write to a folder means to the replica."""
    text = str(error)
    is_full = isinstance(error, lmdb.DiskError | lmdb.MapFullError) or any(
        known in text for known in _NO_ROOM_TEXTS
    )
    # A write that was cut short for lack of room is reported by LMDB as an input/output error.
    if is_full or _free_bytes(path) < _ROOM_BYTES_MIN:
        return DiskFull(f"no room for a write in {path}: {text}")
    return StorageFailed(f"a write in {path} failed: {text}")


def _free_bytes(path: Path) -> int:
    try:
        status = os.statvfs(path)
    except OSError:
        return _ROOM_BYTES_MIN  # then nothing is known
    return status.f_bavail * status.f_frsize


def _lengthen(file: Path, length: int, length_max: int, damage: type[Damaged]) -> None:
    """Make a file as long as it says that it is (rule 4)."""
    if length > length_max:
        raise damage(f"{file} is damaged: it cannot have {length} bytes")
    try:
        if file.stat().st_size < length:
            os.truncate(file, length)
    except OSError as error:
        raise StorageFailed(f"cannot lengthen {file}: {error.strerror}") from error


class Environment:
    """One LMDB environment and its named databases."""

    def __init__(self, path: Path, environment: lmdb.Environment, damage: type[Damaged]) -> None:
        """Use `open`."""
        self.path = path
        self._damage = damage
        self.is_closed = False
        self._lmdb = environment

    @classmethod
    def open(
        cls, path: Path, *, map_bytes: int, locked: bool, durable: bool, damage: type[Damaged]
    ) -> "Environment":
        """Open an environment, making it when it is not there.

        `locked`: LMDB keeps a table of readers, so a read transaction may live as long as it likes,
        and a write transaction must begin and end in the same thread. Without, any thread may end
        it, but a read transaction survives one commit only.
        `durable`: a commit returns when a power cut cannot undo it; else only after `sync`.
        """
        try:
            path.mkdir(exist_ok=True)
            environment = lmdb.open(
                str(path),
                map_size=map_bytes,
                max_dbs=8,
                max_readers=256,
                max_spare_txns=2,
                lock=locked,
                sync=durable,
                metasync=durable,
                writemap=False,
                meminit=True,
            )
        except _DAMAGE as error:
            raise damage(f"{path} is damaged: {error}") from error
        except lmdb.Error as error:
            raise failure(error, path) from error
        except OSError as error:
            raise StorageFailed(f"cannot open {path}: {error.strerror}") from error
        opened = cls(path, environment, damage)
        try:
            _lengthen(path / "data.mdb", opened.pages_used * opened.page_bytes, map_bytes, damage)
        except BaseException:
            opened.close()
            raise
        return opened

    def database(self, name: bytes) -> Database:
        """Open a named database; outside of transactions, when the environment is new."""
        with self.failing():
            return self._lmdb.open_db(name)

    def write(self) -> Transaction:
        """Begin the one write transaction."""
        try:
            return self._lmdb.begin(write=True)
        except lmdb.Error as error:
            raise self.failure(error) from error

    def read(self) -> Transaction:
        """Begin a read transaction on what was committed last; what it returns is copied."""
        try:
            return self._lmdb.begin()
        except lmdb.Error as error:
            raise self.failure(error) from error

    def commit(self, transaction: Transaction) -> None:
        """End the write transaction."""
        try:
            transaction.commit()
        except lmdb.Error as error:
            raise self.failure(error) from error

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Turn LMDB's errors into ours, for everything that is not a read."""
        try:
            yield
        except lmdb.Error as error:
            raise self.failure(error) from error

    def failure(self, error: lmdb.Error) -> StorageError:
        """Return what a failed write means to the replica."""
        if isinstance(error, _DAMAGE):
            return self._damage(f"{self.path} is damaged: {error}")
        return failure(error, self.path)

    def sync(self) -> None:
        """Make all that was committed durable, the names in the folder and its own included."""
        with self.failing():
            self._lmdb.sync(True)  # noqa: FBT003 (positional in older versions)
        sync_folder(self.path)
        sync_folder(self.path.parent)

    @property
    def pages_used(self) -> int:
        """How many pages the file has, free ones included."""
        return int(self._lmdb.info()["last_pgno"]) + 1

    @property
    def page_bytes(self) -> int:
        """Size of a page."""
        return int(self._lmdb.stat()["psize"])

    def close(self) -> None:
        """Let go of the file; read transactions that are open end, no other may be."""
        self.is_closed = True
        self._lmdb.close()
