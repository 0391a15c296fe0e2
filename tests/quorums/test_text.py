"""Texts of quorum systems: what they mean, what is refused, and that they print themselves."""

import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord.quorums import QuorumError, QuorumSystem, parse
from coord.quorums.expression import mask_of
from coord.quorums.grammar import TEXT_MAX
from coord.quorums.minimal import minimal_quorums
from tests.quorums import drawn

SECONDS_MAX = 5.0
"""Of CPU, for refusing a hostile text; it takes half a second at most on an idle machine."""


def over(count: int, text: str) -> QuorumSystem:
    return parse(text, range(1, count + 1))


def refusal(count: int, text: str) -> str:
    """Why a text is refused; empty when it is not."""
    try:
        over(count, text)
    except QuorumError as error:
        return str(error)
    return ""


def quorums(*sets: str) -> set[int]:
    """Sets written as their digits: quorums("12", "34")."""
    return {mask_of(map(int, digits)) for digits in sets}


@given(drawn.texts())
def test_a_system_is_accepted_exactly_when_its_quorums_meet(drawn_text: tuple[str, int]) -> None:
    """AT-5: the verdict is that of brute force over all pairs of sets."""
    text, count = drawn_text
    complaint = refusal(count, text)
    if complaint:
        if "miss each other" in complaint:
            elects, replicates = named_quorums(complaint)
            assert not elects & replicates
        return
    system = over(count, text)
    everybody = [drawn.sufficient(side, count) for side in (system.elects, system.replicates)]
    assert all(everybody)
    assert all(one & other for one, other in product(*everybody))


@given(drawn.expressions(5), drawn.expressions(5))
def test_two_sides_are_refused_exactly_when_two_quorums_miss_each_other(elects, replicates) -> None:
    """AT-5, for explicit expressions, with the witness checked."""
    misses = any(
        not one & other
        for one, other in product(drawn.sufficient(elects, 5), drawn.sufficient(replicates, 5))
    )
    complaint = refusal(5, f"replication={replicates} election={elects}")
    assert bool(complaint) == misses
    if misses:
        one, other = named_quorums(complaint)
        assert not one & other
        assert one in drawn.minimal(elects, 5)
        assert other in drawn.minimal(replicates, 5)


@given(drawn.expressions(4), drawn.expressions(4))
def test_a_fast_side_is_refused_exactly_when_three_quorums_share_nobody(elects, fast) -> None:
    fast_quorums = drawn.sufficient(fast, 4)
    misses = any(
        not q & a & b
        for q in drawn.sufficient(elects, 4)
        for a in fast_quorums
        for b in fast_quorums
    )
    complaint = refusal(4, f"election={elects} fast={fast}")
    assert ("share no voter" in complaint) == misses == bool(complaint)


@given(drawn.texts())
def test_what_is_read_prints_itself(drawn_text: tuple[str, int]) -> None:
    text, count = drawn_text
    if refusal(count, text):
        return
    system = over(count, text)
    again = over(count, system.text)
    assert again.text == system.text
    assert (again.elects, again.replicates) == (system.elects, system.replicates)


def named_quorums(complaint: str) -> tuple[int, int]:
    """The election and the replication quorum that a refusal names."""
    sets = [part.partition("}")[0] for part in complaint.split("{")[1:]]
    one, other = (mask_of(map(int, listed.split(", "))) for listed in sets)
    return one, other


@pytest.mark.parametrize(
    ("count", "text", "elects", "replicates"),
    [
        (4, "grid [[1,2],[3,4]]", ("12", "14", "23", "34"), ("13", "24")),
        (4, "replication=(1+2)*(3+4)", ("12", "34"), ("13", "14", "23", "24")),
        (4, "election=1*2+3*4", ("12", "34"), ("13", "14", "23", "24")),
        (5, "replication=choose(2, 1,2,3)", ("12", "13", "23"), ("12", "13", "23")),
        (3, "weighted 1=3 2=1 3=1 R=3", ("1",), ("1",)),
        (3, "weighted 1=2 2=1 3=1 R=2", ("12", "13"), ("1", "23")),
        (2, "weighted 1=3 2=3 L=4 R=2", ("12",), ("1", "2")),
        (3, "weighted 1=1 2=1 3=0 R=1", ("12",), ("1", "2")),
        (5, "hierarchical [1,2,3] [4=0] [5]", ("12", "13", "23", "5"), ("125", "135", "235")),
        (4, "hierarchical [1,2] [3,4] groups=1 members=1", ("1234",), ("1", "2", "3", "4")),
        (4, "hierarchical [1=3,2] [3,4] groups=1", ("13", "14"), ("1", "34")),
    ],
)
def test_a_text_means_these_minimal_quorums(
    count: int, text: str, elects: tuple[str, ...], replicates: tuple[str, ...]
) -> None:
    system = over(count, text)
    assert set(minimal_quorums(system.elects)) == quorums(*elects)
    assert set(minimal_quorums(system.replicates)) == quorums(*replicates)


def test_groups_are_zookeepers_hierarchical_quorums() -> None:
    """More than half of the weight, in more than half of the groups that have any."""
    weights = {1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 0, 7: 1}
    system = over(7, "hierarchical [1=2,2,3] [4,5] [6=0] [7]")
    groups = [(1, 2, 3), (4, 5), (7,)]
    for chosen in drawn.subsets(7):
        full = [
            sum(weights[r] for r in group if chosen & 1 << r) * 2 > sum(weights[r] for r in group)
            for group in groups
        ]
        assert system.replicates.holds(chosen) == (sum(full) >= 2)


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("  majority ", "majority"),
        ("simple R=2", "simple L=3 R=2"),
        ("grid [ [1, 2] ,[3,4]]", "grid [[1,2],[3,4]]"),
        ("weighted 2=1 1=3 3=1 4=0 L=3", "weighted 1=3 2=1 3=1 4=0 L=3 R=3"),
        ("hierarchical [1=1,2=2] [3 , 4] members=1", "hierarchical [1,2=2] [3,4] members=1"),
        ("replication = (1+2) * (3+4)", "replication=(1+2)*(3+4)"),
        (
            "election=1*2+3*4 replication=((1+2))*(3+4)",
            "replication=(1+2)*(3+4) election=1*2+3*4",
        ),
    ],
)
def test_spaces_order_and_needless_brackets_do_not_matter(text: str, copied: str) -> None:
    assert over(4, text).text == copied


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("grid [[1,2],[3]]", "equally long"),
        ("grid [[1,2]]", "replica 3 is not in the grid"),
        ("grid [[1,2],[3,5]]", "replica 5 is not among the voters"),
        ("grid [[1,2],[3,3]]", "replica 3 stands twice"),
        ("grid [[1,2],[3,4]] R=2", "nothing may follow"),
        ("grid [1,2]", "'[' is expected, not '1'"),
        ("weighted 1=1 2=1 3=1 R=2", "replica 4 has no weight; write 4=0"),
        ("weighted 1=1 2=1 3=1 4=1 4=1 R=2", "replica 4 has two weights"),
        ("weighted 1=1 2=1 3=1 4=1 5=1 R=2", "replica 5 is not among the voters"),
        ("weighted 1=1 2=1 3=1 4=1", "weighted needs L= or R="),
        ("weighted 1=1 2=1 3=1 4=1 R=5", "R=5 must be between 1 and 4"),
        ("weighted 1=0 2=0 3=0 4=0 R=1", "R=1 must be between 1 and 0"),
        ("weighted 1=1 2=1 3=1 4=1 L=2 R=2", "miss each other; L=2 + R=2 is safe above 4"),
        ("weighted 1=1 2=1 3=1 4=1 L=3 R=2 F=2", "share no voter"),
        ("hierarchical [1,2] [3]", "replica 4 is in no group"),
        ("hierarchical [1,2] [3,4] [5]", "replica 5 is not among the voters"),
        ("hierarchical [1,2] [2,3,4]", "replica 2 stands twice"),
        ("hierarchical [1=0,2=0] [3=0,4=0]", "no group has any weight"),
        ("hierarchical [1,2] [3,4] groups=3", "groups=3 must be between 1 and 2"),
        ("hierarchical [1,2] [3,4] members=3", "members=3 must be between 1 and the weight"),
        ("hierarchical", "hierarchical needs groups"),
        ("replication=1*2 election=3*4", "{3, 4} and replication quorum {1, 2} miss each other"),
        ("replication=1*5", "replica 5 is not among the voters (1, 2, 3, 4)"),
        ("replication=1+", "is expected, not the end"),
        ("replication=(1+2", "')' is expected, not the end"),
        ("replication=choose(3, 1, 2)", "choose(3, ...) of parts that weigh 2 is no choice"),
        ("replication=choose(0, 1, 2)", "is no choice"),
        ("replication=choose(1, 1=0, 2)", "is no choice"),
        ("replication=1 replication=2", "stand once each"),
        ("fast=1", "needed beside fast="),
        ("election=choose(3,1,2,3,4) fast=choose(2,1,2,3,4)", "share no voter"),
        ("majority; rm -rf", "'; rm -rf' is not understood"),
        ("simple L=-1 R=2", "'-1 R=2' is not understood"),
        ("simple L=٣ R=2", "is not understood"),
    ],
)
def test_a_text_that_means_nothing_or_nothing_safe_is_refused(text: str, complaint: str) -> None:
    assert complaint in refusal(4, text)


IDS = ",".join(map(str, range(1, 256)))
HOSTILE = [
    "x" * 1_000_000,
    "simple L=" + "9" * 3000,
    "replication=" + "(" * 3000,
    "replication=" + "choose(1," * 300,
    "replication=" + "9" * 3000,
    "replication=choose(1000000, 1)",
    "weighted " + "1=1 " * 900,
    "grid " + "[" * 3000,
    "hierarchical " + "[1]" * 1000,
    "+" * 3999,
    f"replication=choose(128,{IDS}) election=choose(128,{IDS[:-4]})",
    f"replication=choose(9,{'1,2,3,' * 50}4) election=choose(9,{'5,6,7,8,' * 50}9)",
    "election=" + "*".join(["(1+2+3+4+5+6+7+8)"] * 60) + " replication=choose(100,1=50,2=50,3)",
    f"election=choose(200,{IDS}) fast=choose(200,{IDS})",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:30])
def test_a_hostile_text_gets_a_short_answer_soon(text: str) -> None:
    began = time.process_time()
    assert len(refusal(255, text)) < TEXT_MAX
    assert time.process_time() - began < SECONDS_MAX


@given(st.text(max_size=60) | st.text("0123456789LRF=+*(),[] choesimplwgtdrajy", max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    assert refusal(3, text) or over(3, text).text


@pytest.mark.parametrize(
    ("text", "is_safe"),
    [
        ("simple L=6 R=5", True),
        ("simple L=8 R=3", True),
        ("simple L=7 R=3", False),
        ("simple L=6 R=5 F=8", True),
        ("simple L=8 R=3 F=7", True),
        ("simple L=8 R=3 F=6", False),
    ],
)
def test_ten_replicas_of_which_eight_elect_and_three_replicate(text: str, is_safe: bool) -> None:
    """AT-8."""
    assert refusal(10, text).startswith("unsafe") != is_safe


def test_two_rows_that_elect_and_two_columns_that_replicate_meet_until_two_members_swap() -> None:
    """AT-9, the rule itself; that consensus is safe with it is tested with consensus."""
    assert not refusal(4, "replication=1*3+2*4 election=1*2+3*4")
    complaint = refusal(4, "replication=1*2+3*4 election=1*2+3*4")
    assert "election quorum {1, 2} and replication quorum {3, 4} miss each other" in complaint


@pytest.mark.parametrize("text", ["simple L=4 R=2", "majority", "weighted 1=2 2=1 3=1 4=1 5=0 R=2"])
def test_sizes_survive_being_stored_and_read_again(text: str) -> None:
    """AT-22 d: nothing reverts to a default on the way through the log."""
    system = over(5, over(5, text).text)
    assert (system.elects, system.replicates) == (over(5, text).elects, over(5, text).replicates)
    assert str(system) == system.text


def test_a_majority_is_more_than_half_for_odd_and_even_numbers() -> None:
    """AT-22 c: not half, compared with at least."""
    for count in range(1, 12):
        system = over(count, "majority")
        half = set(range(1, count // 2 + 1))
        assert not system.is_replication_quorum(half)
        assert system.is_replication_quorum({*half, count})
