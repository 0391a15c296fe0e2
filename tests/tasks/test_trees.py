"""Trees on their way between replicas, as the driver keeps them."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from coord.consensus.log import point_of
from coord.storage.start import Storage
from coord.tasks.hub import Hub
from coord.tasks.trees import (
    BITE_BYTES,
    BITE_ENTRIES,
    LOG_KEPT_BYTES,
    LOG_KEPT_ENTRIES,
    LOG_KEPT_SHARE,
    Trees,
)
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


@pytest.mark.parametrize(
    ("size", "tree_bytes", "kept", "bite"),
    [
        (100, 0, LOG_KEPT_ENTRIES, BITE_ENTRIES),
        (1 << 17, 0, LOG_KEPT_BYTES >> 17, BITE_BYTES >> 17),
        # Of a large tree a share is kept, which is less to send than the tree.
        (1 << 19, 400 << 20, int((400 << 20) * LOG_KEPT_SHARE) >> 19, BITE_BYTES >> 19),
        (2 * BITE_BYTES, 0, LOG_KEPT_BYTES // (2 * BITE_BYTES), 1),
    ],
)
def test_the_log_is_given_up_in_bites_above_what_is_kept(
    trees: Trees, size: int, tree_bytes: int, kept: int, bite: int
) -> None:
    tree = trees._storage.tree
    flush = tree.freeze(attrs.evolve(point_of(history(1)[0]), index=10**9), b"")
    flush.write()
    tree.finish(flush)  # nothing below is needed for a restart
    bites = []
    for index in range(1, kept + 5 * bite + 1):
        before = trees.trim_to()
        trees.applied(index, size, tree_bytes)
        left = index - trees.trim_to()
        assert left < kept + bite
        if trees.trim_to() > before:
            bites.append(trees.trim_to() - before)
            assert left == kept
    assert len(bites) >= 4
    assert set(bites) == {bite}
