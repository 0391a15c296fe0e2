"""Which containers and TTL nodes may go."""

from coord.state.reaping import is_reapable, reapable
from coord.state.record import Kind
from coord.state.tree import CONTAINER_IDLE_MS
from tests.state.trees import create, delete, founded


def test_the_longest_due_are_named_first_and_no_more_than_asked():
    tree = founded()
    for number in range(5):
        create(tree, b"/t%d" % number, Kind.TTL, ttl_ms=100 - number)
    assert reapable(tree.store, 98, 10) == [(b"/t4", 5, 5), (b"/t3", 4, 4)]
    assert [path for path, _, _ in reapable(tree.store, 1000, 3)] == [b"/t4", b"/t3", b"/t2"]


def test_a_node_is_reaped_only_as_it_was_seen_and_when_it_is_due():
    tree = founded()
    create(tree, b"/t", Kind.TTL, ttl_ms=10)
    record = tree.store.get(b"/t")
    assert is_reapable(record, (1, 1), 11)
    assert not is_reapable(record, (1, 1), 10)
    assert not is_reapable(record, (2, 1), 11)
    assert not is_reapable(record, (1, 2), 11)
    create(tree, b"/t/a")
    assert not is_reapable(tree.store.get(b"/t"), (1, 2), 11)
    create(tree, b"/p")
    assert not is_reapable(tree.store.get(b"/p"), (3, 3), 99)


def test_a_container_waits_for_its_first_child_and_not_after_its_last():
    tree = founded()
    create(tree, b"/c", Kind.CONTAINER)
    assert not is_reapable(tree.store.get(b"/c"), (1, 1), CONTAINER_IDLE_MS)
    assert is_reapable(tree.store.get(b"/c"), (1, 1), CONTAINER_IDLE_MS + 1)
    create(tree, b"/c/a")
    delete(tree, b"/c/a")
    assert reapable(tree.store, 1, 9) == [(b"/c", 1, 3)]


def test_a_container_that_is_written_waits_anew_and_leaves_nothing_listed_when_it_goes():
    """Found by the simulation (seed 7976): the list kept a container that was gone."""
    tree = founded()
    create(tree, b"/c", Kind.CONTAINER)
    tree.zxid, tree.time_ms = 2, 1000
    tree.set_data(b"/c", tree.store.get(b"/c"), b"\x00\x00\x00\x01x")
    assert reapable(tree.store, CONTAINER_IDLE_MS + 999, 9) == []
    assert reapable(tree.store, CONTAINER_IDLE_MS + 1001, 9) == [(b"/c", 2, 1)]
    delete(tree, b"/c")
    assert reapable(tree.store, 10 * CONTAINER_IDLE_MS, 9) == []
