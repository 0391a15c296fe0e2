"""The journal takes changes back."""

from coord.state.journal import Journal
from coord.state.store import Table
from tests.state.stores import contents, filled


def change(store) -> None:
    store.put(b"/a", b"other")
    store.put(b"/c", b"created")
    store.delete(b"/a/x")
    store.put(b"/a/x", b"again")
    store.delete(b"/a/y")
    store.delete(b"/a/x")
    store.delete(b"/a")
    store.put_row(Table.EPHEMERALS, b"a1", b"other")
    store.put_row(Table.EPHEMERALS, b"c1", b"created")
    store.delete_row(Table.EPHEMERALS, b"a2")
    store.put_row(Table.META, b"m", b"1")
    store.delete_row(Table.META, b"m")


def test_a_journal_passes_changes_on():
    one, other = filled(), filled()
    change(one)
    journal = Journal(other)
    change(journal)
    assert contents(one) == contents(other)
    assert journal.get(b"/c") == b"created"
    assert journal.children(b"/") == other.children(b"/")
    assert journal.row(Table.EPHEMERALS, b"c1") == b"created"
    assert list(journal.rows(Table.EPHEMERALS)) == list(other.rows(Table.EPHEMERALS))


def test_a_journal_takes_all_changes_back():
    store = filled()
    before = contents(store)
    journal = Journal(store)
    change(journal)
    assert contents(store) != before
    journal.take_back()
    assert contents(store) == before
    journal.take_back()
    assert contents(store) == before
