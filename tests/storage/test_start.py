"""All of a replica's storage, opened together."""

import os

import pytest

from coord.consensus.log import ORIGIN, HardState, Point, point_of
from coord.state.store import Table
from coord.storage.environment import Environment
from coord.storage.errors import DamagedLog, DamagedTree, DataFolderError
from coord.storage.snapshots import Export
from coord.storage.start import Storage
from tests.storage.samples import (
    everything,
    fill,
    flip_bit,
    flush_all,
    history,
    persist,
    plant,
    snapshot_named,
)


@pytest.fixture
def storage(tmp_path):
    storage = Storage.open(tmp_path / "data", 1)
    yield storage
    storage.close()


def reopened(storage):
    storage.close()
    return Storage.open(storage.folder.path, 1)


def flush_at(storage, entry):
    flush = storage.tree.freeze(point_of(entry), b"")
    flush.write()
    storage.tree.finish(flush)


def test_the_first_start_makes_an_empty_tree_and_names_it(storage):
    assert storage.log.tree == "tree.1"
    assert (storage.tree.point, storage.log.base) == (ORIGIN, ORIGIN)
    first = storage.log.start
    storage = reopened(storage)
    assert (storage.log.tree, storage.log.start) == ("tree.1", first + 1)
    storage.close()


def test_a_refused_start_leaves_the_folder_free(tmp_path):
    Storage.open(tmp_path / "data", 1).close()
    with pytest.raises(DataFolderError):
        Storage.open(tmp_path / "data", 2)
    Storage.open(tmp_path / "data", 1).close()


def test_trees_without_a_name_in_the_log_are_removed_at_the_start(storage):
    name, unfinished = storage.begin_import()
    unfinished.abort()
    (storage.folder.path / "tree.77").mkdir()
    assert storage.folder.trees() == ["tree.1", name, "tree.77"]
    storage = reopened(storage)
    assert storage.folder.trees() == ["tree.1"]
    storage.close()


def test_a_restart_is_the_tree_as_flushed_and_the_log_behind_it(storage):
    entries = history(6)
    plant(storage.tree)
    storage.log.write([persist(*entries, hard=HardState(1, 1, 5))])
    flush_at(storage, entries[2])
    storage.tree.put(b"/lost", b"applied, not flushed")
    storage = reopened(storage)
    assert storage.tree.point == point_of(entries[2])
    assert storage.tree.get(b"/lost") is None
    assert storage.log.read(4, 6, 10**6) == entries[3:]
    assert storage.hard_state() == HardState(1, 1, 5)
    storage.close()


def test_what_is_in_the_tree_counts_as_committed(storage):
    entries = history(6)
    storage.log.write([persist(*entries, hard=HardState(1, 1, 2))])
    flush_at(storage, entries[3])
    assert storage.hard_state() == HardState(1, 1, 4)


@pytest.mark.parametrize(("index", "fault"), [(1, DamagedTree), (7, DamagedLog)])
def test_a_tree_that_does_not_meet_the_log_is_refused(storage, index, fault):
    entries = history(7)
    storage.log.write([persist(*entries[:6])])
    flush_at(storage, entries[index - 1])
    storage.log.write([], trim_to=3)
    storage.close()
    with pytest.raises(fault, match=f"stands at entry {index}, but the log begins after 3"):
        Storage.open(storage.folder.path, 1)


@pytest.mark.parametrize("index", [2, 3, 5])
def test_a_tree_may_stand_anywhere_in_the_log(storage, index):
    entries = history(5)
    storage.log.write([persist(*entries)])
    flush_at(storage, entries[index - 1])
    storage.log.write([], trim_to=2)
    reopened(storage).close()


@pytest.mark.parametrize("trim_to", [0, 4])
def test_a_tree_of_another_history_is_refused(storage, trim_to):
    entries = history(6)
    storage.log.write([persist(*entries)])
    other = history(4, epoch=2)
    flush_at(storage, other[3])
    storage.log.write([], trim_to=trim_to)
    storage.close()
    with pytest.raises(DamagedLog, match="differ at entry 4"):
        Storage.open(storage.folder.path, 1)


def test_a_damaged_entry_at_the_place_of_the_tree_does_not_stop_the_start(storage):
    entries = history(3)
    storage.log.write([persist(*entries)])
    flush_at(storage, entries[1])
    storage.close()
    flip_bit(storage.folder.log_path, b"entries", (2).to_bytes(8, "big"), 10)
    Storage.open(storage.folder.path, 1).close()


def test_a_named_tree_that_is_gone_is_damage_not_an_empty_tree(storage):
    storage.folder.remove_tree("tree.1")
    storage.close()
    with pytest.raises(DamagedTree, match=r"names tree\.1, which is not there"):
        Storage.open(storage.folder.path, 1)


@pytest.fixture
def leader(tmp_path):
    """Another replica whose tree stands at entry 50."""
    leader = Storage.open(tmp_path / "leader", 2)
    fill(leader.tree, 50)
    flush_all(leader.tree, 50, b"members")
    yield leader
    leader.close()


def receive(storage, leader):
    name, target = storage.begin_import()
    for chunk in Export.begin(leader.tree):
        target.feed(chunk)
    return name, target.finish().point


def test_a_snapshot_is_installed_by_one_write_to_the_log(storage, leader):
    storage.log.write([persist(*history(3))])
    old = Export.begin(storage.tree)
    name, point = receive(storage, leader)
    hard = HardState(9, 9, 0)
    after = history(2, after=point, epoch=9)
    storage.log.write([persist(*after, hard=hard, snapshot=snapshot_named(name, point))])
    storage.install()
    old.close()
    assert everything(storage.tree) == everything(leader.tree)
    assert storage.folder.trees() == [name]
    storage = reopened(storage)
    assert everything(storage.tree) == everything(leader.tree)
    assert (storage.tree.point, storage.log.base, storage.log.last_index) == (point, point, 52)
    storage.close()


def test_an_install_right_behind_the_commit_serves_the_new_tree(storage, leader):
    name, point = receive(storage, leader)
    storage.log.stage([persist(snapshot=snapshot_named(name, point))])
    storage.log.commit()
    storage.install()
    assert storage.folder.trees() == [name]
    assert storage.tree.point == storage.log.base == point


def test_a_crash_before_that_write_keeps_the_old_tree_and_one_after_it_the_new(storage, leader):
    storage.log.write([persist(*history(3))])
    name, point = receive(storage, leader)
    storage = reopened(storage)
    assert storage.folder.trees() == ["tree.1"]
    assert storage.log.last_index == 3
    name, point = receive(storage, leader)
    storage.log.write([persist(snapshot=snapshot_named(name, point))])
    storage = reopened(storage)  # before install
    assert storage.folder.trees() == [name]
    assert everything(storage.tree) == everything(leader.tree)
    storage.close()


def test_a_received_tree_is_durable_by_name_before_it_can_be_named(storage, leader, monkeypatch):
    """A power cut forgets names that were not synced: the folder's own, and those in it."""
    steps = []
    fsync, sync = os.fsync, Environment.sync
    data = storage.folder.path

    def recorded(descriptor):
        steps.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    monkeypatch.setattr(Environment, "sync", lambda self: (steps.append("records"), sync(self)))
    name, _ = receive(storage, leader)
    assert steps == ["records", str(data / name), str(data)]


def test_a_tree_that_is_not_needed_is_discarded(storage, leader):
    name, _ = receive(storage, leader)
    storage.discard(name)
    assert storage.folder.trees() == ["tree.1"]
    with pytest.raises(AssertionError, match="the log names it"):
        storage.discard("tree.1")


def test_the_point_of_a_snapshot_is_that_of_its_flush(storage, leader):
    assert receive(storage, leader)[1] == Point(50, 1, 350)


def without_its_tree(storage):
    storage.close()
    return Storage.open(storage.folder.path, 1, may_lack_tree=True)


def test_a_replica_with_a_damaged_tree_starts_with_its_log_and_an_empty_tree(storage):
    entries = history(6)
    storage.log.write([persist(*entries, hard=HardState(3, 2, 5))])
    flush_at(storage, entries[3])
    storage.folder.remove_tree("tree.1")
    storage = without_its_tree(storage)
    assert storage.lacks_tree
    assert "tree.1, which is not there" in storage.log.distrust
    assert (storage.tree.point, storage.applied_index()) == (ORIGIN, 0)
    assert storage.hard_state() == HardState(3, 2, 5)
    assert storage.log.read(1, 6, 10**6) == entries
    storage.close()


def test_a_tree_that_was_found_wrong_is_not_used_by_a_later_start(storage):
    fill(storage.tree, 5)
    storage.log.write([persist(*history(3))])
    storage.distrust_tree("it is wrong")
    storage = without_its_tree(storage)
    assert storage.lacks_tree
    assert everything(storage.tree) == ({}, {table: [] for table in Table})
    storage.close()
    with pytest.raises(DamagedTree, match="it is wrong"):
        Storage.open(storage.folder.path, 1)


def test_a_received_tree_takes_the_place_of_one_that_is_not_trusted(storage, leader):
    entries = history(60)
    storage.log.write([persist(*entries)])
    flush = leader.tree.freeze(point_of(entries[49]), b"members")
    flush.write()
    leader.tree.finish(flush)
    storage.distrust_tree("it is wrong")
    storage = without_its_tree(storage)
    name, point = receive(storage, leader)
    storage.log.name_tree(name)
    storage.install()
    assert not storage.lacks_tree
    assert storage.folder.trees() == [name]
    assert everything(storage.tree) == everything(leader.tree)
    assert (storage.log.base, storage.log.last_index) == (ORIGIN, 60)
    storage = reopened(storage)
    assert (storage.tree.point, storage.log.distrust) == (point, "")
    storage.close()


def test_a_snapshot_that_replaces_the_log_is_trusted_as_well(storage, leader):
    storage.distrust_tree("it is wrong")
    name, point = receive(storage, leader)
    storage.log.write([persist(snapshot=snapshot_named(name, point))])
    storage = reopened(storage)
    assert storage.tree.point == point
    storage.close()


def test_a_trimmed_log_without_its_tree_knows_the_configuration(storage):
    entries = history(6)
    storage.log.write([persist(*entries, hard=HardState(1, 1, 6))])
    flush = storage.tree.freeze(point_of(entries[4]), b"members")
    flush.write()
    storage.tree.finish(flush)
    storage.log.write([], trim_to=3, configuration=storage.tree.configuration)
    storage.folder.remove_tree("tree.1")
    storage = without_its_tree(storage)
    assert (storage.applied_index(), storage.configuration()) == (3, b"members")
    assert storage.hard_state().commit_index == 6
    storage.close()


def test_a_log_that_knows_no_configuration_is_not_whole_without_its_tree(storage):
    entries = history(6)
    storage.log.write([persist(*entries)])
    flush_at(storage, entries[4])
    storage.log.write([], trim_to=3)
    storage.folder.remove_tree("tree.1")
    storage.close()
    with pytest.raises(DamagedTree, match="not there"):
        Storage.open(storage.folder.path, 1, may_lack_tree=True)


def test_a_log_that_ends_before_its_tree_has_lost_something_and_does_not_start(storage):
    entries = history(6)
    storage.log.write([persist(*entries[:3])])
    flush_at(storage, entries[5])
    storage.close()
    with pytest.raises(DamagedLog):
        Storage.open(storage.folder.path, 1, may_lack_tree=True)
