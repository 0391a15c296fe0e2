"""All of one replica's storage, opened together: folder, log and tree, checked against each other.

Rules

1. The log names the tree that counts. A tree that it does not name was never finished, or was
   replaced: it is removed at the start.
2. `log.base.index <= tree.point.index <= log.last_index`: the log goes on where the tree ends, and
   the tree holds nothing that the log never had. Where both know an entry, they agree on its chain.
3. What is in the tree is committed, even if the stored commit index is behind it.
"""

from pathlib import Path

import attrs

from coord.consensus.log import HardState, Point
from coord.storage.errors import DamagedEntry, DamagedTree
from coord.storage.folder import DataFolder
from coord.storage.log import DurableLog
from coord.storage.snapshots import Import
from coord.storage.tree import CACHE_BYTES, TreeStore


class Storage:
    """What one replica has on its disk; belongs to the loop's thread."""

    def __init__(
        self, folder: DataFolder, log: DurableLog, tree: TreeStore, cache_bytes: int
    ) -> None:
        """Use `open`."""
        self.folder = folder
        self.log = log
        self.tree = tree
        self._cache_bytes = cache_bytes

    @classmethod
    def open(cls, path: Path, replica_id: int, *, cache_bytes: int = CACHE_BYTES) -> "Storage":
        """Open the data folder, made when it is not there; DataFolderError when it is refused."""
        folder = DataFolder.open(path, replica_id)
        log: DurableLog | None = None
        tree: TreeStore | None = None
        try:
            log = DurableLog.open(folder.log_path)
            tree = _opened_tree(folder, log, cache_bytes)
            check_fit(log, tree)
        except BaseException:
            if tree is not None:
                tree.close()
            if log is not None:
                log.close()
            folder.close()
            raise
        return cls(folder, log, tree, cache_bytes)

    def hard_state(self) -> HardState:
        """Return the hard state to start from."""
        hard = self.log.hard
        commit_index = max(hard.commit_index, self.tree.point.index)
        return attrs.evolve(hard, commit_index=commit_index)

    def begin_import(self) -> tuple[str, Import]:
        """Return a new tree to be received, and its name."""
        name = self.folder.new_tree()
        return name, Import(self.folder.tree_path(name))

    def discard(self, name: str) -> None:
        """Remove a received tree that is not needed."""
        assert name != self.log.tree, "the log names it"
        self.folder.remove_tree(name)

    def install(self) -> None:
        """Serve the tree that the log names now, and remove the old one.

        No flush of the old one may be under way; transfers of it end with TransferExpired.
        """
        self.log.finish()  # or it might still tell the old name
        self.tree.close()
        self.tree = _opened_tree(self.folder, self.log, self._cache_bytes)
        check_fit(self.log, self.tree)

    def close(self) -> None:
        """Let go of everything; a flush under way must have been aborted."""
        self.tree.close()
        self.log.close()
        self.folder.close()


def check_fit(log: DurableLog, tree: TreeStore) -> None:
    """Check that log and tree meet."""
    point = tree.point
    if not log.base.index <= point.index <= log.last_index:
        raise DamagedTree(
            f"the tree stands at entry {point.index}, but the log begins after {log.base.index}"
            f" and ends with {log.last_index}"
        )
    if point.index == log.base.index:
        known = log.base
    else:
        try:
            entry = log.read(point.index, point.index, 0)[0]
        except DamagedEntry:
            return  # peers can repair an entry, and it says nothing against the tree
        known = Point(entry.index, entry.epoch, entry.chain)
    if known != point:
        raise DamagedTree(f"the tree and the log differ at entry {point.index}")


def _opened_tree(folder: DataFolder, log: DurableLog, cache_bytes: int) -> TreeStore:
    """Open the tree that counts, making the first one; remove all others."""
    for name in folder.trees():
        if name != log.tree:
            folder.remove_tree(name)
    if log.tree is None:
        name = folder.new_tree()
        tree = TreeStore.create(folder.tree_path(name), cache_bytes=cache_bytes)
        log.name_tree(name)
        return tree
    path = folder.tree_path(log.tree)
    if not path.is_dir():
        raise DamagedTree(f"the log names {log.tree}, which is not there")
    return TreeStore.open(path, cache_bytes=cache_bytes)
