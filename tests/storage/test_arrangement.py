"""Changes in the order of LMDB, and how many pages they will touch there."""

import pytest

from coord.state.store import Table
from coord.storage.arrangement import Arrangement
from coord.storage.ends import Ends
from coord.storage.flush import Steps
from coord.storage.keys import PathKeys
from coord.storage.layer import TABLE_PREFIXES
from coord.storage.tree import TreeStore
from tests.storage.samples import fill, flush_all

PARENTS = 10
DEPTH = 4
"""Branch pages above the leaves, and those of the other databases."""


KEYS = PathKeys(b"sixteen bytes ok")


@pytest.fixture
def tree(tmp_path):
    tree = TreeStore.create(tmp_path / "tree.1", steps=Steps(pages=1 << 30))
    fill(tree, 5000, parents=PARENTS, value=b"v" * 200)
    flush_all(tree, 1)
    yield tree
    tree.close()


@pytest.fixture
def ends(tree):
    """What the tree knows when two children of each parent were looked for in vain."""
    with tree.file.environment.read() as transaction:
        ends = Ends(transaction, tree.file.nodes)
        for parent in range(PARENTS):
            for _ in range(2):
                ends.was_missing(b"/parent%d" % parent, KEYS)
        yield ends


def rising(number: int) -> tuple[bytes, bytes]:
    return b"/parent%d/node1%06d" % (number % PARENTS, number), b"r" * 250


def in_front(number: int) -> tuple[bytes, bytes]:
    return b"/parent%d/a%06d" % (number % PARENTS, number), b"r" * 250


def in_between(number: int) -> tuple[bytes, bytes]:
    return b"/parent%d/node%06d-" % (number % PARENTS, number), b"r" * 250


def replaced(number: int) -> tuple[bytes, bytes]:
    return b"/parent%d/node%06d" % (number % PARENTS, number), b"R" * 210


def large(number: int) -> tuple[bytes, bytes]:
    return b"/parent%d/node1%06d" % (number % PARENTS, number), b"r" * 6000


def below_new_parents(number: int) -> tuple[bytes, bytes]:
    return b"/parent%d/new/node" % (number % PARENTS), b"r" * 250


def rising_and_wide(number: int) -> tuple[bytes, bytes]:
    return b"/parent%d/node1%06d%b" % (number % PARENTS, number, b"w" * 480), b""


def hashed(number: int) -> tuple[bytes, bytes]:
    return b"/parent%d/node1%06d%b" % (number % PARENTS, number, b"w" * 600), b"r" * 250


CHANGES = [
    rising,
    in_front,
    in_between,
    replaced,
    large,
    below_new_parents,
    rising_and_wide,
    hashed,
]
CLOSE_TOGETHER = [rising, below_new_parents, rising_and_wide]


@pytest.mark.parametrize("change", CHANGES)
def test_no_more_pages_are_written_than_were_counted(tree, ends, tmp_path, change):
    records = dict(change(number) for number in range(1000))
    arrangement = gathered(records, ends)
    for path, record in records.items():
        tree.put(path, record)
    written = pages_of_a_flush(tree, tmp_path)
    assert written <= arrangement.pages_max + DEPTH * PARENTS
    assert (arrangement.pages_max < 500) is (change in CLOSE_TOGETHER)


def test_pages_of_large_rows_are_counted(tree, ends, tmp_path):
    rows = {b"%03d" % number: b"r" * 20_000 for number in range(100)}
    prefix = TABLE_PREFIXES[Table.SESSIONS]
    arrangement = gathered({prefix + key: value for key, value in rows.items()}, ends)
    for key, value in rows.items():
        tree.put_row(Table.SESSIONS, key, value)
    assert 500 <= pages_of_a_flush(tree, tmp_path) <= arrangement.pages_max + DEPTH * PARENTS


def pages_of_a_flush(tree, tmp_path):
    file = tmp_path / "tree.1" / "data.mdb"
    before = file.read_bytes()
    flush_all(tree, 2)
    after = file.read_bytes()
    pages = range(0, len(after), 4096)
    return sum(before[at : at + 4096] != after[at : at + 4096] for at in pages)


def gathered(records, ends):
    arrangement = Arrangement(records, KEYS, ends, run=7)
    for _ in arrangement.gather():
        pass
    return arrangement


def test_ends_are_known_of_the_first_thousands_of_parents(tree):
    with tree.file.environment.read() as transaction:
        ends = Ends(transaction, tree.file.nodes)
        parents = [b"/some/parent%d" % number for number in range(10_000)]
        for _ in range(3):
            for parent in parents:
                ends.was_missing(parent, KEYS)
        known = [parent for parent in parents if ends.come_before(parent, b"name")]
        assert known == parents[: len(known)]
        assert 3000 < len(known) < 6000


def test_rows_come_first_then_nodes_each_in_the_order_of_their_keys(ends):
    records = {b"\1row%d" % (number * 37 % 50): b"x" for number in range(50)}
    records |= {b"/p%d/n%d" % (n % 5, n * 37 % 100): b"x" if n % 3 else None for n in range(100)}
    records |= {b"/": b"root", b"/p": b"x", b"/p0/" + b"long" * 200: b"x"}
    pieces = gathered(records, ends).in_order(3)
    found = [key for piece in pieces for changes in piece for key, _ in changes]
    rows = sorted(name for name in records if name[0] != b"/"[0])
    nodes = [KEYS.key_of(name) for name in records if name[0] == b"/"[0]]
    assert found[: len(rows)] == rows
    found = found[len(rows) :]
    assert sorted(found) == sorted(nodes)
    assert [key[:16] for key in found] == sorted(key[:16] for key in found)
    plain = [key for key in found if key[16] == 0]
    assert plain == sorted(plain)


def test_the_loop_can_look_at_the_clock_after_every_run_and_every_few_puts(ends):
    records = {b"/n%d" % number: b"x" for number in range(100)}
    arrangement = Arrangement(records, KEYS, ends, run=10)
    assert sum(1 for _ in arrangement.gather()) >= 10
    assert max(len(nodes) for _, nodes in arrangement.in_order(8)) <= 8
