"""A large tree is served while it is looked at: nothing is answered from a page not looked at."""

import random

import pytest

from coord.consensus.log import Point
from coord.state.store import Table
from coord.storage.errors import DamagedTree
from coord.storage.flush import DATABASES
from coord.storage.scrub import Scrub
from coord.storage.snapshots import Export
from coord.storage.tree import TreeStore
from tests.storage.samples import everything, fill, flush_all

LATER = float("inf")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tree made in several flushes, with long values and long names; and all that is in it."""
    path = tmp_path_factory.mktemp("made") / "tree.1"
    tree = TreeStore.create(path)
    for index in range(1, 4):
        fill(tree, 400 * index, value=b"v" * 20 * index)
        tree.put(b"/parent1/long%d" % index, bytes(9000))
        tree.put(b"/parent2/" + b"n" * (400 + index), b"x")
        flush_all(tree, index)
    tree.delete(b"/parent1/long2")
    flush_all(tree, 4)
    held = everything(tree)
    tree.close()
    return path, held


@pytest.fixture
def path(made, tmp_path):
    (tmp_path / "tree.1").mkdir()
    (tmp_path / "tree.1" / "data.mdb").write_bytes((made[0] / "data.mdb").read_bytes())
    return tmp_path / "tree.1"


def opened(path):
    return TreeStore.open(path, checked_bytes_max=0)


def test_it_is_served_from_the_start_and_flushed_and_sent_when_all_was_looked_at(made, path):
    tree = opened(path)
    assert everything(tree) == made[1]
    assert tree.get(b"/parent1/nobody") is None
    assert Export.begin(tree) is None
    with pytest.raises(AssertionError, match="not all was looked at"):
        tree.freeze(Point(5, 1, 35), b"")
    slices = 1
    while tree.look_on(0.0):
        slices += 1
    assert slices > 20, "in small slices"
    Export.begin(tree).close()
    tree.put(b"/parent1/new", b"n")
    flush_all(tree, 5)
    tree.close()


def test_a_range_that_is_gone_through_while_the_rest_is_looked_at_goes_on(made, path):
    tree = opened(path)
    listing = tree.row_listing(Table.SESSIONS, b"")
    first = listing.take(10)
    assert not tree.look_on(LATER)
    assert [*first, *listing.take(10**6)] == [value for _, value in made[1][1][Table.SESSIONS]]
    listing.close()
    tree.close()


def flipped(path, rng):
    """Change one byte outside of values, mostly: in the head of a page or of an item."""
    file = path / "data.mdb"
    data = bytearray(file.read_bytes())
    page = rng.randrange(len(data) // 4096) * 4096
    lower = int.from_bytes(data[page + 12 : page + 14], "little")
    place = page + rng.randrange(16 if rng.random() < 0.3 else min(max(lower, 17), 4096))
    if rng.random() < 0.5 and data[page + 10] in (1, 2) and 18 <= lower <= 4096:
        item = int.from_bytes(data[page + 16 : page + 18], "little") % 4060
        place = page + item + rng.randrange(30)
    data[place] ^= 1 << rng.randrange(8)
    file.write_bytes(data)
    return place


@pytest.mark.parametrize("seed", range(2))
def test_no_answer_is_wrong_while_a_damaged_tree_is_looked_at(made, path, seed):
    nodes, rows = made[1]
    whole = (path / "data.mdb").read_bytes()
    names = {parent: set() for parent in nodes}
    for node in nodes:
        parent, _, name = node.rpartition(b"/")
        if name:
            names[parent or b"/"].add(name)
    found = 0
    for number in range(10):
        rng = random.Random(f"{seed} {number}")
        (path / "data.mdb").write_bytes(whole)
        place = flipped(path, rng)
        asked = [*rng.sample(sorted(nodes), 200), b"/nobody", b"/parent1/nobody", b"/parent9/zz"]
        tree = None
        try:
            tree = opened(path)
            for node in asked:
                assert tree.get(node) == nodes.get(node), (place, node)
            for table in Table:
                assert list(tree.rows(table)) == rows[table], place
            for parent in (b"/", b"/parent1", b"/parent2"):
                assert set(tree.children(parent)) == names[parent], place
            assert not tree.look_on(LATER)
            assert everything(tree) == made[1], place
        except DamagedTree:
            found += 1
        finally:
            if tree is not None:
                tree.close()
    assert found, "some of it was in use"


def test_pages_are_looked_at_once_and_those_asked_for_first(path):
    scrub = Scrub(path / "data.mdb", DamagedTree, DATABASES)
    following = scrub.look(b"nodes", b"")
    assert following is not None
    assert scrub.look(b"nodes", following[:-1]) == following, "between the two lies no other page"
    scrub.look_at_all(b"nodes")
    scrub.look_at_all(b"rows")
    assert scrub.look(b"nodes", b"\xff" * 40) is None
    scrub.go_on(LATER)
    assert scrub.is_done
    assert scrub.look(b"nodes", b"") is None, "nothing has to be looked at any more"
