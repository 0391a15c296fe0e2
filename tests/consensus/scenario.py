"""Words for scenarios: what tests of single situations have in common."""

from tests.consensus.cluster import Cluster


def started(count: int, quorums: str = "majority", **options: object) -> Cluster:
    cluster = Cluster(count, quorums, **options)  # type: ignore[arg-type]
    cluster.start()
    cluster.await_leader()
    return cluster


def followers_of(cluster: Cluster) -> list[int]:
    return [n for n in cluster.replicas if n != cluster.leader]


def stays_without_leader(cluster: Cluster, duration_ms: float = 3000.0) -> bool:
    for _ in range(int(duration_ms / 50)):
        cluster.run(50.0)
        if cluster.leader is not None:
            return False
    return True


def newest_history_wins(cluster: Cluster) -> None:
    """An entry of a newer epoch that nobody else saw must not win over a history that was chosen.

    Three replicas, three epochs: z is written by the first leader alone and x by the second alone;
    the third adopts one of the two histories without writing anything, and dies.
    """
    first = cluster.await_leader()
    cluster.run_until(cluster.is_level, 1000.0)
    cluster.isolate(first)
    cluster.propose(first)  # z
    cluster.run(20.0)
    cluster.run_until(lambda: cluster.leader not in (None, first), 3000.0)
    second = cluster.await_leader()
    third = next(n for n in cluster.replicas if n not in (first, second))
    cluster.run(50.0)
    cluster.isolate(second)
    cluster.propose(second)  # x
    cluster.run(20.0)
    cluster.run_until(lambda: cluster.leader not in (None, second), 3000.0)
    last = cluster.await_leader()
    cluster.run(50.0)
    other = first if last == third else third
    cluster.crash(last)
    cluster.heal()
    cluster.run_until(lambda: cluster.leader in (second, other), 3000.0)
    cluster.run(100.0)
    cluster.start(last)
    cluster.demand_progress()
