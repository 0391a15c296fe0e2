"""Durability: what is acknowledged has been synced, as strace and a simulated power cut show."""

import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from tests.ensemble.powercut import Disk, strace_missing, syncs, tracer, wait_until_complete

pytestmark = pytest.mark.skipif(strace_missing() is not None, reason=str(strace_missing()))

COMMITS = """
import lmdb, os, sys
folder = sys.argv[1]
os.mkdir(folder)
with open(folder + "/unsynced", "w") as file:
    file.write("lost")
with open(folder + "/synced", "w") as file:
    file.write("kept")
    file.flush()
    os.fsync(file.fileno())
    file.write(" but for this")
environment = lmdb.open(folder + "/log", map_size=1 << 24)
for number in range(20):
    with environment.begin(write=True) as transaction:
        transaction.put(b"%d" % number, bytes(3000))
environment.close()
environment = lmdb.open(folder + "/log", map_size=1 << 24, sync=False)
with environment.begin(write=True) as transaction:
    transaction.put(b"unsynced", b"")
os.kill(os.getpid(), 9)
"""


def test_a_power_cut_keeps_what_was_synced_and_nothing_else(tmp_path: Path) -> None:
    """The test of the tool itself, on a program that commits to LMDB and writes files."""
    trace, folder, after = tmp_path / "trace", tmp_path / "data", tmp_path / "after"
    process = subprocess.Popen([*tracer(trace), sys.executable, "-c", COMMITS, str(folder)])
    process.wait(30)
    wait_until_complete(trace, process.pid)
    Disk.after(trace, folder).write_to(after)
    assert (folder / "unsynced").read_text() == "lost"
    assert (after / "unsynced").read_text() == ""
    assert (after / "synced").read_text() == "kept"
    for path, expected in ((folder, 21), (after, 20)):
        with (
            lmdb.open(str(path / "log"), map_size=1 << 24) as environment,
            environment.begin() as transaction,
        ):
            assert transaction.stat()["entries"] == expected
    assert len(syncs(trace, folder)) >= 21
