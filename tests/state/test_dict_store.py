"""What every store must do, on the one in dictionaries."""

import pytest

from coord.state.dict_store import DictStore
from coord.state.store import Table
from tests.state.stores import filled


def test_a_node_is_found_under_its_path():
    assert filled().get(b"/a/x") == b"record of /a/x"
    assert filled().get(b"/a/z") is None


def test_a_record_is_replaced():
    store = filled()
    store.put(b"/a", b"new")
    assert store.get(b"/a") == b"new"
    assert sorted(store.children(b"/")) == [b"a", b"b"]


def test_children_are_names():
    store = filled()
    assert sorted(store.children(b"/")) == [b"a", b"b"]
    assert sorted(store.children(b"/a")) == [b"x", b"y"]
    assert store.children(b"/a/x") == []


def test_a_deleted_node_is_gone_from_its_parent_too():
    store = filled()
    store.delete(b"/a/x")
    assert store.get(b"/a/x") is None
    assert store.children(b"/a") == [b"y"]
    store.delete(b"/a/y")
    assert store.children(b"/a") == []


def test_rows_come_in_the_order_of_their_keys():
    store = filled()
    assert [key for key, _ in store.rows(Table.EPHEMERALS)] == [b"a1", b"a2", b"b1", b"b2"]
    assert list(store.rows(Table.EPHEMERALS, b"a")) == [
        (b"a1", b"value of a1"),
        (b"a2", b"value of a2"),
    ]
    assert list(store.rows(Table.SESSIONS)) == []


def test_rows_are_put_replaced_and_deleted():
    store = filled()
    store.put_row(Table.META, b"k", b"1")
    store.put_row(Table.META, b"k", b"2")
    assert store.row(Table.META, b"k") == b"2"
    assert store.row(Table.SESSIONS, b"k") is None
    store.delete_row(Table.META, b"k")
    assert store.row(Table.META, b"k") is None


@pytest.mark.parametrize("table", Table)
def test_tables_are_apart(table):
    store = DictStore()
    store.put_row(table, b"k", b"v")
    assert [t for t in Table if store.row(t, b"k")] == [table]
