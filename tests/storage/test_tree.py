"""The tree store beside the store in dictionaries, which says what is right."""

import copy

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from coord.consensus.log import ORIGIN, Point
from coord.state.dict_store import DictStore
from coord.state.store import PATH_KEY, Table
from coord.storage import flush as flush_module
from coord.storage.errors import DamagedTree
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


@pytest.fixture
def small_steps(monkeypatch):
    """Let a few records fill a transaction and a few bytes a piece of the journal."""
    monkeypatch.setattr(flush_module, "FOLD_RECORDS", 3)
    monkeypatch.setattr(flush_module, "STEP_BYTES", 2000)
    monkeypatch.setattr(flush_module, "_PIECE_BYTES", 50)
    monkeypatch.setattr(flush_module, "_RUN", 2)
    monkeypatch.setattr(flush_module, "_TURN", 1)


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
    flush_all(tree, 1)
    tree.close()
    keys = PathKeys(b"sixteen bytes ok")
    flip_bit(tmp_path / "tree.1", b"nodes", keys.key_of(b"/parent/child"), at)
    flip_bit(tmp_path / "tree.1", b"nodes", keys.key_of(b"/parent/" + b"n" * 600), at)
    flip_bit(tmp_path / "tree.1", b"rows", b"\0path_key", at)
    with pytest.raises(DamagedTree, match="a row of the table META is damaged"):
        TreeStore.open(tmp_path / "tree.1")
    flip_bit(tmp_path / "tree.1", b"rows", b"\0path_key", at)
    tree = TreeStore.open(tmp_path / "tree.1")
    assert tree.get(b"/parent") == b"p"
    with pytest.raises(DamagedTree, match="znode '/parent/child' is damaged"):
        tree.get(b"/parent/child")
    with pytest.raises(DamagedTree, match="a child of '/parent' is damaged"):
        tree.children(b"/parent")
    tree.close()


def journal_is_whole(tree):
    with tree.file.environment.read() as transaction:
        return tree.file.get_state(transaction, b"journal") is not None


def test_damage_in_the_trees_own_state_is_found(tree, tmp_path):
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


NAMES = st.sampled_from([b"a", b"b", b"c", b"n" * 495, b"m" * 700, HASHED, b"\1"])
KEYS = st.sampled_from([b"", b"a", b"aa", b"ab", b"b", b"\xff"])
RECORDS = st.binary(max_size=40) | st.sampled_from([b"L" * 500, b"M" * 5000])
PATHS = st.lists(NAMES, min_size=1, max_size=3)
TABLES = st.sampled_from([Table.SESSIONS, Table.EPHEMERALS])


class Stores(RuleBasedStateMachine):
    """Both stores do the same; flushes go on step by step; now and then the process dies."""

    @initialize()
    def begin(self) -> None:
        self.path = self.folder()
        self.tree = TreeStore.create(self.path, cache_bytes=3000)
        self.model = DictStore()
        for store in (self.tree, self.model):
            plant(store)
        self.index = 0
        self.flush = None
        self.flushed = DictStore()
        self.freezing = DictStore()

    def folder(self):
        Stores.number += 1
        return Stores.root / f"tree.{Stores.number}"

    @rule(changes=st.lists(st.tuples(PATHS, RECORDS), min_size=1, max_size=8))
    def put(self, changes):
        for names, record in changes:
            path = b""
            for name in names:  # every ancestor comes before
                path += b"/" + name
                if name is names[-1] or self.model.get(path) is None:
                    for store in (self.tree, self.model):
                        store.put(path, record)
            assert self.tree.get(path) == record

    @rule(choice=st.integers(min_value=0))
    def delete(self, choice):
        leaves = [
            path
            for path in sorted(everything(self.model)[0])
            if path != b"/" and not self.model.children(path)
        ]
        if leaves:
            path = leaves[choice % len(leaves)]
            for store in (self.tree, self.model):
                store.delete(path)
            assert self.tree.get(path) is None

    @rule(table=TABLES, key=KEYS, value=RECORDS)
    def put_row(self, table, key, value):
        for store in (self.tree, self.model):
            store.put_row(table, key, value)

    @rule(table=TABLES, choice=st.integers(min_value=0))
    def delete_row(self, table, choice):
        keys = [key for key, _ in self.model.rows(table)]
        if keys:
            for store in (self.tree, self.model):
                store.delete_row(table, keys[choice % len(keys)])

    @rule(table=TABLES, key=KEYS)
    def read_rows(self, table, key):
        assert self.tree.row(table, key) == self.model.row(table, key)
        assert list(self.tree.rows(table, key)) == list(self.model.rows(table, key))

    @rule()
    def read_all(self):
        assert sorted_names(self.tree) == sorted_names(self.model)
        assert everything(self.tree) == everything(self.model)

    @rule(names=PATHS)
    def read(self, names):
        path = b"/" + b"/".join(names)
        assert self.tree.get(path) == self.model.get(path)
        assert sorted(self.tree.children(path)) == sorted(self.model.children(path))

    @precondition(lambda self: self.flush is None)
    @rule(is_whole=st.booleans())
    def freeze(self, is_whole):
        self.index += 1
        self.freezing = copied(self.model)
        self.flush = self.tree.freeze(Point(self.index, 1, self.index), b"%d" % self.index)
        self.flush.commit()
        if is_whole:
            self.flush_a_little(10**6)

    @precondition(lambda self: self.flush is not None)
    @rule(steps=st.integers(min_value=1, max_value=40))
    def flush_some(self, steps):
        self.flush_a_little(steps)

    def flush_a_little(self, steps):
        for _ in range(steps):
            if self.flush.fill(0):
                self.flush.commit()
            if self.flush.is_done:
                self.tree.finish(self.flush)
                self.flushed, self.flush = self.freezing, None
                break

    @rule(luck=st.integers(min_value=0, max_value=4))
    def die(self, luck):
        """Restart from what was committed: the last flush, or this one if its journal is whole."""
        if luck:
            return
        if self.flush is not None:
            self.flush.abort()
        self.tree.close()
        self.tree = TreeStore.open(self.path, cache_bytes=3000)
        self.flush = self.tree.unfinished()
        if self.flush is not None:
            self.flush.commit()
        if self.tree.point.index == self.index and self.index:
            self.flushed = self.freezing
            assert self.tree.configuration == b"%d" % self.index
        else:
            assert self.tree.point.index == max(self.index - 1, 0)
            assert self.flush is None
            self.index = self.tree.point.index
            self.freezing = self.flushed
        self.model = copied(self.flushed)
        if self.model.get(b"/") is None:
            for store in (self.tree, self.model):
                plant(store)
        self.read_all()

    def teardown(self):
        if hasattr(self, "tree"):
            self.read_all()
            if self.flush is not None:
                self.flush.abort()
            self.tree.close()


def copied(store):
    twin = DictStore()
    twin._nodes.update(store._nodes)
    twin._names = copy.deepcopy(store._names)
    twin._rows = copy.deepcopy(store._rows)
    return twin


def sorted_names(store):
    return {path: sorted(store.children(path)) for path in everything(store)[0]}


@pytest.mark.usefixtures("small_steps")
def test_both_stores_do_the_same_whatever_happens(tmp_path_factory):
    Stores.root = tmp_path_factory.mktemp("trees")
    Stores.number = 0
    run_state_machine_as_test(
        Stores,
        settings=settings(
            max_examples=50, stateful_step_count=40, deadline=None, print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )  # fmt: skip
