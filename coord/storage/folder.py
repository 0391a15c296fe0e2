"""The data folder of one replica: who may use it, and what lies in it.

lock            held with flock while a process uses the folder
identity.json   format version and replica id; written once, before anything else
log/            the durable log (`log.py`)
tree.N/         a tree (`tree.py`); the log names the one that counts
"""

import fcntl
import json
import os
import re
import shutil
from pathlib import Path
from typing import Final

import attrs

from coord.storage.environment import sync_folder
from coord.storage.errors import DataFolderError, StorageFailed

FORMAT: Final = 1
"""The layout of the folder; a folder with a greater number is refused."""

_LOCK: Final = "lock"
_IDENTITY: Final = "identity.json"
_IDENTITY_UNFINISHED: Final = "identity.json.new"
_TREE: Final = re.compile(r"tree\.(\d+)")


@attrs.frozen
class Identity:
    """What a folder says of itself."""

    format: int
    """Version of the layout, from 1."""
    replica: int
    """The replica it belongs to, 1..255."""


class DataFolder:
    """An open data folder, locked for this process."""

    def __init__(self, path: Path, replica_id: int, lock: int) -> None:
        self.path = path
        self.replica_id = replica_id
        self._lock = lock

    @classmethod
    def open(cls, path: Path, replica_id: int) -> "DataFolder":
        """Lock the folder, which is made when it is not there, and check whose it is."""
        try:
            if not path.exists():
                path.mkdir(parents=True)
                sync_folder(path.parent)
            lock = _locked(path)
        except OSError as error:
            raise DataFolderError(
                f"The data folder {path} cannot be used: {error.strerror}."
            ) from error
        try:
            identity = _read_identity(path)
            if identity is None:
                _write_identity(path, Identity(FORMAT, replica_id))
            else:
                _check_identity(path, identity, replica_id)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, replica_id, lock)

    @property
    def log_path(self) -> Path:
        """Where the log lies."""
        return self.path / "log"

    def tree_path(self, name: str) -> Path:
        """Return where the tree of this name lies."""
        if not _TREE.fullmatch(name):
            raise ValueError(f"not the name of a tree: {name!r}")
        return self.path / name

    def trees(self) -> list[str]:
        """Return the names of all trees there are, whole or not."""
        return sorted(entry.name for entry in self.path.iterdir() if _TREE.fullmatch(entry.name))

    def new_tree(self) -> str:
        """Return a name that no tree has."""
        numbers = [int(name.partition(".")[2]) for name in self.trees()]
        return f"tree.{max(numbers, default=0) + 1}"

    def remove_tree(self, name: str) -> None:
        """Remove a tree that the log does not name."""
        try:
            shutil.rmtree(self.tree_path(name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageFailed(f"cannot remove {name}: {error.strerror}") from error
        sync_folder(self.path)

    def close(self) -> None:
        """Let others use the folder; may be repeated."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _locked(path: Path) -> int:
    """Return the descriptor that holds the lock."""
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DataFolderError(f"The data folder {path} is in use by another process.") from None
    except BaseException:
        os.close(lock)
        raise
    return lock


def _read_identity(path: Path) -> Identity | None:
    """Return what the folder says of itself; None when it is new."""
    try:
        text = (path / _IDENTITY).read_text("utf-8")
    except FileNotFoundError:
        strangers = {entry.name for entry in path.iterdir()} - {_LOCK, _IDENTITY_UNFINISHED}
        if strangers:
            raise DataFolderError(
                f"The folder {path} is not empty and is not a data folder of coord"
                f" (it holds {min(strangers)!r})."
            ) from None
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DataFolderError(f"The file {path / _IDENTITY} cannot be read: {error}.") from error
    try:
        fields = json.loads(text)
        return Identity(format=int(fields["format"]), replica=int(fields["replica"]))
    except (ValueError, KeyError, TypeError):
        raise DataFolderError(f"The file {path / _IDENTITY} is damaged.") from None


def _write_identity(path: Path, identity: Identity) -> None:
    """Mark a new folder, durably and at once."""
    unfinished = path / _IDENTITY_UNFINISHED
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(attrs.asdict(identity), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path / _IDENTITY)
    except OSError as error:
        raise DataFolderError(
            f"The data folder {path} cannot be written: {error.strerror}."
        ) from error
    sync_folder(path)


def _check_identity(path: Path, identity: Identity, replica_id: int) -> None:
    """Refuse a folder that this replica must not use."""
    if identity.format > FORMAT:
        raise DataFolderError(
            f"The data folder {path} has format {identity.format}, written by a newer coord;"
            f" this one knows formats up to {FORMAT}."
        )
    if identity.replica != replica_id:
        raise DataFolderError(
            f"The data folder {path} belongs to replica {identity.replica},"
            f" not to replica {replica_id}."
        )
