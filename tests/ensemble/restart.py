"""A restart with many znodes: when the first read is answered, and how much memory it takes.

How much of the tree was looked at until then is seen from outside: by what the kernel has mapped of
its file. Afterwards a replica looks at the rest, some seconds for a million znodes.

python -m tests.ensemble.restart --znodes 1000000 --reading 60
"""

import argparse
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from tests.ensemble.bulk import read_znodes, write_znodes
from tests.ensemble.probe import ClosedError, Probe
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble, Ensemble

FIRST_READ_SECONDS_MAX = 60.0


@attrs.frozen
class Restart:
    """What was seen of a restart of all replicas."""

    first_read_s: float
    """From the start of the processes until one of them had answered a read."""
    looked_at: float
    """The largest share of a tree's file that was mapped at once until then, 0 to 1."""
    fresh_mb: float
    """Anonymous memory of the largest replica just then."""
    used_mb: float
    """The same after random reads."""
    reads: float
    """Random reads a second meanwhile."""


def anonymous_mb(ensemble: Ensemble) -> float:
    """The anonymous memory of the replica that has most of it."""
    sizes = []
    for pid in ensemble.pids:
        found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert found is not None
        sizes.append(int(found[1]) / 1024)
    return max(sizes)


def tree_file(ensemble: Ensemble, replica: int) -> Path:
    """Where a replica keeps its only tree."""
    (file,) = (ensemble.folder / str(replica) / "data").glob("tree.*/data.mdb")
    return file


def looked_at(ensemble: Ensemble) -> float:
    """The largest share of a tree's file that is mapped, once or over again, by its replica."""
    shares = [0.0]
    for replica, process in ensemble.processes.items():
        file = tree_file(ensemble, replica)
        maps = Path(f"/proc/{process.pid}/smaps").read_text()
        found = re.findall(rf" {re.escape(str(file.resolve()))}\n(?:.*\n){{3}}Rss: +(\d+) kB", maps)
        shares += [int(kb) * 1024 / file.stat().st_size for kb in found]
    return max(shares)


def answers(ensemble: Ensemble, replica: int) -> bool:
    """Whether a replica takes a client and answers it a read of a node."""
    try:
        with Probe(ensemble.address(replica)) as probe:
            return len(probe.get("/bulk0/n000000007")[0] or b"") == 100
    except (ClosedError, OSError):
        return False


def wait_for_an_answer(ensemble: Ensemble) -> None:
    """Wait until a replica answers a read of a node."""
    wait_for(
        lambda: any(answers(ensemble, i) for i in ensemble.ids),
        seconds=FIRST_READ_SECONDS_MAX,
        what="an answer to a read",
    )


def restart(ensemble: Ensemble, znodes: int, *, reading_s: float) -> Restart:
    """Kill and start everybody; read from one; then read random nodes for a time."""
    ensemble.stop()
    began = time.monotonic()
    for process in ensemble.processes.values():
        process.start()
    shares: list[float] = []

    def is_answered() -> bool:
        # Again and again, for what is looked at in one go is not mapped any longer afterwards.
        shares.append(looked_at(ensemble))
        return reading.done()

    with ThreadPoolExecutor() as threads:
        reading = threads.submit(wait_for_an_answer, ensemble)
        wait_for(is_answered, seconds=2 * FIRST_READ_SECONDS_MAX, what="the end of the wait")
        reading.result()
    first_read_s = time.monotonic() - began
    ensemble.wait_until_serving(ensemble.ids)
    fresh_mb = anonymous_mb(ensemble)
    result = read_znodes(ensemble, 1, znodes, seconds=reading_s, depth=10)
    return Restart(
        first_read_s=first_read_s,
        looked_at=max(shares),
        fresh_mb=fresh_mb,
        used_mb=anonymous_mb(ensemble),
        reads=result.operations / result.seconds,
    )


def main() -> None:
    """Fill, restart, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--znodes", type=int, default=1_000_000)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--reading", type=float, default=60.0, help="seconds of random reads")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        CoordEnsemble(Path(folder), options.replicas, tick_ms=2000) as ensemble,
    ):
        began = time.monotonic()
        write_znodes(ensemble, ensemble.leader(), options.znodes)
        filled_s = time.monotonic() - began
        print(f"{options.znodes} znodes written in {filled_s:.1f} s", flush=True)
        result = restart(ensemble, options.znodes, reading_s=options.reading)
    print(
        f"first read {result.first_read_s:.2f} s after the start, when at most "
        f"{result.looked_at:.1%} of the tree was mapped; anonymous memory "
        f"{result.fresh_mb:.0f} MB then, {result.used_mb:.0f} MB after {options.reading:.0f} s "
        f"of {result.reads:,.0f} random reads a second"
    )


if __name__ == "__main__":
    main()
