"""What others feel while one client lists a node with very many children.

    python -m benchmarks wide --children 1000000

One replica on loopback. A second client reads one znode again and again, alone and then while the
first lists; its greatest latency shows how long the longest hold of the loop was. The lister is a
process of its own, so that what is measured waits for the server only.
"""

import argparse
import os
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import workloads
from benchmarks.ensemble import TICK_MS, run_out
from benchmarks.load import Connection
from tests.ensemble.servers import CoordEnsemble

PARENT = b"/wide"
GET_DATA, GET_CHILDREN = 4, 8
ALONE_S = 3.0


def latencies_ms(connection: Connection, goes_on: Callable[[], bool]) -> list[float]:
    """Read while told to; the time that each read took, sorted."""
    found = []
    while goes_on():
        begun = time.perf_counter()
        connection.call(GET_DATA, workloads.text(PARENT) + b"\0")
        found.append((time.perf_counter() - begun) * 1000)
    return sorted(found)


def list_children(connection: Connection, times: int) -> None:
    """List, and say what came."""
    body = workloads.text(PARENT) + b"\0"
    for _ in range(times):
        begun = time.perf_counter()
        connection.socket.sendall(struct.pack(">iii", 8 + len(body), 1, GET_CHILDREN) + body)
        with connection.socket.makefile("rb", buffering=1 << 20) as stream:
            size = struct.unpack(">i", stream.read(4))[0]
            frame = stream.read(size)
        count = struct.unpack_from(">i", frame, 16)[0]
        took_s = time.perf_counter() - begun
        print(f"listed {count:,} names, {size:,} bytes, in {took_s:.2f} s", flush=True)


def report(what: str, found: list[float]) -> None:
    """Print quantiles."""
    p99 = found[len(found) * 99 // 100]
    print(
        f"{what}: {len(found):,} reads, p99 {p99:.2f} ms, greatest {found[-1]:.1f} ms", flush=True
    )


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks wide", description=__doc__)
    parser.add_argument("--children", type=int, default=1_000_000)
    parser.add_argument("--lists", type=int, default=3)
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        CoordEnsemble(Path(folder) / "coord", 1, tick_ms=TICK_MS) as ensemble,
    ):
        address = ensemble.address(1)
        filler = Connection(address)
        run_out([filler], [workloads.parent(PARENT)])
        run_out([filler], [workloads.some(workloads.creates(PARENT), options.children)])
        reader, lister = Connection(address), Connection(address)
        until = time.monotonic() + ALONE_S
        report("alone", latencies_ms(reader, lambda: time.monotonic() < until))
        child = os.fork()
        if not child:
            list_children(lister, options.lists)
            os._exit(0)
        report("beside", latencies_ms(reader, lambda: os.waitpid(child, os.WNOHANG)[0] == 0))
    return 0
