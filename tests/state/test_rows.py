"""The keys and the checksums of rows."""

import pytest

from coord.state import rows
from coord.state.record import CHECKSUM
from coord.state.store import Table

SESSIONS = [1, 2, 255, 256, 2**32, 2**63 - 1]


def test_keys_of_sessions_sort_as_their_numbers():
    keys = [rows.session_key(each) for each in SESSIONS]
    assert keys == sorted(keys)
    assert [rows.session_id_of(key) for key in keys] == SESSIONS


def test_ephemeral_nodes_are_listed_behind_their_session():
    key = rows.ephemeral_key(7, b"/a")
    assert key.startswith(rows.session_key(7))
    assert rows.session_id_of(key) == 7
    assert key != rows.ephemeral_key(7, b"/b")


def test_what_is_due_first_sorts_first():
    keys = [rows.reapable_key(due, b"/a") for due in (0, 1, 300, 2**40)]
    assert keys == sorted(keys)
    assert [rows.due_of(key) for key in keys] == [0, 1, 300, 2**40]


@pytest.mark.parametrize("length", [1, 180, 181, 5000])
def test_a_long_path_is_hashed_and_cannot_meet_a_short_one(length):
    key = rows.path_key(b"/" * length)
    assert len(key) <= 200
    assert key.startswith(b"/") == (length <= 180)


def test_a_checksum_covers_table_key_and_value():
    terms = {
        rows.term_of(table, key, value)
        for table in (Table.META, Table.SESSIONS)
        for key in (b"k", b"l")
        for value in (b"", b"v")
    }
    assert len(terms) == 8


def test_damage_is_noticed():
    stored = CHECKSUM.pack(rows.term_of(Table.META, b"k", b"value")) + b"value"
    assert rows.is_intact(Table.META, b"k", stored)
    assert not rows.is_intact(Table.META, b"l", stored)
    assert not rows.is_intact(Table.SESSIONS, b"k", stored)
    for at in range(len(stored)):
        damaged = bytearray(stored)
        damaged[at] ^= 1
        assert not rows.is_intact(Table.META, b"k", bytes(damaged))
    for cut in range(len(stored)):
        assert not rows.is_intact(Table.META, b"k", stored[:cut])
