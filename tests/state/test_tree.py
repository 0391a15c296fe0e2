"""The tree keeps its counts, its indexes and its digest in step."""

from coord.state.permissions import READ_ACL
from coord.state.record import Kind
from coord.state.store import Table
from coord.state.tree import STATE_KEY, Tree
from tests.state.trees import check, create, delete, founded


def test_everything_is_in_step_after_every_change():
    tree = founded()
    check(tree)
    create(tree, b"/a")
    create(tree, b"/a/e", Kind.EPHEMERAL, owner=5)
    create(tree, b"/a/c", Kind.CONTAINER)
    check(tree)
    create(tree, b"/a/c/d")
    create(tree, b"/a/c/d/t", Kind.TTL, ttl_ms=10)
    check(tree)
    tree.time_ms += 5
    tree.set_data(b"/a/c/d/t", tree.store.get(b"/a/c/d/t"), b"\0\0\0\3new")
    check(tree)
    tree.set_acl(b"/a/c", tree.store.get(b"/a/c"), READ_ACL)
    check(tree)
    for path in (b"/a/c/d/t", b"/a/c/d", b"/a/c", b"/a/e", b"/a"):
        delete(tree, path)
        check(tree)


def test_a_tree_of_two_levels_keeps_no_rows_of_descendants():
    tree = founded()
    create(tree, b"/a")
    create(tree, b"/a/b")
    tree.save()
    assert list(tree.store.rows(Table.DESCENDANTS)) == []
    create(tree, b"/a/b/c")
    tree.save()
    assert [key for key, _ in tree.store.rows(Table.DESCENDANTS)] == [b"/a"]
    delete(tree, b"/a/b/c")
    tree.save()
    assert list(tree.store.rows(Table.DESCENDANTS)) == []


def test_descendants_are_counted_before_the_entry_is_saved():
    tree = founded()
    for path in (b"/a", b"/a/b", b"/a/b/c"):
        create(tree, path)
    assert tree.descendants(b"/a", tree.store.get(b"/a")) == 2
    begun = tree.begin()
    create(tree, b"/a/b/d")
    tree.take_back(begun)
    delete(tree, b"/a/b/c")
    assert tree.descendants(b"/a", tree.store.get(b"/a")) == 1
    check(tree)


def test_keys_stay_short_however_long_the_paths():
    tree = founded()
    name = b"n" * 3000
    create(tree, b"/" + name)
    create(tree, b"/" + name + b"/" + name)
    create(tree, b"/" + name + b"/" + name + b"/c", Kind.CONTAINER)
    create(tree, b"/" + name + b"/" + name + b"/e", Kind.EPHEMERAL, owner=1)
    check(tree)
    assert max(len(key) for table in Table for key, _ in tree.store.rows(table)) <= 200


def test_the_digest_covers_the_counters():
    tree = founded()
    before = tree.digest
    tree.zxid += 1
    assert tree.digest != before


def test_the_digest_covers_every_path_and_byte():
    trees = [founded() for _ in range(5)]
    for tree, path, data in zip(
        trees, [b"/a", b"/a", b"/b", b"/a", b"/a"], [b"x", b"y", b"x", b"", b"x"], strict=True
    ):
        create(tree, path, data=data)
    digests = [tree.digest for tree in trees]
    assert len(set(digests)) == 4
    assert digests[0] == digests[4]


def test_what_was_begun_can_be_taken_back_or_kept():
    tree = founded()
    create(tree, b"/a")
    tree.save()
    before = (tree.digest, tree.node_count, tree.data_bytes, tree.ephemeral_count)
    begun = tree.begin()
    create(tree, b"/a/e", Kind.EPHEMERAL, owner=1)
    tree.zxid -= 1
    tree.take_back(begun)
    assert (tree.digest, tree.node_count, tree.data_bytes, tree.ephemeral_count) == before
    begun = tree.begin()
    create(tree, b"/a/e", Kind.EPHEMERAL, owner=1)
    tree.keep(begun)
    assert tree.store is begun[0]
    check(tree)


def test_the_state_row_holds_the_counters():
    tree = founded()
    create(tree, b"/e", Kind.EPHEMERAL, owner=1)
    tree.time_ms, tree.last_session = 9, 8
    tree.save()
    again = Tree(tree.store)
    for name in Tree.__annotations__:
        assert getattr(again, name) == getattr(tree, name)
    assert tree.row(Table.META, STATE_KEY) is not None


def test_rows_that_are_not_there_may_be_deleted():
    tree = founded()
    tree.delete_row(Table.SESSIONS, b"none")
    check(tree)
