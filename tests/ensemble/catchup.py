"""A follower stands still while many znodes are written, and catches up by snapshot.

python -m tests.ensemble.catchup --znodes 200000
"""

import argparse
import tempfile
import time
from pathlib import Path

import attrs

from tests.ensemble import storm
from tests.ensemble.bulk import write_znodes
from tests.ensemble.kills import Storm
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble, Ensemble

CATCH_UP_SECONDS_MAX = 120.0
WATCHER_TIMEOUT_MS = 40_000
"""In the command: the follower's watchers keep their connection while it stands still."""


@attrs.frozen
class CatchUp:
    """What was seen of one catch-up."""

    write_s: float
    """How long the znodes took."""
    catch_up_s: float
    """From SIGCONT until the follower had what the leader had when it was woken."""
    writes: int
    """How many writes of others were acknowledged meanwhile."""
    gap_s: float
    """The longest time without one."""
    trees_before: tuple[str, ...]
    """The tree folders of the follower when it was stopped."""
    trees_after: tuple[str, ...]
    """Those when it had caught up: a snapshot makes a new one."""

    @property
    def by_snapshot(self) -> bool:
        """Whether a snapshot was installed."""
        return self.trees_before != self.trees_after


def trees(ensemble: Ensemble, replica: int) -> tuple[str, ...]:
    """Name the tree folders of a replica."""
    data = ensemble.folder / str(replica) / "data"
    return tuple(sorted(path.name for path in data.glob("tree.*")))


def zxid(ensemble: Ensemble, replica: int) -> int:
    """Tell how far a replica has applied; 0 when it does not answer."""
    return int(ensemble.metrics(replica).get("zk_coord_zxid", 0))


def catch_up(blowing: Storm, count: int) -> CatchUp:
    """Stop a follower, write, wake it up, wait until it has caught up."""
    ensemble = blowing.ensemble
    leader, (follower, *_) = ensemble.leader(), ensemble.followers()
    before = trees(ensemble, follower)
    with ensemble.paused(follower):
        began = time.monotonic()
        write_znodes(ensemble, leader, count)
        written = time.monotonic()
        goal = zxid(ensemble, leader)
    wait_for(
        lambda: zxid(ensemble, follower) >= goal,
        seconds=CATCH_UP_SECONDS_MAX,
        what=f"replica {follower} has applied {goal}",
    )
    caught_up = time.monotonic()
    blowing.progress()
    return CatchUp(
        write_s=written - began,
        catch_up_s=caught_up - written,
        writes=storm.acknowledged_between(blowing.writers, written, caught_up),
        gap_s=storm.longest_gap_s(blowing.writers, written, caught_up),
        trees_before=before,
        trees_after=trees(ensemble, follower),
    )


def equal_digests(ensemble: Ensemble) -> tuple[int, str]:
    """Wait until all replicas stand at one zxid, while nothing is written; it and the digest."""

    def same() -> tuple[int, str] | None:
        told = {
            (int(metrics.get("zk_coord_zxid", 0)), metrics.get("zk_coord_digest", ""))
            for metrics in map(ensemble.metrics, ensemble.ids)
        }
        if len({zxid for zxid, _ in told}) > 1:
            return None
        assert len(told) == 1, f"different digests at one zxid: {told}"
        return told.pop()

    return wait_for(same, seconds=30, what="all replicas at one zxid")


def run(ensemble: Ensemble, count: int, *, watcher_timeout_ms: int) -> CatchUp:
    """Do it all on an ensemble of its own, and check what must hold."""
    with Storm(ensemble, writers=3, watcher_timeout_ms=watcher_timeout_ms) as blowing:
        result = catch_up(blowing, count)
        tree = blowing.final_tree()
    storm.verify_writes(tree, blowing.writers)
    for watcher in blowing.watchers:
        storm.verify_watch(tree, watcher)
    equal_digests(ensemble)
    return result


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--znodes", type=int, default=200_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        CoordEnsemble(Path(folder), tick_ms=2000) as ensemble,
    ):
        result = run(ensemble, options.znodes, watcher_timeout_ms=WATCHER_TIMEOUT_MS)
        zxid_shown, digest = equal_digests(ensemble)
    way = "by snapshot" if result.by_snapshot else "from the log"
    print(
        f"{options.znodes} znodes written in {result.write_s:.1f} s; caught up {way} "
        f"({result.trees_before} -> {result.trees_after}) in {result.catch_up_s:.1f} s, "
        f"{result.writes} writes meanwhile, longest gap between them {result.gap_s:.3f} s; "
        f"digest {digest} on every replica at zxid {zxid_shown:#x}"
    )


if __name__ == "__main__":
    main()
