"""Durability: what is acknowledged has been synced, as strace and a simulated power cut show."""

import itertools
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import pytest

from coord.storage.log import DurableLog
from tests.ensemble import frames
from tests.ensemble.powercut import (
    Disk,
    put_down,
    replies,
    strace_missing,
    syncs,
    tracer,
    wait_until_complete,
)
from tests.ensemble.probe import Probe
from tests.ensemble.servers import CoordEnsemble

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
    Disk.at(time.time(), trace, folder).write_to(after)
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


class Traced:
    """A coord ensemble whose replicas run under strace."""

    def __init__(self, folder: Path, size: int) -> None:
        self.traces = {i: folder / f"trace.{i}" for i in range(1, size + 1)}
        self.ensemble = CoordEnsemble(folder, size, wrapper=lambda i: tracer(self.traces[i]))

    def data(self, replica: int) -> Path:
        """The data folder of a replica."""
        return self.ensemble.folder / str(replica) / "data"

    def cut(self) -> None:
        """Kill all replicas at once and wait until their traces are whole."""
        pids = {i: self.ensemble.processes[i].pid for i in self.ensemble.ids}
        self.ensemble.stop()
        for i, pid in pids.items():
            wait_until_complete(self.traces[i], pid)


def write(probe: Probe, count: int) -> list[str]:
    """Create nodes one after the other and return the acknowledged paths."""
    return [probe.create(f"/n{number:05d}", b"x" * 100) for number in range(count)]


def created_in(disk: Disk, folder: Path) -> set[str]:
    """The paths of the nodes that a log creates, which a power cut leaves."""
    files = {path: data for path, data in disk.durable.items() if path.startswith("log/")}
    shutil.rmtree(folder, ignore_errors=True)
    put_down(files, folder)
    log = DurableLog.open(folder / "log")
    try:
        entries = log.read(1, log.last_index, 1 << 30) if log.last_index else []
    finally:
        log.close()
    return {path.decode() for entry in entries for path in re.findall(rb"/n\d{5}", entry.payload)}


@pytest.mark.parametrize(("size", "durable_on"), [(1, 1), (3, 2)])
def test_each_reply_comes_after_a_sync_of_its_own_on_a_replication_quorum(
    tmp_path: Path, size: int, durable_on: int
) -> None:
    """AT-2: and each is found in the logs that a power cut would leave as the reply goes out."""
    traced = Traced(tmp_path, size)
    count = 200 if size == 1 else 50
    with traced.ensemble as ensemble:
        home = ensemble.leader()
        with Probe(ensemble.address(home)) as probe:
            port = probe.socket.getsockname()[1]
            acknowledged = write(probe, count)
        traced.cut()
    # The first thing sent is the answer to the greeting; the last replies end the session.
    sent = replies(traced.traces[home], port)[: count + 1]
    assert len(sent) == count + 1
    step = count // 10
    after_each = [
        Disk.at_each(sent[::step], traced.traces[i], traced.data(i)) for i in ensemble.ids
    ]
    for number, disks in enumerate(zip(*after_each, strict=True)):
        needed = set(acknowledged[: number * step])
        holders = [needed <= created_in(disk, tmp_path / "cut") for disk in disks]
        assert sum(holders) >= durable_on
    synced = [syncs(traced.traces[i], traced.data(i)) for i in ensemble.ids]
    for before, reply in itertools.pairwise(sent):
        replicas = [any(before < time < reply for time in times) for times in synced]
        assert sum(replicas) >= durable_on


def test_acknowledged_writes_survive_a_power_cut_of_every_replica(tmp_path: Path) -> None:
    traced = Traced(tmp_path, 3)
    with traced.ensemble as ensemble:
        with Probe(ensemble.address(ensemble.followers()[0])) as probe:
            acknowledged = write(probe, 60)
            moment = time.time()
            # More of them are on their way while the power fails.
            late = [frames.create_body(f"/late{number}", b"", 0) for number in range(20)]
            for xid in [probe.send(frames.CREATE, body) for body in late]:
                probe.reply_to(xid)
            traced.cut()
        for i in ensemble.ids:
            data = traced.data(i)
            disk = Disk.at(moment, traced.traces[i], data)
            data.rename(data.with_name("data.before"))
            disk.write_to(data)
        ensemble.start()
        for i in ensemble.ids:
            with Probe(ensemble.address(i)) as probe:
                probe.sync()
                names = probe.children("/")[0]
                assert {path[1:] for path in acknowledged} <= set(names)
