"""A history on its way: whatever the order of its pieces, one unbroken run."""

import random

import attrs
import pytest

from coord.consensus.gathering import Gathering, whole_run
from coord.consensus.log import ORIGIN, Entry, EntryKind, make_entry, point_of
from coord.consensus.messages import Mark


def history(count: int) -> list[Entry]:
    made: list[Entry] = []
    point = ORIGIN
    for number in range(count):
        made.append(make_entry(point, 1 << 16, EntryKind.OPERATIONS, b"%d" % number))
        point = point_of(made[-1])
    return made


HISTORY = history(20)


def mark_before(index: int) -> Mark:
    return Mark(index - 1, HISTORY[index - 2].chain if index > 1 else 0)


@pytest.mark.parametrize("seed", range(20))
def test_pieces_in_any_order_and_number_give_one_run(seed: int) -> None:
    rng = random.Random(seed)
    gathering = Gathering(mark_before(3))
    while gathering.tip.index < 20:
        first = rng.randint(1, 20)
        last = rng.randint(first, 20)
        gathering.offer(mark_before(first), HISTORY[first - 1 : last])
        reached = gathering.tip.index
        assert gathering.entries == HISTORY[2:reached]
        assert reached < 3 or gathering.tip.chain == HISTORY[reached - 1].chain


def test_a_piece_beyond_a_gap_is_left() -> None:
    gathering = Gathering(mark_before(1))
    gathering.offer(mark_before(3), HISTORY[2:5])
    assert gathering.entries == []


@pytest.mark.parametrize(
    "damage", [{"payload": b"x"}, {"chain": 1}, {"epoch": 5}, {"kind": 0}, {"index": 9}]
)
def test_a_damaged_entry_ends_the_run(damage: dict[str, object]) -> None:
    entries = list(HISTORY)
    entries[3] = attrs.evolve(entries[3], **damage)
    gathering = Gathering(mark_before(1))
    gathering.offer(mark_before(1), entries)
    assert gathering.entries == HISTORY[:3]
    assert gathering.tip == mark_before(4)


def test_entries_of_another_history_do_not_attach() -> None:
    assert whole_run(Mark(2, 12345), HISTORY[2:]) == []


def test_what_is_taken_leaves_the_rest_in_place() -> None:
    gathering = Gathering(mark_before(1))
    gathering.offer(mark_before(1), HISTORY[:10])
    size = gathering.size
    assert gathering.take_until(4) == HISTORY[:4]
    assert gathering.entries == HISTORY[4:10]
    assert gathering.size < size
    assert gathering.take_until(2) == []
    gathering.offer(mark_before(11), HISTORY[10:])
    assert gathering.take_until(20) == HISTORY[4:]
    assert gathering.size == 0
