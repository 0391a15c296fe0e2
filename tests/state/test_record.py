"""A znode's bytes: the layout, and what each change does to it."""

import struct
import sys
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coord import jute
from coord.state import record as znode
from coord.state.permissions import OPEN_ACL, READ_ACL
from coord.state.record import Kind, new_head, next_version, sealed
from coord.wire.records import Stat

INT_MAX, INT_MIN = 2**31 - 1, -(2**31)
LONGS = st.integers(-(2**63), 2**63 - 1)
INTS = st.integers(INT_MIN, INT_MAX)


def buffer(data: bytes | None) -> bytes:
    return b"\xff" * 4 if data is None else len(data).to_bytes(4) + data


def record(
    path=b"/a", data=b"hello", acl=OPEN_ACL, kind=Kind.PERSISTENT, ttl_ms=0, **stat
) -> bytes:
    values = {"czxid": 1, "mzxid": 2, "ctime": 3, "mtime": 4, "version": 5, "cversion": 6}
    values |= {"aversion": 7, "ephemeral_owner": 8, "data_length": len(data or b"")}
    values |= {"num_children": 9, "pzxid": 10}
    packed = jute.encode(Stat(**(values | stat)))
    return sealed(b"/a", new_head(kind, ttl_ms, acl) + buffer(data) + packed)


def test_the_layout_is_what_the_module_says():
    whole = record(kind=Kind.TTL, ttl_ms=77)
    rest = struct.pack(">BqqI", 3, 77, 0, len(OPEN_ACL)) + OPEN_ACL + buffer(b"hello")
    rest += struct.pack(">qqqqiiiqiiq", 1, 2, 3, 4, 5, 6, 7, 8, 5, 9, 10)
    assert whole == crc32(b"/a" + rest).to_bytes(4) + rest


def test_its_parts_are_slices():
    whole = record(kind=Kind.CONTAINER, acl=READ_ACL)
    assert znode.acl_of(whole) == READ_ACL
    assert znode.body_of(whole) == buffer(b"hello") + whole[-68:]
    assert znode.stat_bytes_of(whole) == whole[-68:]
    assert znode.stat_of(whole) == Stat(1, 2, 3, 4, 5, 6, 7, 8, 5, 9, 10)
    assert (znode.mzxid_of(whole), znode.pzxid_of(whole)) == (2, 10)
    assert znode.data_length_of(whole) == 5
    assert znode.children_of(whole) == 9
    assert znode.owner_of(whole) == 8
    assert znode.creates_of(whole) == 0
    assert znode.ttl_of(record(kind=Kind.TTL, ttl_ms=5)) == 5
    assert whole[znode.KIND_AT] == Kind.CONTAINER
    assert znode.checksum_of(whole) == int.from_bytes(whole[:4])


@pytest.mark.parametrize("data", [None, b"", b"x", b"x" * 1000])
def test_new_data_moves_mzxid_mtime_version_and_length_only(data):
    new, stat = znode.with_data(record(), b"/a", buffer(data), 50, 60)
    assert new == record(data=data, mzxid=50, mtime=60, version=6)
    assert stat == new[-68:]


def test_the_birth_of_a_child_moves_pzxid_cversion_and_the_counts_only():
    old = record()
    new, moved = znode.with_children_created(old, b"/a", 50, 1)
    assert moved == znode.checksum_of(new) - znode.checksum_of(old)
    assert znode.creates_of(new) == 1
    assert znode.stat_of(new) == Stat(1, 2, 3, 4, 5, 7, 7, 8, 5, 10, 50)
    assert znode.body_of(new)[:-68] == buffer(b"hello")
    assert znode.is_intact(b"/a", new)


@pytest.mark.parametrize("cversion", [7, INT_MAX - 1, INT_MAX])
def test_many_births_are_as_one_after_the_other(cversion):
    one_by_one = old = record(cversion=cversion)
    total = 0
    for zxid in (50, 51, 52):
        one_by_one, moved = znode.with_children_created(one_by_one, b"/a", zxid, 1)
        total += moved
    assert znode.with_children_created(old, b"/a", 52, 3) == (one_by_one, total)


def test_the_death_of_a_child_moves_pzxid_cversion_and_the_number_of_children_only():
    old, expected = record(), record(cversion=7, num_children=8, pzxid=50)
    moved = znode.checksum_of(expected) - znode.checksum_of(old)
    assert znode.with_child_deleted(old, b"/a", 50) == (expected, moved)


def test_a_new_acl_moves_aversion_only():
    assert znode.with_acl(record(), b"/a", READ_ACL) == record(acl=READ_ACL, aversion=8)


def test_counting_goes_on_beyond_32_bits():
    parent = record(cversion=INT_MAX)
    assert znode.stat_of(znode.with_children_created(parent, b"/a", 50, 1)[0]).cversion == INT_MIN
    assert znode.stat_of(znode.with_child_deleted(parent, b"/a", 50)[0]).cversion == INT_MIN
    old = record()
    at = znode.CREATES_AT
    many = sealed(b"/a", old[4:at] + (2**31 - 1).to_bytes(8) + old[at + 8 :])
    assert znode.creates_of(znode.with_children_created(many, b"/a", 1, 1)[0]) == 2**31


@pytest.mark.parametrize(
    ("version", "following"),
    [(0, 1), (-1, 0), (-2, 0), (-3, -2), (INT_MAX, INT_MIN), (INT_MIN, INT_MIN + 1)],
)
def test_versions_go_round_and_never_become_any(version, following):
    assert next_version(version) == following
    new, _ = znode.with_data(record(version=version), b"/a", buffer(b""), 1, 1)
    assert znode.stat_of(new).version == following


@settings(deadline=None)
@given(st.binary(max_size=30), INTS, LONGS, st.sampled_from([OPEN_ACL, READ_ACL]))
def test_every_change_leaves_an_intact_record(data, version, zxid, acl):
    old = record(version=version)
    for new in (
        znode.with_data(old, b"/a", buffer(data), zxid, zxid)[0],
        znode.with_children_created(old, b"/a", zxid, 1)[0],
        znode.with_child_deleted(old, b"/a", zxid)[0],
        znode.with_acl(old, b"/a", acl),
    ):
        assert znode.is_intact(b"/a", new)
        assert not znode.is_intact(b"/b", new)


def test_damage_is_noticed_wherever_it_is():
    whole = record()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        assert not znode.is_intact(b"/a", bytes(damaged))
    for cut in range(len(whole)):
        assert not znode.is_intact(b"/a", whole[:cut])


@pytest.mark.parametrize("has_isal", [True, False])
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_checksums_are_those_of_zlib_with_isal_and_without(
    has_isal: bool, first: bytes, second: bytes
) -> None:
    """Else what was written with it would be damaged without it."""
    if has_isal:
        pytest.importorskip("isal")
    with pytest.MonkeyPatch.context() as patch:
        if not has_isal:
            patch.setitem(sys.modules, "isal", None)  # as if it were not installed
        checksum = znode._fastest_crc32()
    assert (checksum is crc32) != has_isal
    assert checksum(memoryview(second), checksum(first)) == crc32(first + second)
