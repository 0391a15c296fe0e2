"""A new leader's history and its epoch become durable together, wherever the power fails.

A replica's log adopts a history under strace, and is opened again with what any cut would leave: at
each byte of the write that makes the transaction count, at many of the others, and with any
selection of the unsynced writes.
"""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coord.consensus.log import Entry, HardState, point_of
from coord.storage.log import DurableLog
from tests.ensemble.powercut import (
    Disk,
    calls,
    put_down,
    strace_missing,
    tracer,
    wait_until_complete,
)
from tests.ensemble.servers import REPOSITORY
from tests.storage.samples import history, opened_log, persist

pytestmark = pytest.mark.skipif(strace_missing() is not None, reason=str(strace_missing()))

SHARED = 10
OLD = history(40, size=300)
NEW = history(80, after=point_of(OLD[SHARED - 1]), epoch=2, size=300)
BEFORE, AFTER = HardState(2, 1, SHARED, 0), HardState(2, 2, SHARED, 0)
SMALL = 512
"""Bytes of a write that is cut at each byte; a longer one is cut into PIECES."""
PIECES = 20
MARK = "adopting"


def adopt(folder: Path, kind: str) -> None:
    """What the traced process does."""
    log = opened_log(folder)
    log.write([persist(*OLD, hard=BEFORE)])
    (folder / MARK).touch()
    if kind == "in one write":
        log.write([persist(*NEW, truncate_after=SHARED, hard=AFTER)])
    else:
        log.write([persist(hard=AFTER)])
        log.write([persist(*NEW, truncate_after=SHARED)])
    log.close()


def traced(folder: Path, kind: str) -> Path:
    data, trace = folder / "data", folder / "trace"
    command = [*tracer(trace), sys.executable, "-m", __name__, str(data), kind]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    assert process.wait(60) == 0
    wait_until_complete(trace, process.pid)
    return trace


def cuts(trace: Path, data: Path) -> Iterator[dict[str, bytearray]]:
    """What cuts during the adoption would leave, and in the end what is left without one."""
    disk, chance, is_adopting = Disk(data), random.Random(1), False
    for call in calls(trace):
        is_adopting |= call.name == "openat" and call.names[0].endswith(MARK)
        if is_adopting and disk.is_of(call):
            size = len(call.data)
            step = 1 if size <= SMALL else size // PIECES
            for length in range(0, size + 1, step):
                yield disk.left_by(call, length)
        disk.follow(call)
        if is_adopting:
            yield disk.left_by_chance(chance)
    yield disk.durable  # type: ignore[misc]


def found(contents: dict[str, bytearray], folder: Path) -> tuple[HardState, list[Entry]]:
    """What a log holds that is opened after a cut."""
    put_down({path: data for path, data in contents.items() if path.startswith("log")}, folder)
    log = DurableLog.open(folder / "log")
    try:
        return log.hard, log.read(1, log.last_index, 1 << 30)
    finally:
        log.close()


ADOPTED = (AFTER, [*OLD[:SHARED], *NEW])
NOT_ADOPTED = (BEFORE, OLD)


def test_no_cut_shows_the_epoch_without_its_history_or_the_history_without_its_epoch(
    tmp_path: Path,
) -> None:
    """AT-21."""
    trace = traced(tmp_path, "in one write")
    seen = [found(contents, tmp_path / "after") for contents in cuts(trace, tmp_path / "data")]
    assert len(seen) > 160
    assert all(state in (NOT_ADOPTED, ADOPTED) for state in seen)
    assert seen[0] == NOT_ADOPTED
    assert seen[-1] == ADOPTED


def test_with_two_writes_a_cut_shows_the_epoch_without_its_history(tmp_path: Path) -> None:
    """AT-21, the known bug."""
    trace = traced(tmp_path, "in two writes")
    after = tmp_path / "after"
    assert any(
        found(contents, after) == (AFTER, OLD) for contents in cuts(trace, tmp_path / "data")
    )


if __name__ == "__main__":
    adopt(Path(sys.argv[1]), sys.argv[2])
