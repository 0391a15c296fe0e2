"""A grid of four and six of different weights, killed and started again while clients write.

`python -m tests.ensemble.kills --victim any --replicas 4 --quorums TEXT --rounds 100`: at length.
"""

from pathlib import Path

import pytest

from tests.ensemble import storm
from tests.ensemble.kills import Storm, anybody
from tests.ensemble.servers import CoordEnsemble

ROUNDS = 5


@pytest.mark.parametrize(
    ("replicas", "quorums"),
    [(4, "grid [[1,2],[3,4]]"), (6, "weighted 1=3 2=2 3=2 4=1 5=1 6=0 L=6 R=4")],
)
def test_no_write_is_lost_or_doubled_whoever_is_killed(
    tmp_path: Path, replicas: int, quorums: str
) -> None:
    """AT-9 with real processes."""
    with (
        CoordEnsemble(tmp_path, replicas, tick_ms=2000, quorums=quorums) as ensemble,
        Storm(ensemble) as blowing,
    ):
        assert f"quorums={quorums}" in ensemble.ask(1, "conf")
        victims = [blowing.kill(anybody(ensemble)).replicas for _ in range(ROUNDS)]
        tree = blowing.final_tree()
    print(f"killed: {victims}")
    storm.verify_writes(tree, blowing.writers)
    for watcher in blowing.watchers:
        storm.verify_watch(tree, watcher)
