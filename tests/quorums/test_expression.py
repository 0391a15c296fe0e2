"""Expressions, each claim against brute force over all sets of six replicas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord.quorums.expression import Expression, Single, Threshold, mask_of, replicas_of
from coord.quorums.grammar import Tokens, read_expression
from coord.quorums.lack import lack
from coord.quorums.minimal import TooManyQuorumsError, minimal_quorums, smallest_within
from tests.quorums import drawn


def read(text: str) -> Expression:
    return read_expression(Tokens(text))


@given(drawn.expressions())
def test_it_holds_as_its_definition_says(expression: Expression) -> None:
    for chosen in drawn.subsets():
        assert expression.holds(chosen) == drawn.meaning(expression, chosen)


@given(drawn.expressions())
def test_its_dual_holds_for_the_sets_that_meet_every_sufficient_one(expression: Expression) -> None:
    sufficient = drawn.sufficient(expression)
    dual = expression.dual()
    for chosen in drawn.subsets():
        assert dual.holds(chosen) == all(chosen & quorum for quorum in sufficient)
    assert dual.dual() == expression


@given(drawn.expressions(), st.dictionaries(st.integers(1, 8), st.integers(0, 5)))
def test_the_highest_position_is_that_of_a_set_which_has_reached_it(
    expression: Expression, positions: dict[int, int]
) -> None:
    def reached(position: int) -> int:
        return mask_of(r for r in range(1, 9) if positions.get(r, -1) >= position)

    highest = max(p for p in range(-1, 6) if drawn.meaning(expression, reached(p)))
    assert expression.highest(positions) == highest


@given(drawn.expressions())
def test_the_minimal_quorums_are_those_without_a_smaller_one(expression: Expression) -> None:
    found = list(minimal_quorums(expression))
    assert len(found) == len(set(found))
    assert set(found) == drawn.minimal(expression)
    assert smallest_within(expression, expression.support) in found


@given(drawn.expressions())
def test_it_prints_itself(expression: Expression) -> None:
    assert read(str(expression)) == expression


@given(drawn.expressions(), st.sampled_from(drawn.subsets()))
def test_what_lacks_is_empty_exactly_when_the_set_suffices(
    expression: Expression, chosen: int
) -> None:
    assert (lack(expression, chosen) == "") == drawn.meaning(expression, chosen)


@pytest.mark.parametrize(
    ("text", "present", "words"),
    [
        ("choose(2, 1, 2, 3)", {1}, "1 of 2, 3"),
        ("(1+3)*(2+4)", {1}, "1 of 2, 4"),
        ("(1+3)*(2+4)", set(), "(1 of 1, 3) and (1 of 2, 4)"),
        ("1*3+2*4", {3}, "1 or (2 of 2, 4)"),
        ("choose(4, 1=3, 2, 3)", {2}, "weight 3 of 1=3, 3"),
        ("choose(2, 1*2, 3*4, 5*6)", {1}, "2 of 2, (2 of 3, 4), (2 of 5, 6)"),
    ],
)
def test_what_lacks_is_said_in_words(text: str, present: set[int], words: str) -> None:
    expression = read(text)
    assert lack(expression, mask_of(present)) == words


@pytest.mark.parametrize(
    "text",
    ["1", "1+2*3", "(1+2)*(3+4)", "1+(2+3)", "choose(2, 1*2, 3, 4+5)", "choose(5, 1=3, 2=2, 3)"],
)
def test_brackets_and_weights_stand_where_they_are_needed(text: str) -> None:
    assert str(read(text)) == text


def test_a_threshold_that_nothing_or_everything_fulfils_cannot_be_made() -> None:
    for need in (0, 3):
        with pytest.raises(ValueError, match="no threshold"):
            Threshold(need, (Single(1), Single(2)), (1, 1))


def test_an_enumeration_that_takes_too_long_is_given_up() -> None:
    majority = read(f"choose(20, {', '.join(map(str, range(1, 40)))})")
    with pytest.raises(TooManyQuorumsError):
        list(minimal_quorums(majority))


@given(st.sets(st.integers(0, 300)))
def test_a_mask_is_a_set(replicas: set[int]) -> None:
    assert set(replicas_of(mask_of(replicas))) == replicas
