"""Candidates: the systems worth a look for so many replicas, and which of them none other beats.

The replicas are taken in an order, the best connected first where delays are known: groups, rows
and "the first few" are made of neighbours in it.
"""

from collections.abc import Iterator, Sequence
from enum import Enum

from coord.quorums.planning.analysis import Analysis, Assumptions, TooLargeError, analyse
from coord.quorums.planning.latency import Delays
from coord.quorums.system import QuorumError
from coord.quorums.text import parse

VOTERS_MAX = 12
"""With more, the comparison would take minutes."""
CLOSE = 1e-9
"""Figures that differ by less, relatively, are the same."""


class Objective(Enum):
    """What the table is sorted by."""

    LATENCY = "latency"
    AVAILABILITY = "availability"
    LOAD = "load"


def plan(count: int, assumptions: Assumptions, objective: Objective) -> list[Analysis]:
    """Return the systems that no other beats in every figure, the best for the objective first."""
    voters = range(1, count + 1)
    found: list[Analysis] = []
    for text in dict.fromkeys(texts(_order(count, assumptions.delays))):
        try:
            analysis = analyse(parse(text, voters), assumptions)
        except (QuorumError, TooLargeError):
            continue
        if not any(_is_same(analysis, other) for other in found):
            found.append(analysis)
    best = [one for one in found if not any(_beats(other, one) for other in found)]
    return sorted(best, key=lambda analysis: _rank(analysis, objective))


def texts(order: Sequence[int]) -> Iterator[str]:
    """Give the text of each candidate over these replicas; some mean the same, or nothing safe."""
    count = len(order)
    yield "majority"
    if count % 2 == 0:
        yield "majority even"
    for size in range(1, count + 1):
        yield f"simple L={count - size + 1} R={size}"
    for rows in range(2, count // 2 + 1):
        if count % rows == 0:
            yield from _rectangles(order, rows)
    for among in range(2, count):
        listed = ", ".join(map(str, sorted(order[:among])))
        for size in range(1, among + 1):
            yield f"replication=choose({size}, {listed})"
    for heavy in (2, 3):
        weights = " ".join(f"{r}={heavy if r == order[0] else 1}" for r in sorted(order))
        for weight in range(1, count + heavy):
            yield f"weighted {weights} R={weight}"


def _rectangles(order: Sequence[int], rows: int) -> Iterator[str]:
    """The grid with so many rows, and so many groups of neighbours."""
    columns = len(order) // rows
    yield f"grid [{','.join(_listed(order[n::rows]) for n in range(rows))}]"
    groups = " ".join(_listed(order[n : n + columns]) for n in range(0, len(order), columns))
    yield f"hierarchical {groups}"
    for some in range(1, rows + 1):
        for members in range(1, columns + 1):
            yield f"hierarchical {groups} groups={some} members={members}"


def _listed(replicas: Sequence[int]) -> str:
    return f"[{','.join(map(str, replicas))}]"


def _order(count: int, delays: Delays | None) -> list[int]:
    """The voters, those first whose replies the others have soonest."""
    if delays is None or delays.count != count:
        return list(range(1, count + 1))
    remoteness = [
        (sum(delays.reply_ms(asker, other) for asker in range(count)), other + 1)
        for other in range(count)
    ]
    return [voter for _, voter in sorted(remoteness)]


def _figures(analysis: Analysis) -> tuple[float, ...]:
    """What is compared; less is better."""
    return (
        analysis.replication.unavailable,
        analysis.election.unavailable,
        analysis.downtime_min,
        analysis.commit_wait,
        analysis.failover_wait,
        analysis.replication.load,
    )


def _is_same(one: Analysis, other: Analysis) -> bool:
    return all(not _is_less(a, b) and not _is_less(b, a) for a, b in _pairs(one, other))


def _beats(one: Analysis, other: Analysis) -> bool:
    """Tell whether one is nowhere worse, and somewhere better."""
    pairs = _pairs(one, other)
    return any(_is_less(a, b) for a, b in pairs) and not any(_is_less(b, a) for a, b in pairs)


def _pairs(one: Analysis, other: Analysis) -> list[tuple[float, float]]:
    return list(zip(_figures(one), _figures(other), strict=True))


def _is_less(a: float, b: float) -> bool:
    return a < b * (1 - CLOSE)


def _rank(analysis: Analysis, objective: Objective) -> tuple[float, ...]:
    """What the objective puts first, then what breaks the tie."""
    commit = (analysis.commit_wait, analysis.failover_wait)
    match objective:
        case Objective.LATENCY:
            return (*commit, analysis.downtime_min)
        case Objective.AVAILABILITY:
            return (analysis.downtime_min, *commit)
        case Objective.LOAD:
            return (analysis.replication.load, analysis.downtime_min, *commit)
