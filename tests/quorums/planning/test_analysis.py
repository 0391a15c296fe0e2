"""AT-23: the planner's figures are those of brute force, and the known ones."""

from itertools import product
from math import inf, isclose
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coord.quorums import QuorumSystem, parse
from coord.quorums.expression import replicas_of
from coord.quorums.planning import Analysis, Assumptions, Delays, TooLargeError, analyse
from coord.quorums.planning.classes import Classes
from coord.quorums.planning.latency import measured_waits, random_waits
from tests.quorums import drawn
from tests.quorums.planning import brute


def figures(text: str, count: int, **assumed: float) -> Analysis:
    return analyse(parse(text, range(1, count + 1)), Assumptions(**assumed))


@given(brute.systems(), st.sampled_from([0.001, 0.1, 0.5]))
def test_each_side_is_what_brute_force_says(system: QuorumSystem, p: float) -> None:
    """AT-23."""
    analysis = analyse(system, Assumptions(p=p))
    count = len(system.members)
    for side, expression in (
        (analysis.election, system.elects),
        (analysis.replication, system.replicates),
    ):
        minimal = drawn.minimal(expression, count)
        assert side.quorums == len(minimal)
        assert side.smallest == min(quorum.bit_count() for quorum in minimal)
        assert side.resilience == brute.resilience(expression, count)
        assert isclose(side.unavailable, brute.unavailable(expression, count, p), rel_tol=1e-9)


@given(brute.systems(replicas=5))
def test_slack_and_fast_quorums_are_what_brute_force_says(system: QuorumSystem) -> None:
    """AT-23."""
    analysis = analyse(system, Assumptions())
    count = len(system.members)
    elects, replicates = (
        drawn.sufficient(side, count) for side in (system.elects, system.replicates)
    )
    common = min((one & other).bit_count() for one, other in product(elects, replicates))
    assert analysis.slack == common - 1
    assert analysis.copies == min(quorum.bit_count() for quorum in replicates)
    legal = [
        size
        for size in range(1, count + 1)
        if all(
            q & a & b
            for q in drawn.minimal(system.elects, count)
            for a in drawn.subsets(count)
            for b in drawn.subsets(count)
            if a.bit_count() == b.bit_count() == size
        )
    ]
    assert analysis.fast == min(legal)


@settings(max_examples=20)
@given(brute.systems(replicas=4))
def test_the_load_is_that_of_the_best_corner(system: QuorumSystem) -> None:
    """AT-23."""
    analysis = analyse(system, Assumptions())
    count = len(system.members)
    for side, expression in (
        (analysis.election, system.elects),
        (analysis.replication, system.replicates),
    ):
        best = brute.load(sorted(drawn.minimal(expression, count)), count)
        assert isclose(side.load, best, rel_tol=1e-9)


@settings(max_examples=20)
@given(brute.systems(replicas=4), st.sampled_from([(0.001, 1.0, 1000.0), (1.0, 2.0, 3.0)]))
def test_the_downtime_is_that_of_the_whole_chain(
    system: QuorumSystem, rates: tuple[float, float, float]
) -> None:
    """AT-23."""
    fails, repairs, leads = rates
    analysis = analyse(
        system, Assumptions(mttf_h=1 / fails, mttr_h=1 / repairs, election_s=3600 / leads)
    )
    expected = brute.downtime(system, fails, repairs, leads) * 365.25 * 24 * 60
    assert isclose(analysis.downtime_min, expected, rel_tol=1e-6)


@settings(max_examples=20)
@given(brute.systems(replicas=4))
def test_random_waits_are_means_over_all_orders_of_replies(system: QuorumSystem) -> None:
    """AT-23."""
    classes = Classes(system)
    elects, commits = (classes.sufficient(side) for side in (system.elects, system.replicates))
    waits = random_waits(classes, elects, commits)
    voters = system.members
    expected = fmean(
        brute.mean_wait(system.replicates, leader, [v for v in voters if v != leader])
        for leader in voters
    )
    assert isclose(waits.commit, expected, rel_tol=1e-9)
    failovers = [
        2 * brute.mean_wait(system.elects, candidate, others)
        + brute.mean_wait(system.replicates, candidate, others)
        for dead, candidate in product(voters, voters)
        if dead != candidate
        for others in [[v for v in voters if v not in (dead, candidate)]]
    ]
    assert isclose(waits.failover, fmean(failovers) if failovers else inf, rel_tol=1e-9)


@given(brute.systems(), st.data())
def test_measured_waits_are_those_of_the_quorum_that_replies_first(
    system: QuorumSystem, data: st.DataObject
) -> None:
    count = len(system.members)
    delay = st.integers(0, 50)
    rows = data.draw(st.lists(st.tuples(*[delay] * count), min_size=count, max_size=count))
    delays = Delays(tuple(rows))
    quorums = drawn.sufficient(system.replicates, count)
    expected = fmean(
        min(
            max(delays.reply_ms(leader, replica - 1) for replica in replicas_of(quorum))
            for quorum in quorums
        )
        for leader in range(count)
    )
    assert isclose(measured_waits(system, delays).commit, expected)
    if count == 1:
        assert measured_waits(system, delays).failover == inf


@given(brute.systems())
def test_replicas_of_one_class_can_stand_for_each_other(system: QuorumSystem) -> None:
    classes = Classes(system)
    assert sorted(sum(classes.members, ())) == list(system.members)
    for side in (system.elects, system.replicates):
        states = classes.sufficient(side)
        for chosen in drawn.subsets(len(system.members)):
            state = tuple(sum(chosen >> r & 1 for r in alike) for alike in classes.members)
            assert (state in states) == drawn.meaning(side, chosen)
        assert sum(map(classes.ways, states)) == len(drawn.sufficient(side, len(system.members)))


@pytest.mark.parametrize(
    ("count", "election", "replication", "steady", "shaky"),
    [
        (3, 2, 2, 3.6, 843),
        (4, 3, 2, 2.6, 597),
        (5, 3, 3, 0.6, 67),
        (5, 4, 2, 3.1, 723),
        (5, 5, 1, 734, 13_364),
        (6, 4, 4, 0.6, 128),
        (6, 4, 3, 0.6, 38),
        (7, 4, 4, 0.6, 7.7),
        (7, 6, 2, 4.2, 1017),
        (8, 5, 5, 0.6, 12.6),
        (8, 5, 4, 0.6, 4.9),
        (10, 6, 6, 0.6, 3.4),
        (10, 6, 5, 0.6, 2.8),
        (10, 8, 3, 0.6, 99),
        (10, 9, 2, 5.7, 1469),
    ],
)
def test_minutes_a_year_without_service(
    count: int, election: int, replication: int, steady: float, shaky: float
) -> None:
    """Replicas that fail each month for an hour, or each week for four; elections take 3 s."""
    text = f"simple L={election} R={replication}"
    found = figures(text, count, mttf_h=720.0, mttr_h=1.0, election_s=3.0).downtime_min
    assert abs(found - steady) < max(0.06, steady / 500)
    found = figures(text, count, mttf_h=168.0, mttr_h=4.0, election_s=3.0).downtime_min
    assert abs(found - shaky) < max(0.51, shaky / 500)


@pytest.mark.parametrize(
    ("count", "text", "no_election", "no_commit"),
    [
        (5, "majority", 9.9e-6, 9.9e-6),
        (5, "simple L=4 R=2", 9.8e-4, 5.0e-8),
        (6, "majority even", 2.0e-5, 1.5e-7),
        (7, "simple L=6 R=2", 2.0e-3, 6.9e-12),
        (10, "simple L=8 R=3", 1.1e-4, 4.4e-15),
        (9, "grid [[1,2,3],[4,5,6],[7,8,9]]", 3.0e-6, 2.6e-5),
        (9, "replication=1*4*7+2*5*8+3*6*9 election=1*2*3+4*5*6+7*8*9", 2.6e-5, 2.6e-5),
        (9, "hierarchical [1,2,3] [4,5,6] [7,8,9]", 2.7e-7, 2.7e-7),
        (9, "majority", 1.2e-8, 1.2e-8),
    ],
)
def test_the_probability_that_no_quorum_is_up(
    count: int, text: str, no_election: float, no_commit: float
) -> None:
    analysis = figures(text, count, p=0.01)
    assert isclose(analysis.election.unavailable, no_election, rel_tol=0.05)
    assert isclose(analysis.replication.unavailable, no_commit, rel_tol=0.05)


@pytest.mark.parametrize(
    ("count", "replication", "wait"),
    [(10, 6, 0.746), (10, 5, 0.546), (10, 3, 0.236), (10, 2, 0.111), (5, 3, 0.583), (7, 2, 0.167)],
)
def test_the_random_part_of_a_commit_is_a_difference_of_harmonic_numbers(
    count: int, replication: int, wait: float
) -> None:
    assert isclose(figures(f"simple R={replication}", count).commit_wait, wait, abs_tol=0.0006)


def test_the_load_of_grids_groups_and_counts() -> None:
    assert isclose(figures("simple R=3", 10).replication.load, 3 / 10)
    assert isclose(figures("grid [[1,2,3],[4,5,6]]", 6).replication.load, 1 / 3)
    assert isclose(figures("grid [[1,2,3],[4,5,6]]", 6).election.capacity, 2)
    assert isclose(figures("hierarchical [1,2,3] [4,5,6] [7,8,9]", 9).replication.load, 4 / 9)


@pytest.mark.parametrize(
    ("count", "election", "fast"),
    [(3, 2, 3), (3, 3, 2), (5, 3, 4), (5, 4, 4), (5, 5, 3), (10, 6, 8), (10, 8, 7), (10, 9, 6)],
)
def test_the_least_fast_quorum_goes_with_the_election_quorum(
    count: int, election: int, fast: int
) -> None:
    """AT-16, the sizes: L + 2 F > 2 N, checked against what the parser accepts."""
    analysis = figures(f"simple L={election}", count)
    assert analysis.fast == fast
    parse(f"simple L={election} F={fast}", range(1, count + 1))
    with pytest.raises(ValueError, match="share no voter"):
        parse(f"simple L={election} F={fast - 1}", range(1, count + 1))


def test_systems_with_too_many_kinds_of_replicas_get_no_figures() -> None:
    weights = " ".join(f"{replica}={replica}" for replica in range(1, 40))
    with pytest.raises(TooLargeError):
        figures(f"weighted {weights} R=300", 39)
    assert figures("majority", 255).replication.resilience == 127


def test_delays_must_be_a_square_of_the_right_size() -> None:
    with pytest.raises(ValueError, match="as long as"):
        Delays(((0.0, 1.0),))
    with pytest.raises(ValueError, match="0 or more"):
        Delays(((-1.0,),))
    with pytest.raises(ValueError, match="do not fit"):
        analyse(parse("majority", (1, 2, 3)), Assumptions(delays=Delays(((0.0,),))))
