"""All of one replica's storage, opened together: folder, log and tree, checked against each other.

Rules

1. The log names the tree that counts. A tree that it does not name was never finished, or was
   replaced: it is removed at the start.
2. `log.base.index <= tree.point.index <= log.last_index`: the log goes on where the tree ends, and
   the tree holds nothing that the log never had. Where both know an entry, they agree on its chain.
3. What is in the tree is committed, even if the stored commit index is behind it.
4. A tree that is damaged, or was found to be wrong, is never used again, by no later start either:
   the log says so until another one is named. Until then an empty tree, which the log does not
   name, stands in its place. The log is whole without it: it knows the configuration by itself.
5. Where log and tree contradict each other it may be the log that lost something: no start.
6. What is read of the log at the start, so all above the tree, is whole, or not shown
   (`DurableLog.look_for_damage`): others have it. What is damaged at or below the tree's point is
   dropped with all before it: the tree holds what it did.
"""

from pathlib import Path

import attrs

from coord.consensus.log import HardState, Point
from coord.storage.errors import DamagedEntry, DamagedLog, DamagedTree
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
        self.lacks_tree = False
        """The tree is an empty one: that of the log is not to be trusted (`log.distrust`)."""
        self.warnings: list[str] = []
        """What was found at the start, one line each."""

    @classmethod
    def open(
        cls,
        path: Path,
        replica_id: int,
        *,
        cache_bytes: int = CACHE_BYTES,
        may_lack_tree: bool = False,
        suspects_log: bool = False,
    ) -> "Storage":
        """Open the data folder, made when it is not there; DataFolderError when it is refused.

        `may_lack_tree`: a damaged tree is no error, since it can be had from others; nor is a
        damaged entry. `suspects_log`: one was found, so the whole log is to be read.
        """
        folder = DataFolder.open(path, replica_id)
        log: DurableLog | None = None
        lacks_tree = False
        try:
            log = DurableLog.open(folder.log_path)
            try:
                tree = _fitting_tree(folder, log, cache_bytes)
            except DamagedTree as fault:
                if not may_lack_tree or not (log.base.index == 0 or log.configuration):
                    raise
                log.distrust_tree(str(fault), b"")
                lacks_tree = True
                path = folder.tree_path(folder.new_tree())
                tree = TreeStore.create(path, cache_bytes=cache_bytes)
        except BaseException:
            if log is not None:
                log.close()
            folder.close()
            raise
        storage = cls(folder, log, tree, cache_bytes)
        storage.lacks_tree = lacks_tree
        try:
            storage._look_for_damage(may_mend=may_lack_tree, everywhere=suspects_log)
        except BaseException:
            storage.close()
            raise
        return storage

    def applied_index(self) -> int:
        """Return up to where entries need not be applied again, or cannot be."""
        return self.log.base.index if self.lacks_tree else self.tree.point.index

    def configuration(self) -> bytes:
        """Return the configuration in force there, encoded; b"" when only the log has it."""
        return self.log.configuration if self.lacks_tree else self.tree.configuration

    def hard_state(self) -> HardState:
        """Return the hard state to start from."""
        hard = self.log.hard
        commit_index = max(hard.commit_index, self.applied_index())
        return attrs.evolve(hard, commit_index=commit_index)

    def _look_for_damage(self, *, may_mend: bool, everywhere: bool) -> None:
        """Find what is damaged in the log, and say what was done about it (rule 6)."""
        log, point = self.log, self.tree.point
        if self.lacks_tree:
            self.warnings.append(f"{log.distrust}; the state is fetched from the leader anew")
            point = log.base
        elif log.base.index < point.index:
            first = log.base.index + 1 if everywhere else point.index
            if log.is_damaged(first, point.index):
                log.forget(point, self.tree.configuration)
                self.warnings.append(
                    "an entry of the log is damaged; the tree holds what it did, so the log begins"
                    f" anew after entry {point.index}"
                )
        damaged = log.look_for_damage(point)
        if damaged is not None:
            if not may_mend:
                raise DamagedEntry(damaged)
            self.warnings.append(
                f"entry {damaged} of the log is damaged; until others have sent it, or a leader"
                " what takes its place, this replica is no witness in elections"
            )

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
        self.tree = _fitting_tree(self.folder, self.log, self._cache_bytes)
        self.lacks_tree = False

    def distrust_tree(self, reason: str) -> None:
        """Say durably that the tree is wrong or damaged; no write of the log may be under way."""
        if not self.lacks_tree:
            self.log.distrust_tree(reason, self.tree.configuration)

    def close(self) -> None:
        """Let go of everything; a flush under way must have been aborted."""
        self.tree.close()
        self.log.close()
        self.folder.close()


def check_fit(log: DurableLog, tree: TreeStore) -> None:
    """Check that log and tree meet."""
    point = tree.point
    if not log.base.index <= point.index <= log.last_index:
        fault = DamagedTree if point.index < log.base.index else DamagedLog
        raise fault(
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
        raise DamagedLog(f"the tree and the log differ at entry {point.index}")


def _fitting_tree(folder: DataFolder, log: DurableLog, cache_bytes: int) -> TreeStore:
    tree = _opened_tree(folder, log, cache_bytes)
    try:
        check_fit(log, tree)
    except BaseException:
        tree.close()
        raise
    return tree


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
    if log.distrust:
        raise DamagedTree(log.distrust)
    path = folder.tree_path(log.tree)
    if not path.is_dir():
        raise DamagedTree(f"the log names {log.tree}, which is not there")
    return TreeStore.open(path, cache_bytes=cache_bytes)
