"""All states of small ensembles hold the rules, and a bug is found in the fewest steps."""

import pytest

from tests.exploration.bounds import Bounds
from tests.exploration.search import Search
from tests.exploration.variants import with_variant

SECONDS = 60.0
"""Far more than any of these takes: a search that ends by time fails."""

ELECTION = Bounds(elections=1, proposals=0, crashes=0)
WORK = Bounds(elections=1, proposals=1, crashes=0)
CRASH = Bounds(elections=1, proposals=0, crashes=1)
READ = Bounds(elections=1, proposals=0, crashes=0, reads=1)
DUEL = Bounds(elections=2, proposals=0, crashes=0)


@pytest.mark.parametrize(
    ("replicas", "quorums", "bounds"),
    [
        (3, "simple L=2 R=2", WORK),
        (3, "simple L=2 R=2", CRASH),
        (3, "simple L=2 R=2", READ),
        (3, "simple L=3 R=1", CRASH),
        (3, "simple L=1 R=3", CRASH),
        (3, "simple L=1 R=3", DUEL),
        (4, "grid [[1,2],[3,4]]", ELECTION),
    ],
)
def test_all_states_of_a_small_ensemble_hold_the_rules(
    replicas: int, quorums: str, bounds: Bounds
) -> None:
    found = Search(quorums, replicas, bounds).run(SECONDS)
    print(f"{quorums}, {bounds}: {found}")
    print("\n".join(found.trace))
    assert not found.rule
    assert found.is_complete
    assert found.epochs == 1 + replicas * bounds.elections


def test_a_founding_holds_the_rules_in_all_its_states() -> None:
    found = Search("majority", 3, ELECTION, is_founded=False).run(SECONDS)
    print(found)
    assert not found.rule
    assert found.is_complete


@pytest.mark.parametrize(
    ("variant", "bounds", "rule", "steps"),
    [
        ("election_quorum_one_short", WORK, "4: the leader of a later epoch lacks", 4),
        ("promise_not_persisted", Bounds(elections=1), "4: the leader of a later epoch lacks", 9),
        ("ack_before_the_sync", Bounds(elections=1), "5: entry 2 is committed and not at", 4),
        ("reads_confirmed_by_the_leader_alone", READ, "7: a confirmed read misses", 6),
        ("old_entries_committed_by_counting", DUEL, "5: entry 2 is committed and not at", 4),
    ],
)
def test_a_known_bug_is_found_in_the_fewest_steps(
    variant: str, bounds: Bounds, rule: str, steps: int
) -> None:
    search = Search("simple L=2 R=2", 3, bounds)
    with with_variant(variant):
        found = search.run(SECONDS)
    print("\n".join(found.trace))
    assert found.rule.startswith(rule)
    assert len(found.trace) == steps
