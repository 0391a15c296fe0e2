"""Many znodes, written and read back with the load generator of the benchmarks."""

from benchmarks import workloads
from benchmarks.load import Connection, Load, Measurement, Pipeline, close
from tests.ensemble.servers import Ensemble

PARENTS = [b"/bulk%d" % number for number in range(4)]
DEPTH = 250


def write_znodes(ensemble: Ensemble, replica: int, count: int) -> None:
    """Create so many nodes of 100 bytes, through one replica."""
    connections = [Connection(ensemble.address(replica)) for _ in PARENTS]
    for connection, path in zip(connections, PARENTS, strict=True):
        Load([Pipeline(connection, workloads.parent(path), 1)]).run_out()
    loads = [workloads.some(workloads.creates(path), count // len(PARENTS)) for path in PARENTS]
    pairs = zip(connections, loads, strict=True)
    Load([Pipeline(connection, load, DEPTH) for connection, load in pairs]).run_out()
    close(connections)


def read_znodes(
    ensemble: Ensemble, replica: int, count: int, *, seconds: float, depth: int
) -> Measurement:
    """Read random ones of `count` nodes for a time, and check what comes."""
    connections = [Connection(ensemble.address(replica)) for _ in range(8)]
    loads = [
        workloads.random_reads(PARENTS, count // len(PARENTS), seed)
        for seed in range(len(connections))
    ]
    pairs = zip(connections, loads, strict=True)
    result = Load([Pipeline(connection, load, depth) for connection, load in pairs]).run(
        warm_up=0, seconds=seconds, at_start=lambda: None, at_end=lambda: None
    )
    close(connections)
    return result
