"""Syncs wait for a barrier that was asked for after they came."""

from coord.replica.barriers import Barriers


def test_one_question_serves_all_that_wait() -> None:
    barriers = Barriers()
    barriers.add("a", b"1")
    barriers.add("b", b"2")
    token = barriers.ask(0)
    assert token is not None
    assert barriers.ask(0) is None
    barriers.confirmed(token, 10)
    assert barriers.passed(9) == []
    assert barriers.passed(10) == [("a", b"1"), ("b", b"2")]


def test_who_comes_while_a_question_is_out_waits_for_the_next() -> None:
    barriers = Barriers()
    barriers.add("a", b"")
    first = barriers.ask(0)
    barriers.add("late", b"")
    assert first is not None
    barriers.confirmed(first, 1)
    assert barriers.passed(1) == [("a", b"")]
    second = barriers.ask(0)
    assert second is not None
    assert second != first
    barriers.confirmed(second, 2)
    assert barriers.passed(2) == [("late", b"")]


def test_an_answer_to_an_older_question_is_ignored() -> None:
    barriers = Barriers()
    barriers.add("a", b"")
    old = barriers.ask(0)
    assert old is not None
    barriers.ask_again()
    new = barriers.ask(0)
    assert new is not None
    barriers.confirmed(old, 1)
    assert barriers.passed(100) == []
    barriers.confirmed(new, 2)
    assert barriers.passed(2) == [("a", b"")]


def test_a_lost_question_is_asked_again_for_all() -> None:
    barriers = Barriers()
    barriers.add("a", b"")
    barriers.ask(0)
    barriers.add("b", b"")
    barriers.ask_again()
    token = barriers.ask(0)
    assert token is not None
    barriers.confirmed(token, 3)
    assert [slot for slot, _body in barriers.passed(3)] == ["a", "b"]
