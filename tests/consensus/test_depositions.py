"""No read is stale, whoever is deposed meanwhile; `python -m tests.consensus.depositions` tries
more.
"""

from collections import Counter

import pytest

from coord.consensus.reads import Barriers
from tests.consensus.depositions import Schedule
from tests.consensus.disk import Violation
from tests.consensus.test_broken_variants import reads_confirmed_by_a_majority

FEW_ELECT = ((5, "simple L=2 R=4"),)


def test_no_read_is_stale_while_leaders_are_deposed() -> None:
    """AT-30: a bounded part; the command runs 10,000."""
    counts: Counter[str] = Counter()
    for seed in range(25):
        print(f"seed {seed}")
        counts.update(Schedule(seed).to_the_end())
    assert counts["reads confirmed"] > 1000
    assert counts["leaders deposed"] > 20
    assert counts["reads asked of two leaders"] > 100


def first_violation(systems: tuple[tuple[int, str], ...]) -> str:
    for seed in range(100):
        try:
            Schedule(seed, systems).to_the_end()
        except Violation as violation:
            print(f"seed {seed}: {violation}")
            return str(violation)
    return ""


def test_a_majority_that_confirms_where_two_of_five_elect_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AT-30, the known bug: another leader may have begun while a majority says that none has."""
    reads_confirmed_by_a_majority(monkeypatch)
    assert first_violation(FEW_ELECT).startswith("8")


def test_a_leader_that_confirms_reads_without_asking_anybody_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AT-30, another one: a read misses what a new leader has committed meanwhile."""
    kept = Barriers.ask
    monkeypatch.setattr(Barriers, "ask", lambda barriers, _number: kept(barriers, 0))
    assert first_violation(((3, "majority"),)).startswith("7")
