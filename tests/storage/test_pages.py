"""What the look at the pages of a file finds; random damage is in `flips`."""

import random

import pytest

from coord.consensus.log import HardState, point_of
from coord.storage import log_records as records
from coord.storage.errors import DamagedLog
from coord.storage.log import DurableLog
from coord.storage.pages import check_pages
from tests.storage.samples import history, opened_log, persist

PAGE = 4096
NUMBER_AT = 16 + 24 + 2 * 48 + 8
"""Where the first two pages have the number of their transaction."""
ENTRIES = {b"state": True, b"entries": False}


@pytest.fixture
def file(tmp_path):
    """A log of ten entries, of which the last was written last."""
    log = opened_log(tmp_path)
    for entry in history(10):
        log.write([persist(entry, hard=HardState(1, 1, entry.index - 1, 0, point_of(entry)))])
    log.close()
    return tmp_path / "log" / "data.mdb"


def numbers(data):
    return [int.from_bytes(data[place + NUMBER_AT :][:8], "little") for place in (0, PAGE)]


def test_a_log_is_whole_after_any_number_of_writes(tmp_path):
    rng = random.Random(1)
    log = opened_log(tmp_path)
    entries = history(600, size=300)
    for place in range(0, 600, 3):
        trim_to = rng.choice((None, max(0, place - 100)))
        log.write([persist(*entries[place : place + 3])], trim_to)
        if place % 20 == 0:
            check_pages(tmp_path / "log" / "data.mdb", DamagedLog, ENTRIES)
    log.close()


def test_an_older_state_is_not_taken_for_the_newest(file):
    data = bytearray(file.read_bytes())
    newest = max(numbers(data))
    at = numbers(data).index(newest) * PAGE + NUMBER_AT
    data[at : at + 8] = (newest - 2).to_bytes(8, "little")  # at most two flipped bits
    file.write_bytes(data)
    log = DurableLog.open(file.parent)
    assert log.last_index == 10
    log.close()


def test_the_older_state_is_not_taken_for_a_newer_one(file):
    data = bytearray(file.read_bytes())
    older = min(numbers(data))
    at = numbers(data).index(older) * PAGE + NUMBER_AT
    data[at : at + 8] = (older + 2).to_bytes(8, "little")
    file.write_bytes(data)
    with pytest.raises(DamagedLog, match="is another one"):
        DurableLog.open(file.parent)


def test_an_older_version_of_a_page_is_not_taken_for_the_present_one(file):
    """Each write made a new leaf of entries; the old ones are free pages, whole in themselves."""
    data = bytearray(file.read_bytes())
    found = 0
    for name_at in range(len(data)):
        if data[name_at : name_at + 7] == b"entries":
            root_at = name_at + 7 + 40
            present = int.from_bytes(data[root_at : root_at + 8], "little")
            for older in range(2, len(data) // PAGE):
                kind = data[older * PAGE + 10]
                if older != present and kind == 2:
                    spoilt = bytearray(data)
                    spoilt[root_at : root_at + 8] = older.to_bytes(8, "little")
                    file.write_bytes(spoilt)
                    found += was_found(file)
    assert found > 5


def was_found(file):
    """Whether the file is refused; else it is what it was, for the page was not in use."""
    try:
        check_pages(file, DamagedLog, ENTRIES, records.NUMBERED)
    except DamagedLog:
        return True
    log = DurableLog.open(file.parent)
    assert log.read(1, log.last_index, 1 << 20) == history(10)
    log.close()
    return False


@pytest.mark.parametrize("name", [b"birth", b"hard", b"start"])
def test_a_renamed_record_is_not_taken_for_a_missing_one(file, name):
    data = file.read_bytes()
    file.write_bytes(data.replace(name, name[:-1] + b"\xff"))
    with pytest.raises(DamagedLog, match=r"is not what was written|out of order"):
        DurableLog.open(file.parent)


def test_entries_that_are_not_in_a_row_are_a_damaged_log(file):
    data = file.read_bytes()
    size = b"\x08\x00"  # of the key, before the key
    renamed = data.replace(size + (10).to_bytes(8, "big"), size + (42).to_bytes(8, "big"))
    file.write_bytes(renamed)
    with pytest.raises(DamagedLog, match=r"are 10$"):
        DurableLog.open(file.parent)
