"""Trees on their way between replicas, as the driver keeps them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coord.consensus.log import point_of
from coord.storage.start import Storage
from coord.tasks.hub import Hub
from coord.tasks.trees import Trees
from coord.tasks.writer import Writer
from tests.storage.samples import fill, history, persist


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    storage = Storage.open(tmp_path, 1)
    hub = Hub()
    flusher = Writer(hub, "flusher")
    yield Trees(storage, flusher)
    flusher.close()
    storage.close()
    hub.close()


def folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.name.startswith("tree."))


def test_a_received_tree_that_is_given_up_leaves_nothing_behind(
    trees: Trees, tmp_path: Path
) -> None:
    target = trees.receive()
    assert folders(tmp_path) == ["tree.1", "tree.2"]
    target.feed(b"not a chunk", lambda _whole: None)
    target.abandon()
    trees._flusher.run(lambda: None)
    assert folders(tmp_path) == ["tree.1"]


def test_a_tree_that_was_never_flushed_is_not_exported_and_not_held(trees: Trees) -> None:
    assert trees.export(0) is None
    assert trees._storage.tree._view._holders == 1


def test_a_large_tree_is_looked_at_in_slices_before_it_is_flushed_or_sent(tmp_path: Path) -> None:
    entries = history(2)
    storage = Storage.open(tmp_path, 1)
    storage.log.write([persist(*entries)])
    fill(storage.tree, 3000, value=bytes(1500))
    flush = storage.tree.freeze(point_of(entries[0]), b"")
    flush.write()
    storage.tree.finish(flush)
    storage.close()
    storage = Storage.open(tmp_path, 1)
    hub = Hub()
    flusher = Writer(hub, "flusher")
    trees = Trees(storage, flusher)
    slices = 0
    while trees._flush is None:  # it is due
        assert storage.tree.share() is None
        assert trees.keep(10**9, 0, point_of(entries[1]), b"") == trees._is_looking
        slices += 1
    assert slices > 3
    assert not trees._is_looking
    trees.stop()
    flusher.close()
    storage.close()
    hub.close()
