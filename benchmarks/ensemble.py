"""What an ensemble on loopback does: throughput, latency, processor time and log syncs.

    python -m benchmarks ensemble --replicas 3 --against zookeeper --json out.json

Both ensembles stand from the beginning; after a warm-up the rounds alternate between them, so that
what else the machine does meets both. Every figure is the median of the rounds.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from benchmarks import workloads
from benchmarks.load import Connection, Load, Measurement, Pipeline, close, pipeline
from benchmarks.workloads import Batch
from tests.ensemble.servers import (
    JVM_BENCHMARK,
    CoordEnsemble,
    Ensemble,
    ZooKeeperEnsemble,
    zookeeper_missing,
)

TICK_MS = 2000
SHAPES = ((64, 1), (8, 100))
LOADS = ("set", "create", "get", "mixed")
READ_PERCENT = {"set": 0, "get": 100, "mixed": 90}
DELETING_DEPTH = 200
# Where a server tells in mntr how often it has synced its log.
SYNC_COUNTERS = {"coord": "zk_log_syncs", "zookeeper": "zk_cnt_fsynctime"}


@attrs.frozen
class Row:
    """One line of the table: a load and how many clients make it."""

    load: str
    """set, create, get or mixed (90 % get)."""
    connections: int
    """Clients, spread over the replicas."""
    depth: int
    """Requests that each keeps in flight; with 1 it is a synchronous client."""

    def __str__(self) -> str:
        return f"{self.load} {self.connections}x{self.depth}"


@attrs.frozen
class Figures:
    """What one round, or the median of several, has shown."""

    throughput: float
    """Operations a second."""
    p50_ms: float
    """Half of the requests were answered within this time."""
    p99_ms: float
    """All but one in a hundred were."""
    cpu_us: float
    """Processor time of all servers for an operation."""
    syncs: float | None
    """Log syncs a second, of all servers together; None where they do not tell."""
    loader_us: float
    """Processor time of the load generator for an operation."""


def log_syncs(ensemble: Ensemble) -> int | None:
    """Count the log syncs of all servers so far."""
    key = SYNC_COUNTERS[ensemble.kind]
    counts = [ensemble.metrics(i).get(key) for i in ensemble.ids]
    return None if None in counts else sum(int(float(count or 0)) for count in counts)


def connect(ensemble: Ensemble, count: int) -> list[Connection]:
    """Open sessions, spread evenly over the replicas."""
    return [Connection(ensemble.address(1 + n % len(ensemble.ids))) for n in range(count)]


def run_out(connections: Sequence[Connection], batches: Sequence[Iterator[Batch]]) -> None:
    """Send finite loads and wait for the last reply."""
    pairs = zip(connections, batches, strict=True)
    Load([Pipeline(connection, load, DELETING_DEPTH) for connection, load in pairs]).run_out()


def prepare(ensemble: Ensemble) -> None:
    """Create the keys."""
    connection = Connection(ensemble.address(ensemble.leader()))
    run_out([connection], [workloads.keys()])
    close([connection])


def measure(ensemble: Ensemble, row: Row, *, warm_up: float, seconds: float) -> Figures:
    """Run one load once."""
    connections = connect(ensemble, row.connections)
    parents = [b"/benchmark/c%03d" % n for n in range(row.connections)]
    loads: list[Iterator[Batch]]
    if row.load == "create":
        run_out(connections, [workloads.parent(path) for path in parents])
        loads = [workloads.creates(path) for path in parents]
    else:
        percent = READ_PERCENT[row.load]
        loads = [workloads.mixed(seed, percent) for seed in range(row.connections)]
    pairs = zip(connections, loads, strict=True)
    syncs, cpu = log_syncs(ensemble), [0.0, 0.0]
    pipelines = [pipeline(connection, load, row.depth) for connection, load in pairs]
    result = Load(pipelines).run(
        warm_up=warm_up,
        seconds=seconds,
        at_start=lambda: cpu.__setitem__(0, ensemble.cpu_seconds()),
        at_end=lambda: cpu.__setitem__(1, ensemble.cpu_seconds()),
    )
    later = log_syncs(ensemble)
    synced = None if syncs is None or later is None else (later - syncs) / (warm_up + seconds)
    if row.load == "create":
        counts = [one.done for one in pipelines]
        run_out(
            connections, [workloads.deletes(*pair) for pair in zip(parents, counts, strict=True)]
        )
    close(connections)
    return figures(result, cpu[1] - cpu[0], synced)


def figures(result: Measurement, cpu_seconds: float, syncs: float | None) -> Figures:
    """Divide by the operations and the time."""
    return Figures(
        throughput=result.operations / result.seconds,
        p50_ms=result.latency_ms(50),
        p99_ms=result.latency_ms(99),
        cpu_us=cpu_seconds / result.operations * 1e6,
        syncs=syncs,
        loader_us=result.loader_seconds / result.operations * 1e6,
    )


def median(rounds: Sequence[Figures]) -> Figures:
    """Take the median of each figure by itself."""

    def middle(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in rounds))

    counted = all(one.syncs is not None for one in rounds)
    return Figures(
        throughput=middle("throughput"),
        p50_ms=middle("p50_ms"),
        p99_ms=middle("p99_ms"),
        cpu_us=middle("cpu_us"),
        syncs=middle("syncs") if counted else None,
        loader_us=middle("loader_us"),
    )


HEADINGS = (
    f"{'load':<14}{'servers':<11}{'op/s':>11}{'p50 ms':>9}{'p99 ms':>9}"
    f"{'cpu us/op':>11}{'syncs/s':>9}{'loader us':>11}"
)


def line(row: Row, kind: str, shown: Figures) -> str:
    """Write one line of the table."""
    syncs = "-" if shown.syncs is None else f"{shown.syncs:,.0f}"
    return (
        f"{row!s:<14}{kind:<11}{shown.throughput:>11,.0f}{shown.p50_ms:>9.2f}{shown.p99_ms:>9.2f}"
        f"{shown.cpu_us:>11.2f}{syncs:>9}{shown.loader_us:>11.2f}"
    )


def ratios(ours: Figures, theirs: Figures) -> dict[str, float]:
    """Divide our figures by theirs."""
    return {
        "throughput": ours.throughput / theirs.throughput,
        "p99_ms": ours.p99_ms / theirs.p99_ms,
        "cpu_us": ours.cpu_us / theirs.cpu_us,
    }


def ratio_line(shown: dict[str, float]) -> str:
    """Write the line below two lines of the table."""
    return (
        f"{'':<14}{'ratio':<11}{shown['throughput']:>11.2f}{'':>9}{shown['p99_ms']:>9.2f}"
        f"{shown['cpu_us']:>11.2f}"
    )


def run(ensembles: Sequence[Ensemble], options: argparse.Namespace) -> list[dict[str, object]]:
    """Measure every row on every ensemble in turn; print and return the table."""
    loads = [load for load in LOADS if not options.rows or load in options.rows]
    rows = [Row(load, *shape) for load in loads for shape in SHAPES]
    for ensemble in ensembles:
        prepare(ensemble)
        for load in loads:
            measure(ensemble, Row(load, 8, 100), warm_up=0, seconds=options.warm_up / len(loads))
    print(HEADINGS)
    table: list[dict[str, object]] = []
    for row in rows:
        rounds: dict[str, list[Figures]] = {ensemble.kind: [] for ensemble in ensembles}
        for _ in range(options.rounds):
            for ensemble in ensembles:
                result = measure(ensemble, row, warm_up=options.settle, seconds=options.seconds)
                rounds[ensemble.kind].append(result)
        medians = {kind: median(results) for kind, results in rounds.items()}
        entry: dict[str, object] = {"row": str(row)}
        for kind, shown in medians.items():
            print(line(row, kind, shown), flush=True)
            entry[kind] = attrs.asdict(shown)
        if len(medians) == 2:
            ours, theirs = medians.values()
            entry["ratios"] = ratios(ours, theirs)
            print(ratio_line(ratios(ours, theirs)), flush=True)
        table.append(entry)
    return table


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks ensemble",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--replicas", type=int, default=3, metavar="N")
    parser.add_argument("--quorums", default="majority", metavar="TEXT")
    parser.add_argument("--servers", choices=("coord", "zookeeper"), default="coord")
    parser.add_argument("--against", choices=("zookeeper",), help="measure this one beside it")
    parser.add_argument("--rows", nargs="+", choices=LOADS, help="only these loads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round")
    parser.add_argument("--warm-up", type=float, default=12.0, help="seconds before the first row")
    parser.add_argument("--settle", type=float, default=0.5, help="seconds before each round")
    parser.add_argument("--data", type=Path, help="where the servers keep their data while it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table there")
    return parser.parse_args(arguments)


def ensemble_of(kind: str, folder: Path, options: argparse.Namespace) -> Ensemble:
    """Describe an ensemble that is not started yet."""
    if kind == "coord":
        return CoordEnsemble(
            folder / kind, options.replicas, tick_ms=TICK_MS, quorums=options.quorums
        )
    missing = zookeeper_missing()
    if missing:
        sys.exit(missing)
    return ZooKeeperEnsemble(folder / kind, options.replicas, tick_ms=TICK_MS, jvm=JVM_BENCHMARK)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark."""
    options = parse(arguments)
    kinds = dict.fromkeys([options.servers, *([options.against] if options.against else [])])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.data)))
        ensembles = [stack.enter_context(ensemble_of(kind, folder, options)) for kind in kinds]
        table = run(ensembles, options)
    if options.json:
        options.json.write_text(json.dumps({"options": vars(options), "table": table}, default=str))
    return 0
