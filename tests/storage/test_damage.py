"""Entries that are damaged on the disk: shown up to there, and kept until others take the place."""

import pytest

from coord.consensus.log import HardState, point_of
from coord.storage.errors import DamagedEntry
from coord.storage.folder import DataFolder
from coord.storage.start import Storage
from tests.storage.samples import flip_bit, history, persist, plant

ENTRIES = history(10)


@pytest.fixture
def path(tmp_path):
    """A folder whose tree stands at entry 4 of ten, eight of them committed."""
    storage = Storage.open(tmp_path / "data", 1)
    plant(storage.tree)
    hard = HardState(1, 1, 8, 0, point_of(ENTRIES[9]))
    storage.log.write([persist(*ENTRIES, hard=hard)])
    flush = storage.tree.freeze(point_of(ENTRIES[3]), b"members")
    flush.write()
    storage.tree.finish(flush)
    storage.close()
    return tmp_path / "data"


def spoil(path, index):
    folder = DataFolder.open(path, 1)
    flip_bit(folder.log_path, b"entries", index.to_bytes(8, "big"), 20)
    folder.close()


def opened(path, *, suspects_log=False):
    return Storage.open(path, 1, may_lack_tree=True, suspects_log=suspects_log)


def test_the_log_is_shown_up_to_the_damage_and_says_where_it_ended(path):
    spoil(path, 7)
    for _ in range(2):
        storage = opened(path)
        assert storage.log.last_index == 6
        assert storage.log.hard.reach == point_of(ENTRIES[9])
        assert len(storage.warnings) == 1
        assert "entry 7 of the log is damaged" in storage.warnings[0]
        storage.close()


def test_what_is_behind_the_damage_stays_until_entries_take_its_place(path):
    spoil(path, 7)
    storage = opened(path)
    storage.log.write([persist(hard=HardState(2, 1, 8, 0, point_of(ENTRIES[9])))])
    storage.close()
    spoil(path, 7)  # flipped back
    storage = opened(path)
    assert storage.log.read(5, 10, 1 << 20) == ENTRIES[4:]
    storage.close()


def test_entries_that_come_again_take_the_place_of_all_behind_them(path):
    spoil(path, 7)
    storage = opened(path)
    storage.log.write([persist(*ENTRIES[6:9])])
    storage.close()
    storage = opened(path)
    assert storage.log.last_index == 9
    assert storage.log.read(1, 9, 1 << 20) == ENTRIES[:9]
    assert storage.log.hard.reach.index == 10, "the last one is still missing"
    assert not storage.warnings
    storage.close()


def test_a_single_replica_has_nobody_to_mend_it(path):
    spoil(path, 7)
    with pytest.raises(DamagedEntry, match="entry 7"):
        Storage.open(path, 1)


def test_damage_that_the_tree_covers_is_dropped_with_all_before_it(path):
    spoil(path, 2)
    storage = opened(path)
    assert storage.log.base.index == 0, "what is below the tree is not read at a start"
    storage.close()
    storage = opened(path, suspects_log=True)
    assert storage.log.base == point_of(ENTRIES[3])
    assert storage.log.configuration == b"members"
    assert storage.log.read(5, 10, 1 << 20) == ENTRIES[4:]
    assert "begins anew after entry 4" in storage.warnings[0]
    storage.close()


def test_the_entry_at_which_the_tree_stands_is_always_read(path):
    spoil(path, 4)
    storage = opened(path)
    assert storage.log.base == point_of(ENTRIES[3])
    storage.close()


def test_another_end_of_the_same_length_is_not_taken_for_the_one_that_was_stored(path):
    other = history(10, epoch=2)
    storage = opened(path)
    storage.log.write([persist(hard=HardState(2, 2, 4, 0, point_of(other[9])))])
    storage.close()
    storage = opened(path)
    assert storage.log.last_index == 4
    storage.close()
