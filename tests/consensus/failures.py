"""What `whatif` foretells against what simulated ensembles then do.

`python -m tests.consensus.failures --sets 1000` tries random systems with random replicas down; the
exit status is 1 when one did something else.
"""

import argparse
import random
import sys

from coord.consensus.role import RoleName
from coord.quorums import QuorumError, parse
from coord.quorums.planning import look_ahead
from tests.consensus.cluster import Cluster

SYSTEMS = (
    "majority",
    "simple L={a} R={b}",
    "weighted {weights} R={b}",
    "grid [[1,2],[3,4]]",
    "grid [[1,2,3],[4,5,6]]",
    "hierarchical [1,2] [3,4] [5,6]",
    "hierarchical [1,2,3] [4,5]",
    "replication={x}*{y}+{z}",
    "replication=({x}+{y})*{z}",
    "replication=choose(2, {x}, {y}, {z})",
    "election={x}+{y}*{z}",
)
PATIENCE_MS = 1500.0
"""Ten times the silence after which a replica stands."""


def draw_system(chance: random.Random) -> tuple[str, int]:
    """Draw the text of a legal system and the number of its voters."""
    while True:
        count = chance.randint(1, 6)
        x, y, z, a, b = (chance.randint(1, count) for _ in range(5))
        weights = " ".join(f"{voter}={chance.randint(0, 3)}" for voter in range(1, count + 1))
        text = chance.choice(SYSTEMS).format(x=x, y=y, z=z, a=a, b=b, weights=weights)
        try:
            return parse(text, range(1, count + 1)).text, count
        except QuorumError:
            continue


def difference(seed: int) -> str:
    """Let a random set of replicas fail; say where the ensemble does not do what was foretold."""
    chance = random.Random(seed)
    text, count = draw_system(chance)
    cluster = Cluster(count, text, seed=chance.randrange(1 << 60))
    cluster.start()
    cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    leader = cluster.await_leader()
    epoch = cluster.node(leader).epoch
    down = sorted(chance.sample(list(cluster.numbers), chance.randint(0, count)))
    outlook = look_ahead(cluster.system, down)
    for number in down:
        cluster.crash(number)
    is_led = leader not in down
    cluster.run(PATIENCE_MS)
    found = {
        "commits": _commits(cluster),
        "elects": is_led or _has_stood_successfully(cluster, epoch),
        "reads": _reads(cluster),
    }
    serves = outlook.now.commits if is_led else outlook.now.replaces
    foretold = {
        "commits": serves,
        "elects": is_led or outlook.now.elects,
        "reads": serves and outlook.now.reads,
    }
    if found == foretold:
        return ""
    return (
        f"seed {seed}: {text} without {down}, led by {leader}: {foretold} foretold, {found} found"
    )


def _commits(cluster: Cluster) -> bool:
    leader = cluster.leader
    payload = None if leader is None else cluster.propose(leader)
    cluster.run(PATIENCE_MS)
    return payload in cluster.checkers.positions


def _reads(cluster: Cluster) -> bool:
    leader = cluster.leader
    if leader is None:
        return False
    confirmed = cluster.checkers.barriers_confirmed
    cluster.barrier(leader)
    cluster.run(PATIENCE_MS)
    return cluster.checkers.barriers_confirmed > confirmed


def _has_stood_successfully(cluster: Cluster, epoch: int) -> bool:
    nodes = [replica.node for replica in cluster.replicas.values() if replica.node is not None]
    return any(node.role is RoleName.LEADER and node.epoch > epoch for node in nodes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1000)
    options = parser.parse_args()
    differences = [found for seed in range(options.sets) if (found := difference(seed))]
    print("\n".join(differences))
    print(f"{options.sets} sets of replicas down, {len(differences)} did something else")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
