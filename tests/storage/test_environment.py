"""How failures of the disk read."""

import errno
import os
import resource
import signal
from pathlib import Path

import lmdb
import pytest

from coord.storage.environment import Environment, failure, sync_folder
from coord.storage.errors import DamagedTree, DiskFull, StorageFailed
from coord.storage.tree import TreeStore
from tests.storage.samples import everything, fill, flush_all, history, opened_log, persist


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_from_a_broken_one(code, tmp_path):
    assert type(failure(lmdb.Error(f"commit: {os.strerror(code)}"), tmp_path)) is DiskFull
    assert type(failure(lmdb.DiskError("x"), tmp_path)) is DiskFull
    assert type(failure(lmdb.MapFullError("x"), tmp_path)) is DiskFull
    broken = lmdb.Error("commit: Input/output error")
    assert type(failure(broken, tmp_path)) is StorageFailed
    assert type(failure(broken, Path("/proc/self"))) is DiskFull  # a file system without room


def test_a_folder_that_cannot_be_synced_is_a_failure(tmp_path):
    with pytest.raises(StorageFailed, match="cannot sync the folder"):
        sync_folder(tmp_path / "nowhere")


def test_a_commit_that_finds_no_room_fails_and_leaves_what_was_there(tmp_path):
    """A limit on the size of files stands for a full disk: the write itself is refused."""
    entries = history(3, size=100_000)
    log = opened_log(tmp_path)
    log.write([persist(entries[0])])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        size = (tmp_path / "log" / "data.mdb").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        log.stage([persist(entries[1])])
        with pytest.raises(DiskFull):
            log.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert log.last_index == 1
    log.close()
    log = opened_log(tmp_path)
    assert log.read(1, 1, 0) == entries[:1]
    log.close()


def test_a_file_whose_end_was_lost_is_damaged_and_no_sudden_end(tmp_path):
    tree = TreeStore.create(tmp_path / "tree")
    fill(tree, 2000)
    flush_all(tree, 1)
    tree.close()
    file = tmp_path / "tree" / "data.mdb"
    length = file.stat().st_size
    os.truncate(file, length // 2)
    with pytest.raises(DamagedTree):
        everything(TreeStore.open(tmp_path / "tree", checked_bytes_max=0))
    environment = Environment.open(
        tmp_path / "tree", map_bytes=1 << 30, locked=True, durable=True, damage=DamagedTree
    )
    assert file.stat().st_size == length
    with pytest.raises((DamagedTree, lmdb.Error)):
        environment.database(b"nodes")
    environment.close()
