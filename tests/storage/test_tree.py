"""The tree store: what is kept, bounded and found damaged."""

import pytest

from coord.consensus.log import ORIGIN, Point
from coord.state.dict_store import DictStore
from coord.state.store import PATH_KEY, Table
from coord.storage.errors import DamagedTree
from coord.storage.flush import Steps
from coord.storage.keys import NAME_MAX, PathKeys
from coord.storage.layer import MISSING, Cache
from coord.storage.tree import TreeStore
from tests.storage.samples import everything, fill, flip_bit, flush_all, plant


@pytest.fixture
def tree(tmp_path):
    tree = TreeStore.create(tmp_path / "tree.1")
    yield tree
    tree.close()


def reopened(tree, tmp_path):
    tree.close()
    return TreeStore.open(tmp_path / "tree.1")


def test_a_new_tree_is_empty_and_at_the_origin(tree):
    assert everything(tree) == everything(DictStore())
    assert (tree.point, tree.configuration, tree.overlay_bytes) == (ORIGIN, b"", 0)


def test_what_is_not_flushed_is_lost_and_what_is_flushed_stays(tree, tmp_path):
    fill(tree, 30)
    flush_all(tree, 17, b"members")
    kept = everything(tree)
    tree.put(b"/later", b"x")
    tree = reopened(tree, tmp_path)
    assert everything(tree) == kept
    assert (tree.point, tree.configuration) == (Point(17, 1, 119), b"members")
    tree.close()


def test_the_root_is_not_its_own_child(tree):
    plant(tree)
    tree.put(b"/a", b"x")
    for index in (1, 2):
        assert tree.children(b"/") == [b"a"]
        assert tree.get(b"/") == b"root"
        flush_all(tree, index)


HASHED = PathKeys(b"sixteen bytes ok").key_of(b"/" + b"x" * 600)[17:]


@pytest.mark.parametrize(
    "name",
    [
        b"x" * NAME_MAX,
        b"x" * (NAME_MAX + 1),
        b"x" * 600,
        b"x" * 100_000,
        HASHED,
        b"\0",
        b"\1",
        b"\1" + HASHED,
        b"\xff" * 40,
    ],
    ids=lambda name: f"{name[:4]!r}-{len(name)}",
)
def test_names_of_any_length_are_kept_apart(tree, tmp_path, name):
    """A long name is hashed in its key; no name passes for that hash."""
    plant(tree)
    rivals = {name, b"x" * 600, HASHED, b"x" * NAME_MAX, b"short"}
    for number, rival in enumerate(sorted(rivals)):
        tree.put(b"/" + rival, b"record %d" % number)
    tree.put(b"/" + name + b"/child", b"c")
    before = everything(tree)
    flush_all(tree, 1)
    tree = reopened(tree, tmp_path)
    assert everything(tree) == before
    assert set(tree.children(b"/")) == rivals
    tree.delete(b"/" + name + b"/child")
    tree.delete(b"/" + name)
    flush_all(tree, 2)
    assert set(tree.children(b"/")) == rivals - {name}
    tree.close()


@pytest.mark.parametrize("last", [b"b", b"x" * NAME_MAX, b"x" * 600, b"\xff"])
def test_what_lies_behind_the_last_name_is_missing_until_it_is_flushed(tree, tmp_path, last):
    """After two looks in vain the tree knows where the names of a parent's children end."""
    plant(tree)
    there = {b"/parent", b"/parent/a", b"/parent/" + last, b"/parenu", b"/parenu/z"}
    for path in there:
        tree.put(path, b"record")
    flush_all(tree, 1)
    tree = reopened(tree, tmp_path)
    missing = [b"/parent/" + last + b"%d" % number for number in range(4)]
    assert [tree.get(path) for path in missing] == [None] * 4
    assert all(tree.get(path) == b"record" for path in there)
    tree.put(missing[3], b"later")
    flush_all(tree, 2)
    assert [tree.get(path) for path in missing] == [None, None, None, b"later"]
    tree.close()


def test_rows_come_in_the_order_of_their_keys_from_all_layers(tree):
    plant(tree)
    for key in (b"a1", b"a3", b"b1"):
        tree.put_row(Table.EPHEMERALS, key, b"old")
    flush_all(tree, 1)
    tree.delete_row(Table.EPHEMERALS, b"a3")
    tree.put_row(Table.EPHEMERALS, b"a2", b"frozen")
    tree.freeze(Point(2, 1, 1), b"")
    tree.put_row(Table.EPHEMERALS, b"a1", b"new")
    tree.put_row(Table.EPHEMERALS, b"a4", b"new")
    tree.put_row(Table.SESSIONS, b"a2", b"another table")
    found = list(tree.rows(Table.EPHEMERALS, b"a"))
    assert found == [(b"a1", b"new"), (b"a2", b"frozen"), (b"a4", b"new")]
    assert [key for key, _ in tree.rows(Table.EPHEMERALS)] == [b"a1", b"a2", b"a4", b"b1"]


def test_children_are_those_of_the_newest_layer(tree):
    plant(tree)
    for name in (b"/stored", b"/both", b"/back"):
        tree.put(name, b"1")
    flush_all(tree, 1)
    tree.put(b"/frozen", b"2")
    tree.put(b"/brief", b"2")
    tree.delete(b"/both")
    tree.delete(b"/back")
    tree.freeze(Point(2, 1, 1), b"")
    tree.delete(b"/brief")
    tree.put(b"/back", b"3")
    tree.put(b"/fresh", b"3")
    assert sorted(tree.children(b"/")) == [b"back", b"fresh", b"frozen", b"stored"]


def test_a_listing_is_that_of_its_moment_whatever_changes_and_is_flushed_meanwhile(tree):
    plant(tree)
    long = b"x" * 600
    for name in (b"/stored", b"/both", b"/back", b"/" + long):
        tree.put(name, b"1")
    tree.put_row(Table.EPHEMERALS, b"a1", b"stored")
    tree.put_row(Table.EPHEMERALS, b"a2", b"gone")
    flush_all(tree, 1)
    tree.put(b"/frozen", b"2")
    tree.delete(b"/both")
    flush = tree.freeze(Point(2, 1, 1), b"")
    tree.put(b"/fresh", b"3")
    tree.delete_row(Table.EPHEMERALS, b"a2")
    tree.put_row(Table.EPHEMERALS, b"a3", b"fresh")
    names, values = tree.listing(b"/"), tree.row_listing(Table.EPHEMERALS, b"a")
    taken = names.take(2)
    tree.put(b"/both", b"4")
    tree.put(b"/later", b"4")
    for name in (b"/stored", b"/back", b"/" + long, b"/frozen", b"/fresh"):
        tree.delete(name)
    tree.delete_row(Table.EPHEMERALS, b"a1")
    tree.put_row(Table.EPHEMERALS, b"a2", b"later")
    flush.commit()
    while not flush.is_done:
        flush.fill(1.0)
        flush.commit()
    tree.finish(flush)
    flush_all(tree, 3)
    while more := names.take(2):
        taken += more
    assert sorted(taken) == sorted([b"stored", b"back", long, b"frozen", b"fresh"])
    assert sorted(values.take(9)) == [b"fresh", b"stored"]
    assert sorted(tree.children(b"/")) == [b"both", b"later"]


def test_listings_that_are_closed_let_go_of_what_they_read(tree):
    fill(tree, 30)
    flush_all(tree, 1)
    listings = [tree.listing(b"/"), tree.listing(b"/"), tree.row_listing(Table.SESSIONS, b"")]
    listings[0].take(1)
    assert tree._view._holders == 4
    for listing in [*listings, *listings]:
        listing.close()
    assert tree._view._holders == 1


def test_what_was_read_before_a_change_is_forgotten(tmp_path):
    """Of both generations of the cache, for nodes and for rows."""
    tree = TreeStore.create(tmp_path / "tree.1", cache_bytes=4000)
    fill(tree, 20)
    flush_all(tree, 1)
    for _ in range(3):
        for number in range(20):
            for other in range(number, number + 10):  # push what was read into the old generation
                tree.get(b"/parent1/node%06d" % (other % 20))
                tree.row(Table.SESSIONS, b"%08d" % (other % 20))
            path, key = b"/parent%d/node%06d" % (number % 10, number), b"%08d" % number
            assert (tree.get(path) is None) == (tree.row(Table.SESSIONS, key) is None)
            tree.put(path, b"new")
            tree.put_row(Table.SESSIONS, key, b"new")
            assert (tree.get(path), tree.row(Table.SESSIONS, key)) == (b"new", b"new")
            tree.delete(path)
            tree.delete_row(Table.SESSIONS, key)
            assert (tree.get(path), tree.row(Table.SESSIONS, key)) == (None, None)
    tree.close()


def test_the_old_generation_of_the_cache_forgets_too():
    cache = Cache(2000)
    cache.add(b"/a", b"old")
    while b"/a" in cache.young:
        cache.add(b"/%d" % len(cache.young), b"x")
    cache.forget(b"/a")
    assert cache.promoted(b"/a") is MISSING


def test_a_path_key_never_changes(tree):
    plant(tree)
    tree.put_row(Table.META, PATH_KEY, b"crc.sixteen bytes ok")
    with pytest.raises(AssertionError, match="path key never changes"):
        tree.put_row(Table.META, PATH_KEY, b"crc.another key")


def test_the_cache_is_bounded_in_bytes(tmp_path):
    tree = TreeStore.create(tmp_path / "tree.1", cache_bytes=20_000)
    fill(tree, 500)
    flush_all(tree, 1)
    for _ in range(2):
        for number in range(500):
            assert tree.get(b"/parent%d/node%06d" % (number % 10, number))
            assert tree.get(b"/absent%d" % number) is None
    cache = tree._cache
    assert 10 < len(cache.young) + len(cache._old) < 100
    tree.close()


def test_the_overlay_is_measured_in_bytes(tree):
    plant(tree)
    empty = tree.overlay_bytes
    tree.put(b"/a", b"x" * 10_000)
    assert empty + 10_000 < tree.overlay_bytes < empty + 10_800
    tree.put(b"/a", b"x" * 100)
    assert empty + 100 < tree.overlay_bytes < empty + 900
    full = tree.overlay_bytes
    flush = tree.freeze(Point(1, 1, 1), b"")
    assert (tree.overlay_bytes, tree.unflushed_bytes) == (0, full)
    flush.write()
    tree.finish(flush)
    assert tree.unflushed_bytes == 0


@pytest.mark.parametrize("at", [0, 3, 4, -1])
def test_a_damaged_znode_is_found_and_named(tree, tmp_path, at):
    plant(tree)
    tree.put(b"/parent", b"p")
    tree.put(b"/parent/child", b"some record")
    tree.put(b"/parent/" + b"n" * 600, b"some record")
    tree.put_row(Table.SESSIONS, b"7", b"session")
    flush_all(tree, 1)
    tree = reopened(tree, tmp_path)  # looked at: the disk rots later
    keys = PathKeys(b"sixteen bytes ok")
    for database, key in (
        (b"nodes", keys.key_of(b"/parent/child")),
        (b"nodes", keys.key_of(b"/parent/" + b"n" * 600)),
        (b"rows", b"\x017"),
    ):
        flip_bit(tmp_path / "tree.1", database, key, at)
    with pytest.raises(DamagedTree, match="a row of the table SESSIONS is damaged"):
        tree.row(Table.SESSIONS, b"7")
    assert tree.get(b"/parent") == b"p"
    with pytest.raises(DamagedTree, match="znode '/parent/child' is damaged"):
        tree.get(b"/parent/child")
    with pytest.raises(DamagedTree, match="a child of '/parent' is damaged"):
        tree.children(b"/parent")
    tree.close()


def journal_is_whole(tree):
    with tree.file.environment.read() as transaction:
        return tree.file.get_state(transaction, b"journal") is not None


def test_damage_in_the_trees_own_state_is_found(tmp_path):
    tree = TreeStore.create(tmp_path / "tree.1", steps=Steps(pages=0))
    fill(tree, 20)
    flush = tree.freeze(Point(1, 1, 1), b"")
    flush.commit()
    while not journal_is_whole(tree):
        if flush.fill(0):
            flush.commit()
    flush.abort()
    tree.close()
    for database, name in ((b"state", b"point"), (b"state", b"journal"), (b"journal", bytes(4))):
        flip_bit(tmp_path / "tree.1", database, name, 5)
        with pytest.raises(DamagedTree, match="is damaged"):
            TreeStore.open(tmp_path / "tree.1")
        flip_bit(tmp_path / "tree.1", database, name, 5)
    tree = TreeStore.open(tmp_path / "tree.1")
    assert len(everything(tree)[0]) == 31
    tree.close()


def test_pages_that_deletes_gave_back_are_known(tmp_path):
    tree = TreeStore.create(tmp_path / "tree")
    fill(tree, 5000, value=b"v" * 500)
    flush_all(tree, 1)
    full = tree.file.reusable_bytes
    length = tree.file.environment.pages_used
    for number in range(5000):
        tree.delete(b"/parent%d/node%06d" % (number % 10, number))
    flush_all(tree, 2)
    assert tree.file.reusable_bytes > full + 5000 * 500
    assert tree.file.environment.pages_used < length * 1.2
    tree.close()


@pytest.mark.parametrize(
    ("mark", "read"),
    [
        (b"node0000", lambda tree: tree.children(b"/parent1")),
        (b"node0000", lambda tree: tree.get(b"/parent1/node000001")),
        (b"\x0100000", lambda tree: list(tree.rows(Table.SESSIONS))),
        (b"\x0100000", lambda tree: tree.row(Table.SESSIONS, b"00000001")),
    ],
    ids=["children", "node", "rows", "row"],
)
def test_damage_that_lmdb_finds_is_a_damaged_tree(tree, tmp_path, mark, read):
    fill(tree, 3000)
    flush_all(tree, 1)
    tree = reopened(tree, tmp_path)  # looked at: the disk rots later
    file = tmp_path / "tree.1" / "data.mdb"
    pages = bytearray(file.read_bytes())
    leaf = 0x02
    for at in range(0, len(pages), 4096):
        if pages[at + 10] == leaf and mark in pages[at : at + 4096]:
            pages[at : at + 4096] = bytes(4096)
    file.write_bytes(pages)
    with pytest.raises(DamagedTree, match="the tree is damaged"):
        read(tree)
    tree.close()
