"""A restart with many znodes serves soon, in little memory.

A part of what `python -m tests.ensemble.restart` shows with a million, and with a clock.
"""

from collections.abc import Iterator
from mmap import PROT_READ, mmap
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from coord.storage.page_format import states_of
from coord.storage.tree import CHECKED_BYTES_MAX
from tests.ensemble.bulk import write_znodes
from tests.ensemble.processes import wait_for
from tests.ensemble.restart import looked_at, restart, tree_file
from tests.ensemble.servers import CoordEnsemble

ZNODES = 40_000
SHARE_MAX = 0.5
"""Of the tree's file. Up to a fifth on an idle machine: the look at the rest has begun."""
ATTEMPTS = 5
"""A machine that stands still just then lets the first read come too late to tell anything."""
ANONYMOUS_MB_MAX = 100


def flushed_bytes(file: Path) -> int:
    """How much of a tree's file its newest state reaches over."""
    with file.open("rb") as opened, mmap(opened.fileno(), 0, prot=PROT_READ) as data:
        newest = states_of(data)[1]
    return (newest.last_page + 1) * newest.free.page_bytes


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is possible: the first read waits for writes, and a disk may be slow."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_a_restart_serves_without_reading_the_tree(folder: Path) -> None:
    with CoordEnsemble(folder, 1, tick_ms=2000) as ensemble:
        write_znodes(ensemble, 1, ZNODES)
        wait_for(
            lambda: flushed_bytes(tree_file(ensemble, 1)) > CHECKED_BYTES_MAX,
            seconds=60,
            what="a tree that is too large to be looked through at the start",
        )
        shares = []
        for _ in range(ATTEMPTS):
            result = restart(ensemble, ZNODES, reading_s=0.5)
            assert max(result.fresh_mb, result.used_mb) < ANONYMOUS_MB_MAX
            assert looked_at(ensemble) > 0  # else it could not be told
            shares.append(result.looked_at)
            if result.looked_at < SHARE_MAX:
                break
    assert min(shares) < SHARE_MAX, shares
