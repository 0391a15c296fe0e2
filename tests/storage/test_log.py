"""The durable log."""

import threading
import time

import pytest

from coord.consensus.log import ORIGIN, HardState, Point, point_of
from coord.storage.errors import DamagedEntry, DamagedLog
from coord.storage.log import TRIM_MAX
from coord.storage.log_records import EPOCH_S
from tests.storage.samples import flip_bit, history, opened_log, persist, snapshot_named


@pytest.fixture
def log(tmp_path):
    log = opened_log(tmp_path)
    yield log
    log.close()


def reopened(log, tmp_path):
    log.close()
    return opened_log(tmp_path)


def test_a_new_log_is_empty(log):
    assert (log.base, log.last_index, log.hard, log.tree) == (ORIGIN, 0, HardState(), None)


def test_the_birth_number_stays_and_the_start_counter_rises(log, tmp_path):
    birth = log.birth
    assert birth > 0
    first = log.start
    for start in (first + 1, first + 2):
        log = reopened(log, tmp_path)
        assert (log.birth, log.start) == (birth, start)
    log.close()


def test_two_folders_have_different_births(log, tmp_path):
    other = opened_log(tmp_path / "other")
    assert other.birth != log.birth
    other.close()


def test_what_was_written_is_read_back_by_the_next_process(log, tmp_path):
    entries = history(5)
    hard = HardState(promised=9, current_epoch=8, commit_index=3, configuration_index=1)
    log.write([persist(*entries[:2]), persist(*entries[2:], hard=hard)])
    log = reopened(log, tmp_path)
    assert log.read(1, 5, 10**6) == entries
    assert log.hard == hard
    assert log.last_index == 5
    log.close()


def test_what_was_staged_and_not_committed_is_lost(log, tmp_path):
    log.write([persist(*history(2))])
    log.stage([persist(*history(1, after=point_of(history(2)[-1])), hard=HardState(5, 5, 3))])
    assert log.last_index == 2
    log = reopened(log, tmp_path)
    assert (log.last_index, log.hard) == (2, HardState())
    log.close()


def test_the_log_is_read_while_another_thread_commits(log):
    entries = history(300)
    log.write([persist(*entries[:100])])
    begin, over = threading.Barrier(2), threading.Event()

    def commits():
        for _ in range(200):
            begin.wait()
            log.commit()
            begin.wait()
        over.set()

    writer = threading.Thread(target=commits, daemon=True)
    writer.start()
    for number in range(200):
        log.stage([persist(entries[100 + number])], trim_to=number // 4)
        begin.wait()
        first = log.base.index + 1
        assert log.read(first, log.last_index, 10**6) == entries[first - 1 : log.last_index]
        begin.wait()
        log.finish()
        assert log.last_index == 101 + number
    writer.join()
    assert over.is_set()
    assert log.base.index == 49


def test_reading_stops_at_the_size_but_gives_one_entry_at_least(log):
    entries = history(4, size=1000)
    log.write([persist(*entries)])
    assert log.read(1, 4, 0) == entries[:1]
    assert log.read(1, 4, 2500) == entries[:2]
    assert log.read(2, 3, 10**6) == entries[1:3]


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 4), (3, 2), (4, 4)])
def test_reading_what_is_not_there_is_refused(log, first, last):
    log.write([persist(*history(3))])
    with pytest.raises(IndexError, match="are not all in the log"):
        log.read(first, last, 100)


def test_truncation_and_new_entries_are_one_write(log, tmp_path):
    old = history(5)
    new = history(3, after=point_of(old[1]), epoch=2)
    log.write([persist(*old)])
    log.write([persist(*new, truncate_after=2, hard=HardState(2, 2, 2))])
    log = reopened(log, tmp_path)
    assert log.read(1, 5, 10**6) == [*old[:2], *new]
    log.write([persist(truncate_after=0)])
    assert (log.base, log.last_index) == (ORIGIN, 0)
    log.close()


def test_an_entry_that_leaves_a_gap_is_a_programming_error(log):
    entries = history(3)
    with pytest.raises(AssertionError, match="would leave a gap"):
        log.write([persist(entries[0], entries[2])])


def test_trimming_keeps_the_place_below_the_first_entry(log, tmp_path):
    entries = history(10)
    log.write([persist(*entries)])
    log.write([], trim_to=4)
    assert log.base == point_of(entries[3])
    log = reopened(log, tmp_path)
    assert log.base == point_of(entries[3])
    assert log.read(5, 10, 10**6) == entries[4:]
    with pytest.raises(IndexError):
        log.read(4, 10, 10**6)
    log.write([], trim_to=2)  # nothing to do
    log.write([], trim_to=99)
    assert (log.base, log.last_index) == (point_of(entries[9]), 10)
    log.write([persist(*history(1, after=log.base))])
    assert log.last_index == 11
    log.close()


def test_trimming_takes_a_bounded_bite_of_each_write(log):
    log.write([persist(*history(2 * TRIM_MAX + 10))])
    left = []
    for _ in range(3):
        log.write([], trim_to=2 * TRIM_MAX + 5)
        left.append(log.base.index)
    assert left == [TRIM_MAX, 2 * TRIM_MAX, 2 * TRIM_MAX + 5]


def test_a_snapshot_replaces_the_log_and_names_its_tree_in_one_write(log, tmp_path):
    log.write([persist(*history(5), hard=HardState(1, 1, 5))])
    point = Point(100, 7, 12345)
    after = history(2, after=point, epoch=8)
    log.write([persist(*after, snapshot=snapshot_named("tree.2", point), hard=HardState(8, 8, 5))])
    log = reopened(log, tmp_path)
    assert (log.base, log.last_index, log.tree) == (point, 102, "tree.2")
    assert log.read(101, 102, 10**6) == after
    assert log.hard == HardState(8, 8, 5)
    log.close()


def test_a_snapshot_that_ends_before_the_old_log_leaves_nothing_of_it(log, tmp_path):
    log.write([persist(*history(5))])
    point = Point(3, 7, 12345)
    log.write([persist(snapshot=snapshot_named("tree.2", point))])
    log = reopened(log, tmp_path)
    assert (log.base, log.last_index) == (point, 3)
    log.close()


@pytest.mark.parametrize("at", [0, 4, 12, 13, -1])
def test_a_damaged_entry_is_found_and_named(log, tmp_path, at):
    log.write([persist(*history(3))])
    log.close()
    flip_bit(tmp_path / "log", b"entries", (2).to_bytes(8, "big"), at)
    log = opened_log(tmp_path)
    assert log.last_index == 3
    with pytest.raises(DamagedEntry, match="entry 2 of the log is damaged") as caught:
        log.read(1, 3, 10**6)
    assert caught.value.index == 2
    assert len(log.read(3, 3, 10**6)) == 1
    log.close()


@pytest.mark.parametrize("name", [b"hard", b"birth", b"start"])
def test_damage_in_the_logs_own_state_is_found(log, tmp_path, name):
    log.write([persist(hard=HardState(5, 5, 0))])
    log.close()
    flip_bit(tmp_path / "log", b"state", name, 7)
    with pytest.raises(DamagedLog, match=f"'{name.decode()}'"):
        opened_log(tmp_path)


def test_a_file_that_is_no_lmdb_file_is_a_damaged_log(log, tmp_path):
    log.close()
    (tmp_path / "log" / "data.mdb").write_bytes(b"\xff" * 8192)
    with pytest.raises(DamagedLog, match="is damaged"):
        opened_log(tmp_path)


def test_a_new_folder_begins_with_a_later_start_than_a_lost_one(log):
    """Else the writes of whoever replaces a lost disk would be taken for old ones."""
    assert abs(log.start - (time.time() - EPOCH_S)) < 3600
