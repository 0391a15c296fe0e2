"""What a request costs the client's processor: this library's and kazoo's, beside each other.

    python -m benchmarks client

Each keeps 100 requests under way on one connection: kazoo with its asynchronous calls, this library
with plain awaits in 100 tasks, and with batches of 100. The processor time is that of this process,
all its threads included. Rounds alternate, and every figure is the median of the rounds. The exit
status is 1 when a ratio is above its goal.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trio
from kazoo.client import KazooClient

import client
from benchmarks.ensemble import TICK_MS
from tests.ensemble.servers import CoordEnsemble

OUTSTANDING = 100
VALUE = bytes(100)
PATH = "/benchmark"
OPERATIONS = ("get", "set")

GOALS = {"await": 1 / 2, "batch": 1 / 3}
"""The most of kazoo's time that this library may take."""


class Stopwatch:
    """Processor time of this process over a block, for each of so many operations."""

    def __init__(self, operations: int) -> None:
        self._operations = operations
        self.microseconds = 0.0

    def __enter__(self) -> "Stopwatch":
        self._began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.microseconds = (time.process_time() - self._began) / self._operations * 1e6


def kazoo(hosts: str, operation: str, count: int) -> float:
    """Return the microseconds of an operation with kazoo's asynchronous calls."""
    theirs = KazooClient(hosts)
    theirs.start()

    def send() -> Any:
        return theirs.get_async(PATH) if operation == "get" else theirs.set_async(PATH, VALUE)

    try:
        send().get()
        with Stopwatch(count) as watch:
            under_way = deque(send() for _ in range(OUTSTANDING))
            for _ in range(count - OUTSTANDING):
                under_way.popleft().get()
                under_way.append(send())
            for each in under_way:
                each.get()
        return watch.microseconds
    finally:
        theirs.stop()
        theirs.close()


async def plain_awaits(hosts: str, operation: str, count: int) -> float:
    """Return the same with this library, an await for each in as many tasks as are under way."""
    async with client.connect(hosts) as zk:

        async def work(times: int) -> None:
            for _ in range(times):
                if operation == "get":
                    await zk.get(PATH)
                else:
                    await zk.set(PATH, VALUE)

        await work(1)
        with Stopwatch(count) as watch:
            async with trio.open_nursery() as nursery:
                for _ in range(OUTSTANDING):
                    nursery.start_soon(work, count // OUTSTANDING)
        return watch.microseconds


async def batches(hosts: str, operation: str, count: int) -> float:
    """Return the same with batches, and a look at every outcome."""
    async with client.connect(hosts) as zk:
        await zk.get(PATH)
        with Stopwatch(count) as watch:
            for _ in range(count // OUTSTANDING):
                async with zk.batch() as batch:
                    if operation == "get":
                        answers: list[client.Answer[Any]] = [
                            batch.get(PATH) for _ in range(OUTSTANDING)
                        ]
                    else:
                        answers = [batch.set(PATH, VALUE) for _ in range(OUTSTANDING)]
                for each in answers:
                    each.result()
        return watch.microseconds


WAYS: dict[str, Callable[[str, str, int], float]] = {
    "kazoo": kazoo,
    "await": lambda *arguments: trio.run(plain_awaits, *arguments),
    "batch": lambda *arguments: trio.run(batches, *arguments),
}
"""How to send requests, kazoo's first."""


async def prepare(hosts: str) -> None:
    """Create the znode."""
    async with client.connect(hosts) as zk:
        await zk.create(PATH, VALUE)


def measure(hosts: str, rounds: int, count: int) -> list[dict[str, float | str]]:
    """Print and return a line for each operation."""
    trio.run(prepare, hosts)
    print(
        f"{'':6}{'kazoo':>10}{'await':>10}{'batch':>10}   microseconds of client CPU an operation"
    )
    table: list[dict[str, float | str]] = []
    for operation in OPERATIONS:
        for way in WAYS.values():
            way(hosts, operation, OUTSTANDING)
        times: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, way in WAYS.items():
                times[name].append(way(hosts, operation, count))
        medians = {name: statistics.median(found) for name, found in times.items()}
        row: dict[str, float | str] = {"operation": operation, **medians}
        print(f"{operation:6}" + "".join(f"{medians[name]:>10.1f}" for name in WAYS), flush=True)
        ratios = {name: medians[name] / medians["kazoo"] for name in GOALS}
        shown = "".join(f"{ratios[name]:>10.2f}" for name in GOALS)
        goals = ", ".join(f"{name} {goal:.2f}" for name, goal in GOALS.items())
        print(f"{'ratio':6}{'':10}{shown}   at most: {goals}", flush=True)
        table.append({**row, **{f"{name} ratio": ratio for name, ratio in ratios.items()}})
    return table


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks client",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--replicas", type=int, default=1, metavar="N")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=10_000, help="in each round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table there")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        CoordEnsemble(Path(folder), options.replicas, tick_ms=TICK_MS) as ensemble,
    ):
        table = measure(ensemble.hosts, options.rounds, options.requests)
    if options.json:
        options.json.write_text(json.dumps(table))
    return int(any(row[f"{name} ratio"] > goal for row in table for name, goal in GOALS.items()))  # type: ignore[operator]
