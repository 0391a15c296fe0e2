"""Flushes, and power cuts at each of their steps."""

import shutil
import threading

import pytest

from coord.consensus.log import Point
from coord.state.dict_store import DictStore
from coord.state.store import Table
from coord.storage.errors import DiskFull, StorageFailed
from coord.storage.flush import Steps
from coord.storage.tree import TreeStore
from tests.storage.samples import everything, fill, flush_all

SMALL = Steps(pages=0, records=30, step_bytes=3000, turn=4)
"""With a journal, and in many transactions."""
LARGE = Steps(turn=4)
"""In one transaction."""


@pytest.fixture
def steps():
    return SMALL


@pytest.fixture
def trees(tmp_path, steps):
    """A tree with a flush behind it and changes since, and what it must hold before and after."""
    tree = TreeStore.create(tmp_path / "tree.1", steps=steps)
    model = DictStore()
    for store in (tree, model):
        fill(store, 100)
    flush_all(tree, 1, b"one")
    before = everything(model)
    for store in (tree, model):
        for number in range(0, 100, 3):
            path = b"/parent%d/node%06d" % (number % 10, number)
            if number % 2:
                store.delete(path)
            else:
                store.put(path, b"changed")
        for number in range(40):
            store.put(b"/parent1/new%d" % number, b"new" * 20)
            store.put_row(Table.ORIGINS, b"%d" % number, b"new")
            store.delete_row(Table.SESSIONS, b"%08d" % number)
    yield tree, before, everything(model)
    tree.close()


@pytest.mark.parametrize("steps", [SMALL, LARGE])
def test_a_flush_is_cut_off_nowhere_and_seen_whole_or_not_at_all(trees, tmp_path, steps):
    """What LMDB committed is what a power cut leaves: every commit is synced before it returns.

    The folder is copied after each commit, and in between, when nothing was synced since; each copy
    is opened as after a restart.
    """
    tree, before, after = trees
    flush = tree.freeze(Point(2, 1, 2), b"two")
    cuts = []

    def power_cut():
        cuts.append(tmp_path / f"tree.{len(cuts) + 2}")
        shutil.copytree(tree.file.environment.path, cuts[-1])

    power_cut()
    while not flush.is_done:
        flush.commit()
        power_cut()
        if not flush.is_done:
            while not flush.fill(0):
                pass
            power_cut()
        assert everything(tree) == after  # readers see all changes all the time
    tree.finish(flush)
    assert everything(tree) == after
    seen = []
    for cut in cuts:
        restarted = TreeStore.open(cut, steps=steps)
        seen.append(restarted.point.index)
        assert everything(restarted) == (before if seen[-1] == 1 else after)
        assert restarted.configuration == (b"one" if seen[-1] == 1 else b"two")
        unfinished = restarted.unfinished()
        if unfinished is not None:
            unfinished.write()
            restarted.finish(unfinished)
            assert everything(restarted) == after
        flush_all(restarted, 3)
        restarted.close()
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}
    assert len(cuts) > 10 if steps is SMALL else len(cuts) == 4


def test_an_unfinished_journal_is_not_taken_for_part_of_the_next(trees, tmp_path):
    tree, before, _ = trees
    flush = tree.freeze(Point(2, 1, 2), b"two")
    flush.commit()
    while not flush.fill(0):
        pass
    flush.commit()  # two pieces of some
    flush.abort()
    tree.close()
    tree = TreeStore.open(tmp_path / "tree.1", steps=SMALL)
    assert everything(tree) == before
    tree.put(b"/other", b"x")
    flush = tree.freeze(Point(2, 1, 2), b"two")
    flush.commit()
    while not flush.fill(0):
        pass
    flush.commit()
    flush.abort()
    tree.close()
    tree = TreeStore.open(tmp_path / "tree.1", steps=SMALL)
    assert (tree.point.index, tree.get(b"/other")) == (2, b"x")
    tree.delete(b"/other")
    assert everything(tree) == before
    tree.close()


def test_one_thread_commits_and_the_loop_fills(trees):
    tree, _, after = trees
    flush = tree.freeze(Point(2, 1, 2), b"two")
    turn, answer = threading.Semaphore(0), threading.Semaphore(0)

    def commits():
        while not flush.is_done:
            turn.acquire()
            flush.commit()
            answer.release()

    flusher = threading.Thread(target=commits, daemon=True)
    flusher.start()
    while True:
        turn.release()
        assert everything(tree) == after
        answer.acquire()
        if flush.is_done:
            break
        while not flush.fill(0.0001):
            assert tree.get(b"/parent1") == b"p"
    flusher.join()
    tree.finish(flush)
    assert everything(tree) == after


def test_changes_during_a_flush_belong_to_the_next_one(trees, tmp_path):
    tree, _, after = trees
    flush = tree.freeze(Point(2, 1, 2), b"two")
    tree.put(b"/late", b"x")
    flush.write()
    tree.finish(flush)
    assert tree.get(b"/late") == b"x"
    tree.close()
    tree = TreeStore.open(tmp_path / "tree.1", steps=SMALL)
    assert everything(tree) == after
    tree.close()


def test_a_flush_without_changes_moves_the_point(trees, tmp_path):
    tree, _, after = trees
    flush_all(tree, 2)
    flush_all(tree, 9, b"nine")
    tree.close()
    tree = TreeStore.open(tmp_path / "tree.1", steps=SMALL)
    assert (tree.point.index, tree.configuration) == (9, b"nine")
    assert everything(tree) == after
    tree.close()


def test_a_large_record_is_flushed_in_bounded_pieces(trees, tmp_path):
    tree, _, _ = trees
    tree.put(b"/large", b"L" * 60_000)
    tree.put(b"/larger", b"M" * 300_000)
    after = everything(tree)
    flush = tree.freeze(Point(2, 1, 2), b"")
    commits = 0
    while not flush.is_done:
        flush.commit()
        commits += 1
        while not flush.is_done and not flush.fill(1):
            pass
    tree.finish(flush)
    assert commits > 4
    tree.close()
    tree = TreeStore.open(tmp_path / "tree.1", steps=SMALL)
    assert everything(tree) == after
    tree.close()


def test_two_flushes_at_a_time_and_a_step_back_are_programming_errors(trees):
    tree, _, _ = trees
    with pytest.raises(AssertionError, match="never goes back"):
        tree.freeze(Point(0, 0, 0), b"")
    flush = tree.freeze(Point(2, 1, 2), b"")
    with pytest.raises(AssertionError, match="one flush at a time"):
        tree.freeze(Point(3, 1, 2), b"")
    with pytest.raises(AssertionError, match="not all is written"):
        tree.finish(flush)


def test_a_full_map_is_recognised(tmp_path):
    tree = TreeStore.create(tmp_path / "tree.1", map_bytes=1 << 20)
    fill(tree, 100, value=b"x" * 20_000)
    flush = tree.freeze(Point(1, 1, 1), b"")
    with pytest.raises(DiskFull, match="no room for a write"):
        flush.write()
    flush.abort()
    tree.close()
    assert issubclass(DiskFull, StorageFailed)
