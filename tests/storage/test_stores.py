"""The tree store beside the store in dictionaries, which says what is right."""

import copy

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from coord.consensus.log import Point
from coord.state.dict_store import DictStore
from coord.state.store import Table
from coord.storage.flush import Steps
from coord.storage.keys import PathKeys
from coord.storage.tree import TreeStore
from tests.storage.samples import everything, plant

HASHED = PathKeys(b"sixteen bytes ok").key_of(b"/" + b"x" * 600)[17:]


# A few records fill a transaction and a few bytes a piece of the journal.
SMALL = Steps(pages=12, records=3, step_bytes=2000, piece_bytes=50, run=2, turn=1)

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
        self.tree = TreeStore.create(self.path, cache_bytes=3000, steps=SMALL)
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
                is_new = self.model.get(path) is None
                if is_new or name is names[-1]:
                    for store in (self.tree, self.model):
                        (store.add if is_new else store.put)(path, record)
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
        listing = self.tree.row_listing(table, key)
        assert sorted(listing.take(1000)) == sorted(v for _, v in self.model.rows(table, key))
        listing.close()

    @rule()
    def read_all(self):
        assert sorted_names(self.tree) == sorted_names(self.model)
        assert everything(self.tree) == everything(self.model)

    @rule(names=PATHS)
    def read(self, names):
        path = b"/" + b"/".join(names)
        assert self.tree.get(path) == self.model.get(path)
        names = sorted(self.model.children(path))
        assert sorted(self.tree.children(path)) == names
        listing = self.tree.listing(path)
        assert sorted(listing.take(1000)) == names
        listing.close()

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
        self.tree = TreeStore.open(self.path, cache_bytes=3000, steps=SMALL)
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
