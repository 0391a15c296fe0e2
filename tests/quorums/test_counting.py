"""Quorums that count: who is one, who meets them all, and which pairs are refused."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord.quorums import Counting, QuorumError, parse


def subsets(members: tuple[int, ...]) -> list[frozenset[int]]:
    return [
        frozenset(chosen)
        for size in range(len(members) + 1)
        for chosen in combinations(members, size)
    ]


def legal_sizes() -> list[tuple[int, int, int]]:
    return [
        (count, election, replication)
        for count in range(1, 7)
        for election in range(1, count + 1)
        for replication in range(1, count + 1)
        if election + replication > count
    ]


@pytest.mark.parametrize(("count", "election", "replication"), legal_sizes())
def test_every_election_quorum_meets_every_replication_quorum_by_count(
    count: int, election: int, replication: int
) -> None:
    system = Counting(range(1, count + 1), election=election, replication=replication)
    everything = subsets(system.members)
    elects = [s for s in everything if system.is_election_quorum(s)]
    replicates = [s for s in everything if system.is_replication_quorum(s)]
    assert elects
    assert replicates
    assert all(a & b for a in elects for b in replicates)
    for chosen in everything:
        meets = all(chosen & quorum for quorum in elects)
        assert system.meets_every_election_quorum(chosen) == meets
        meets = all(chosen & quorum for quorum in replicates)
        assert system.meets_every_replication_quorum(chosen) == meets


@given(count=st.integers(1, 8), election=st.integers(-1, 9), replication=st.integers(-1, 9))
def test_a_pair_is_refused_exactly_when_two_quorums_miss_each_other(
    count: int, election: int, replication: int
) -> None:
    in_range = 1 <= election <= count and 1 <= replication <= count
    members = tuple(range(1, count + 1))
    misses = in_range and any(
        not set(a) & set(b)
        for a in combinations(members, election)
        for b in combinations(members, replication)
    )
    try:
        parse(f"simple L={election} R={replication}", members)
    except QuorumError:
        assert misses or not in_range
    else:
        assert in_range
        assert not misses


@pytest.mark.parametrize(
    ("count", "text", "election", "replication"),
    [
        (1, "majority", 1, 1),
        (2, "majority", 2, 2),
        (3, "majority", 2, 2),
        (4, "majority", 3, 3),
        (5, "majority", 3, 3),
        (2, "majority even", 2, 1),
        (4, "majority even", 3, 2),
        (6, "majority even", 4, 3),
        (8, "majority even", 5, 4),
        (10, "simple L=6 R=5", 6, 5),
        (10, "simple L=8 R=3", 8, 3),
        (5, "simple L=4 R=2", 4, 2),
        (5, "simple R=2", 4, 2),
        (5, "simple L=4", 4, 2),
        (3, "simple L=3 R=1", 3, 1),
        (5, "simple L=4 R=2 F=4", 4, 2),
        (10, "simple L=8 R=3 F=7", 8, 3),
    ],
)
def test_the_text_form_gives_these_sizes_and_survives_a_round_trip(
    count: int, text: str, election: int, replication: int
) -> None:
    members = tuple(range(1, count + 1))
    system = parse(text, members)
    again = parse(system.text, members)
    for found in (system, again):
        assert isinstance(found, Counting)
        assert (found.election, found.replication) == (election, replication)
    assert str(system) == system.text == again.text


@pytest.mark.parametrize(
    ("count", "text", "complaint"),
    [
        (10, "simple L=7 R=3", "miss each other"),
        (7, "simple L=4 R=3", "{1, 2, 3, 4} and replication quorum {5, 6, 7} miss each other"),
        (3, "simple L=1 R=2", "miss each other"),
        (3, "simple L=4 R=2", "L=4 must be between 1 and 3"),
        (3, "simple L=2 R=0", "R=0 must be between 1 and 3"),
        (3, "majority even", "even number"),
        (4, "majority odd", "majority takes"),
        (3, "", "unknown quorum system"),
        (3, "simple", "needs L= or R="),
        (3, "simple L=2 L=2", "once, not 'L'"),
        (3, "simple L=two", "a number for L is expected, not 'two'"),
        (3, "simple K=2", "not 'K'"),
        (5, "simple L=4 R=2 F=3", "L=4 + 2 x F=3 must be more than 10"),
        (5, "simple L=4 R=2 F=6", "F=6 must be"),
        (0, "majority", "at least one voter"),
    ],
)
def test_an_unsafe_or_unreadable_system_is_refused_with_a_reason(
    count: int, text: str, complaint: str
) -> None:
    with pytest.raises(QuorumError) as caught:
        parse(text, range(1, count + 1))
    assert complaint in str(caught.value)


@given(
    sizes=st.sampled_from(legal_sizes()),
    positions=st.dictionaries(st.integers(1, 8), st.integers(0, 5)),
)
def test_positions_are_judged_as_the_sets_that_reached_them(
    sizes: tuple[int, int, int], positions: dict[int, int]
) -> None:
    count, election, replication = sizes
    system = Counting(range(1, count + 1), election=election, replication=replication)

    def reached(position: int) -> set[int]:
        return {m for m in system.members if positions.get(m, -1) >= position}

    highest = max(p for p in range(-1, 6) if system.is_replication_quorum(reached(p)))
    assert system.highest_replicated(positions) == highest
    highest = max(p for p in range(-1, 6) if system.meets_every_election_quorum(reached(p)))
    assert system.highest_confirmed(positions) == highest


def test_strangers_do_not_count() -> None:
    system = parse("majority", (1, 2, 3))
    assert not system.is_election_quorum({1, 4, 5})
    assert not system.is_replication_quorum({1, 4, 5})
    assert system.is_election_quorum({1, 2, 9})


def test_what_is_missing_is_said_in_words() -> None:
    system = parse("simple L=4 R=2", (1, 2, 3, 4, 5))
    assert system.missing_for_election({1, 2}) == "2 of 3, 4, 5"
    assert system.missing_for_replication({1, 2}) == ""
    assert system.missing_for_replication(set()) == "2 of 1, 2, 3, 4, 5"
