"""The planner's table: safe systems of which none beats another, sorted by what is asked for."""

import contextlib

import pytest

from coord.quorums import QuorumError, parse
from coord.quorums.planning import Analysis, Assumptions, Delays, Objective, plan
from coord.quorums.planning.candidates import texts

NEAR, FAR = 1.0, 40.0
TWO_SITES = Delays(
    tuple(
        tuple(0.5 if a == b else NEAR if (a < 2) == (b < 2) else FAR for b in range(5))
        for a in range(5)
    )
)
"""Replicas 1 and 2 at one site, 3, 4 and 5 at another; each disk takes half a millisecond."""


def compared(analysis: Analysis) -> tuple[float, ...]:
    return (
        analysis.replication.unavailable,
        analysis.election.unavailable,
        analysis.downtime_min,
        analysis.commit_wait,
        analysis.failover_wait,
        analysis.replication.load,
    )


@pytest.mark.parametrize("count", range(1, 8))
def test_each_kind_is_among_the_candidates_that_are_accepted(count: int) -> None:
    accepted = []
    for text in texts(range(1, count + 1)):
        with contextlib.suppress(QuorumError):
            accepted.append(parse(text, range(1, count + 1)).text.split("=")[0].split(" ")[0])
    kinds = {"majority", "simple"} | ({"weighted", "replication"} if count > 2 else set())
    assert set(accepted) >= kinds | ({"grid", "hierarchical"} if count in (4, 6) else set())


@pytest.mark.parametrize("objective", list(Objective))
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_no_line_of_the_table_beats_another_and_the_first_is_the_best(
    count: int, objective: Objective
) -> None:
    found = plan(count, Assumptions(), objective)
    assert found
    for one in found:
        for other in found:
            worse = [
                a > b * (1 + 1e-6) for a, b in zip(compared(one), compared(other), strict=True)
            ]
            assert one is other or any(worse)
    first = {
        Objective.LATENCY: lambda analysis: analysis.commit_wait,
        Objective.AVAILABILITY: lambda analysis: analysis.downtime_min,
        Objective.LOAD: lambda analysis: analysis.replication.load,
    }[objective]
    assert first(found[0]) == min(map(first, found))


def test_the_majority_is_the_most_available_of_three_and_five_and_its_even_form_of_four() -> None:
    for count, best in ((3, "majority"), (5, "majority"), (4, "majority even")):
        assert plan(count, Assumptions(), Objective.AVAILABILITY)[0].text == best


def test_half_replicates_of_an_even_number_and_nothing_gets_worse() -> None:
    """AT-7: the even form beats the plain one, which is not in the table."""
    assert "majority" not in [a.text for a in plan(4, Assumptions(), Objective.AVAILABILITY)]


def test_with_delays_the_site_with_most_replicas_is_where_commits_are_quick() -> None:
    found = plan(5, Assumptions(delays=TWO_SITES), Objective.LATENCY)
    waits = {analysis.text: analysis.commit_wait for analysis in found}
    assert waits["simple L=4 R=2"] == 2 * NEAR + 0.5
    assert any("choose(2, 3, 4, 5)" in text for text in waits)
    assert found[0].commit_wait <= 0.5


def test_what_never_can_replace_its_leader_is_marked_by_an_infinite_wait() -> None:
    found = {a.text: a for a in plan(3, Assumptions(), Objective.LATENCY)}
    assert found["simple L=3 R=1"].failover_wait == float("inf")
    assert found["majority"].failover_wait < 10
