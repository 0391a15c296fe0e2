"""A restart with many znodes serves soon, in little memory.

A part of what `python -m tests.ensemble.restart` shows with a million, and with a clock.
"""

from mmap import PROT_READ, mmap
from pathlib import Path

from coord.storage.page_format import states_of
from coord.storage.tree import CHECKED_BYTES_MAX
from tests.ensemble.bulk import write_znodes
from tests.ensemble.processes import wait_for
from tests.ensemble.restart import restart, tree_file
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


def test_a_restart_serves_without_reading_the_tree(tmp_path: Path) -> None:
    with CoordEnsemble(tmp_path, 1, tick_ms=2000) as ensemble:
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
            shares.append(result.looked_at)
            if result.looked_at < SHARE_MAX:
                break
    assert min(shares) < SHARE_MAX, shares
