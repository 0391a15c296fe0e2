"""Trees on their way to another replica."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord.consensus.log import Point
from coord.storage import snapshots
from coord.storage.errors import DamagedTree, SnapshotError, TransferExpired
from coord.storage.flush import FlushPoint, Steps
from coord.storage.keys import PathKeys
from coord.storage.seal import seal
from coord.storage.snapshots import Export, Import
from coord.storage.tree import TreeStore
from tests.storage.samples import everything, fill, flip_bit, flush_all


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "CHUNK_BYTES", 2000)
    tree = TreeStore.create(tmp_path / "tree.1")
    fill(tree, 300)
    tree.put(b"/" + b"n" * 700, b"long name")
    tree.put(b"/large", b"x" * 100_000)
    flush_all(tree, 5, b"members")
    yield tree
    tree.close()


def feed_all(target, chunks):
    for chunk in chunks:
        target.feed(chunk)


def received(path, chunks):
    """Return the tree that the chunks make, opened from its folder."""
    target = Import(path)
    feed_all(target, chunks)
    assert target.is_complete
    target.finish()
    return TreeStore.open(path)


def test_what_arrives_is_what_was_exported(tree, tmp_path):
    copy = received(tmp_path / "tree.2", Export.begin(tree))
    assert everything(copy) == everything(tree)
    assert (copy.point, copy.configuration) == (tree.point, b"members")
    flush_all(copy, 6)
    copy.put(b"/parent1/node000001", b"changed")
    assert copy.get(b"/parent1/node000001") == b"changed"
    copy.close()


def test_an_export_is_the_tree_of_one_moment_while_writes_and_flushes_go_on(tree, tmp_path):
    expected = everything(tree)
    export = Export.begin(tree)
    target = Import(tmp_path / "tree.2")
    for number, chunk in enumerate(export):
        target.feed(chunk)
        tree.put(b"/parent1/node%06d" % (number * 7 % 300), b"changed %d" % number)
        tree.put(b"/new%d" % number, b"new")
        if number % 3 == 0:
            flush_all(tree, 6 + number)
    assert number > 10
    target.finish()
    copy = TreeStore.open(tmp_path / "tree.2")
    assert everything(copy) == expected
    assert copy.point.index == 5
    copy.close()


def test_two_transfers_share_one_view_and_let_go_of_it(tree, tmp_path):
    first, second = Export.begin(tree), Export.begin(tree)
    flush_all(tree, 6)
    one, two = list(first), list(second)
    assert one == two
    first.close()
    with pytest.raises(StopIteration):
        next(first)


def test_nothing_is_exported_while_an_old_flush_is_unfinished(tree, tmp_path):
    tree.close()
    tree = TreeStore.open(tmp_path / "tree.1", steps=Steps(pages=0))
    tree.put(b"/new", b"x")
    flush = tree.freeze(Point(6, 1, 6), b"")
    flush.commit()
    while not flush.fill(0):
        pass
    flush.commit()  # the journal is whole
    during = Export.begin(tree)
    assert during.point.point.index == 5  # the flush before
    during.close()
    flush.abort()
    tree.close()
    restarted = TreeStore.open(tmp_path / "tree.1")
    assert Export.begin(restarted) is None
    unfinished = restarted.unfinished()
    unfinished.write()
    restarted.finish(unfinished)
    export = Export.begin(restarted)
    assert export.point.point.index == 6
    export.close()
    restarted.close()


def test_a_transfer_is_limited_in_time(tree):
    now = [0.0]
    export = Export.begin(tree, clock=lambda: now[0])
    next(export)
    now[0] = snapshots.SECONDS_MAX + 1
    with pytest.raises(TransferExpired, match="lasted more than 300 s"):
        next(export)


def test_a_transfer_is_limited_in_how_much_the_file_grows(tree, monkeypatch):
    monkeypatch.setattr(snapshots, "GROWTH_BYTES_MAX", 40_000)
    export = Export.begin(tree)
    next(export)
    for number in range(300):
        tree.put(b"/grown%d" % number, b"x" * 1000)
    flush_all(tree, 6)
    with pytest.raises(TransferExpired, match="grew too much"):
        next(export)


def test_a_transfer_ends_when_its_tree_is_replaced(tree):
    current, older = Export.begin(tree), None
    flush_all(tree, 6)
    older, current = current, Export.begin(tree)
    next(older)
    next(current)
    tree.close()
    for export in (older, current):
        with pytest.raises(TransferExpired, match="was replaced"):
            next(export)
        export.close()


def test_a_damaged_record_is_not_sent_on(tree, tmp_path):
    key = PathKeys(b"sixteen bytes ok").key_of(b"/parent5")
    flip_bit(tmp_path / "tree.1", b"nodes", key, 4)  # after it was looked at
    with pytest.raises(DamagedTree, match=key.hex()):
        list(Export.begin(tree))


@pytest.fixture
def chunks(tree):
    return list(Export.begin(tree))


@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("fault", ["lost", "repeated", "damaged", "cut", "swapped"])
def test_chunks_that_are_lost_repeated_damaged_or_swapped_are_refused(
    chunks, tmp_path, place, fault
):
    at = {"first": 0, "middle": len(chunks) // 2, "last": len(chunks) - 2}[place]
    wrong = list(chunks)
    match fault:
        case "lost":
            del wrong[at]
        case "repeated":
            wrong.insert(at, wrong[at])
        case "damaged":
            wrong[at] = wrong[at][:20] + b"?" + wrong[at][21:]
        case "cut":
            wrong[at] = wrong[at][:-1]
        case "swapped":
            wrong[at], wrong[at + 1] = wrong[at + 1], wrong[at]
    target = Import(tmp_path / "tree.2")
    right = at + (fault == "repeated")
    feed_all(target, wrong[:right])
    with pytest.raises(SnapshotError):
        target.feed(wrong[right])
    target.abort()


def framed(number, kind, body):
    maker = Export.__new__(Export)
    maker._number = number
    return maker._chunk(kind, body)


def test_records_that_are_not_in_order_are_refused(tmp_path):
    target = Import(tmp_path / "tree.2")
    target.feed(framed(0, 0, snapshots._FORMAT.pack(snapshots.FORMAT) + FlushPoint().encode()))
    sealed = seal(b"key", b"value")
    record = snapshots._RECORD.pack(3, len(sealed)) + b"key" + sealed
    target.feed(framed(1, 1, record))
    with pytest.raises(SnapshotError, match="chunk 2 is not in order"):
        target.feed(framed(2, 1, record))
    target.abort()


def test_a_snapshot_of_another_format_is_refused(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "FORMAT", 2)
    first = next(Export.begin(tree))
    monkeypatch.undo()
    target = Import(tmp_path / "tree.2")
    with pytest.raises(SnapshotError, match="of another format"):
        target.feed(first)
    target.abort()


@pytest.mark.parametrize("kind", range(6))
@given(body=st.binary(max_size=80))
def test_garbage_with_a_right_checksum_raises_only_the_documented_error(
    tmp_path_factory, kind, body
):
    target = Import(tmp_path_factory.mktemp("import") / "tree.2")
    head = snapshots._FORMAT.pack(snapshots.FORMAT) + FlushPoint().encode()
    try:
        if kind:
            target.feed(framed(0, 0, head))
        target.feed(framed(int(kind > 0), kind, body))
    except SnapshotError:
        pass
    target.abort()
