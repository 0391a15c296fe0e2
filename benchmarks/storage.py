"""What storage costs: reads, flushes beside a busy loop, writes of the log, restarts, transfers.

    python -m benchmarks storage --nodes 1000000 --seconds 60 --data DIR

The tree is made in a folder that is removed afterwards; with --data it is kept and used again. The
part that measures memory runs in a process of its own, so that nothing else is counted.
"""

import argparse
import os
import random
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from coord.consensus.effects import Persist
from coord.consensus.log import HardState, Point, make_entry, point_of
from coord.state.store import PATH_KEY, Table
from coord.storage.flush import Flush
from coord.storage.log import DurableLog
from coord.storage.snapshots import Export, Import
from coord.storage.tree import TreeStore

PARENTS: Final = 1000
RECORD: Final = bytes(235)
"""As long as the record of a znode with 100 bytes of data and an open ACL."""
BATCH: Final = 20_000
SLICE_S: Final = 0.001


def path_of(number: int) -> bytes:
    """Return the path of the n-th node."""
    return b"/service%d/instance-%010d" % (number % PARENTS, number)


def random_paths(nodes: int, count: int) -> list[bytes]:
    """Draw some nodes; prints nothing, the seed is fixed."""
    draw = random.Random(7)
    return [path_of(draw.randrange(nodes)) for _ in range(count)]


def anonymous_mb() -> float:
    """Return the memory of this process that no file stands behind."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


def report(what: str, text: str) -> None:
    """Print one line of the table."""
    print(f"{what:<44} {text}", flush=True)


def quantiles(times: list[float], unit: float = 1e6) -> str:
    """Return median, 99th percentile and worst."""
    times.sort()
    middle, late = times[len(times) // 2], times[int(len(times) * 0.99)]
    return f"p50 {middle * unit:.0f}  p99 {late * unit:.0f}  worst {times[-1] * unit:.0f}"


def make_tree(path: Path, nodes: int) -> None:
    """Make a tree as a replica would: put, freeze, flush, a batch at a time."""
    tree = TreeStore.create(path)
    tree.put_row(Table.META, PATH_KEY, b"crc_0123456789abcdef")
    tree.put(b"/", RECORD)
    for number in range(PARENTS):
        tree.put(b"/service%d" % number, RECORD)
    begun, processor = time.perf_counter(), time.process_time()
    for first in range(0, nodes, BATCH):
        for number in range(first, min(first + BATCH, nodes)):
            tree.put(path_of(number), RECORD)
        flush = tree.freeze(Point(first + BATCH, 1, 1), b"")
        flush.write()
        tree.finish(flush)
    took, processor = time.perf_counter() - begun, time.process_time() - processor
    report(
        f"create and flush {nodes:,} nodes",
        f"{took:.1f} s, {processor / nodes * 1e6:.1f} µs of CPU each,"
        f" file {(path / 'data.mdb').stat().st_size >> 20} MB",
    )
    tree.close()


def measure_reads(path: Path, nodes: int, seconds: float) -> None:
    """Open the tree and read; runs alone in its process."""
    before = anonymous_mb()
    begun = time.perf_counter()
    tree = TreeStore.open(path)
    tree.get(path_of(1))
    report("open, until the first read", f"{(time.perf_counter() - begun) * 1000:.1f} ms")
    report("anonymous memory: process / tree opened", f"{before:.1f} / {anonymous_mb():.1f} MB")
    paths = random_paths(nodes, 100_000)
    for what in ("first", "second"):
        processor = time.process_time()
        for path_read in paths:
            tree.get(path_read)
        cost = (time.process_time() - processor) / len(paths) * 1e6
        report(f"random get, all nodes, {what} round", f"{cost:.2f} µs of CPU")
    hot = paths[:1000]
    processor = time.process_time()
    for _ in range(100):
        for path_read in hot:
            tree.get(path_read)
    report("get among 1,000 hot nodes", f"{(time.process_time() - processor) * 10:.2f} µs of CPU")
    processor = time.process_time()
    for number in range(20):
        names = len(tree.children(b"/service%d" % number))
    cost = (time.process_time() - processor) / 20 / names * 1e6
    report(f"children, {names} names", f"{cost:.2f} µs of CPU each")
    end = time.perf_counter() + seconds
    reads = 0
    while time.perf_counter() < end:
        for path_read in random_paths(nodes, 1000):
            tree.get(path_read)
        draw_again = random.Random(reads)
        for _ in range(5000):
            tree.get(path_of(draw_again.randrange(nodes)))
        reads += 6000
    report(f"anonymous memory after {reads:,} random reads", f"{anonymous_mb():.1f} MB")
    tree.close()


class Flusher:
    """A thread that makes calls, one after another, and tells when each is done."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.done: SimpleQueue[float] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, call: Callable[[], None] | None) -> None:
        """Make a call there; None ends the thread."""
        self._calls.put(call)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            self.done.put(time.perf_counter())


class BusyLoop:
    """A loop that never rests: about 0.06 ms of Python a round, and three calls of the system."""

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()
        self._epoll = select.epoll()
        self._epoll.register(self._in.fileno(), select.EPOLLIN)
        self.pauses: list[float] = []
        self._last = time.perf_counter()

    def round(self) -> None:
        """Work, and note how long it is since the round before, whatever came between."""
        self._out.send(bytes(100))
        self._epoll.poll(0)
        self._in.recv(1000)
        counts: dict[int, int] = {}
        for number in range(1000):
            counts[number & 63] = number
        now = time.perf_counter()
        self.pauses.append(now - self._last)
        self._last = now


def change(tree: TreeStore, nodes: int, seed: int) -> Flush:
    """Change some nodes all over the tree and freeze."""
    draw = random.Random(seed)
    for number in draw.sample(range(nodes), min(BATCH, nodes)):
        tree.put(path_of(number), RECORD)
    return tree.freeze(Point(tree.point.index + 1, 1, 1), b"")


def in_slices(flush: Flush, loop: BusyLoop) -> float:
    """The way of a replica: the thread commits, the loop fills between its rounds.

    Returns the time that the loop spent on it.
    """
    flusher = Flusher()
    spent = 0.0
    while not flush.is_done:
        flusher.submit(flush.commit)
        while flusher.done.empty():
            loop.round()
        flusher.done.get()
        is_full: bool = flush.is_done
        while not is_full:
            begun = time.thread_time()
            is_full = flush.fill(SLICE_S)
            spent += time.thread_time() - begun
            loop.round()
    flusher.submit(None)
    return spent


def in_the_thread(flush: Flush, loop: BusyLoop) -> float:
    """The other way: all of it in the thread."""
    flusher = Flusher()
    flusher.submit(flush.write)
    while flusher.done.empty():
        loop.round()
    flusher.submit(None)
    return 0.0


def measure_flush(path: Path, nodes: int) -> None:
    """Flush beside a busy loop, both ways."""
    tree = TreeStore.open(path)
    ways: tuple[tuple[str, Callable[[Flush, BusyLoop], float], float], ...] = (
        ("in slices of 1 ms, switch interval 5 ms", in_slices, 0.005),
        ("in slices of 1 ms, switch interval 0.5 ms", in_slices, 0.0005),
        ("in the thread, switch interval 5 ms", in_the_thread, 0.005),
        ("in the thread, switch interval 0.5 ms", in_the_thread, 0.0005),
    )
    report(f"flush of {BATCH:,} changed nodes", "beside a loop that never rests")
    for seed, (what, way, interval) in enumerate(ways):
        sys.setswitchinterval(interval)
        flush = change(tree, nodes, seed)
        loop = BusyLoop()
        begun, processor, own = time.perf_counter(), time.process_time(), time.thread_time()
        spent = way(flush, loop)
        took = time.perf_counter() - begun
        other = time.process_time() - processor - (time.thread_time() - own)
        tree.finish(flush)
        report(
            f"  {what}",
            f"{took:.2f} s; CPU a node: {spent / BATCH * 1e6:.1f} µs in the loop,"
            f" {other / BATCH * 1e6:.1f} in the thread; rounds (µs) {quantiles(loop.pauses)}",
        )
    sys.setswitchinterval(0.005)
    report("anonymous memory after the flushes", f"{anonymous_mb():.1f} MB")
    tree.close()


def measure_log(folder: Path, count: int) -> None:
    """Write small entries: alone, and beside a busy loop, both ways."""
    log = DurableLog.open(folder / "log")
    point = log.base
    pauses: list[float] = []

    def next_persist() -> list[Persist]:
        nonlocal point
        entry = make_entry(point, 1, 1, bytes(300))
        point = point_of(entry)
        hard = HardState(1, 1, entry.index, 0)
        return [Persist(entry.index, hard, None, (entry,))]

    def trim() -> int:
        return max(0, point.index - 1000)

    processor = time.process_time()
    for _ in range(count):
        begun = time.perf_counter()
        log.write(next_persist(), trim())
        pauses.append(time.perf_counter() - begun)
    cost = (time.process_time() - processor) / count * 1e6
    report("log write of 300 B in the loop (µs)", f"{quantiles(pauses)}, {cost:.0f} µs of CPU")
    for what, staged in (("staged by the loop", True), ("all in the thread", False)):
        for interval in (0.005, 0.0005):
            sys.setswitchinterval(interval)
            pauses = beside_a_loop(log, next_persist, trim, count, is_staged=staged)
            report(
                f"  beside a busy loop, {what}, {interval * 1000:g} ms",
                f"{quantiles(pauses)}",
            )
    sys.setswitchinterval(0.005)
    log.close()


def beside_a_loop(
    log: DurableLog,
    next_persist: Callable[[], list[Persist]],
    trim: Callable[[], int],
    count: int,
    *,
    is_staged: bool,
) -> list[float]:
    """Return how long each write took until the thread had it durable."""
    flusher, loop = Flusher(), BusyLoop()
    times = []
    for _ in range(min(count, 300)):
        persists = next_persist()
        begun = time.perf_counter()
        if is_staged:
            log.stage(persists, trim())
            flusher.submit(log.commit)
        else:
            flusher.submit(lambda persists=persists: log.write(persists, trim()))  # type: ignore[misc]
        while flusher.done.empty():
            loop.round()
        times.append(flusher.done.get() - begun)
        log.finish()
    flusher.submit(None)
    return times


def measure_transfer(path: Path, folder: Path, nodes: int) -> None:
    """Export the tree into another one."""
    tree = TreeStore.open(path)
    export = Export.begin(tree)
    assert export is not None, "no flush is unfinished here"
    target = Import(folder / "tree.2")
    exporting = importing = 0.0
    longest = 0.0
    size = 0
    while True:
        begun = time.process_time()
        chunk = next(export, None)
        exported = time.process_time()
        if chunk is None:
            break
        target.feed(chunk)
        imported = time.process_time()
        exporting += exported - begun
        importing += imported - exported
        longest = max(longest, exported - begun, imported - exported)
        size += len(chunk)
    begun = time.perf_counter()
    target.finish()
    synced = time.perf_counter() - begun
    report(
        f"transfer of {nodes:,} nodes, {size >> 20} MB",
        f"{exporting:.1f} s of CPU there, {importing:.1f} s here, a chunk at most"
        f" {longest * 1000:.1f} ms; last sync {synced:.1f} s",
    )
    tree.close()


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Run all parts in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tree.1"
    if not path.exists():
        make_tree(path, options.nodes)
    reads = [sys.executable, "-m", "benchmarks", "storage", "--reads-of", str(path)]
    reads += ["--nodes", str(options.nodes), "--seconds", str(options.seconds)]
    subprocess.run(reads, check=True)
    measure_flush(path, options.nodes)
    for name in ("log", "tree.2"):
        shutil.rmtree(folder / name, ignore_errors=True)
    measure_log(folder, 1000)
    measure_transfer(path, folder, options.nodes)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks storage")
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10, help="of random reads")
    parser.add_argument("--data", type=Path, help="folder that is kept")
    parser.add_argument("--reads-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.reads_of is not None:
        measure_reads(options.reads_of, options.nodes, options.seconds)
    elif options.data is not None:
        measure(options, options.data)
    else:
        with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder:
            measure(options, Path(folder))
    return 0
