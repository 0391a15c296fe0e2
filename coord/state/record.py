"""A znode as one immutable run of bytes: what a read answers lies in it as it goes out.

    checksum u32 | kind u8 | ttl_ms i64 | creates i64 | acl_length u32
    | acl (vector<ACL>) | data (buffer: length i32, -1 for null; bytes) | Stat (68 bytes)

The body of getData's reply is everything behind the ACL, that of exists the last 68 bytes. All
numbers are big-endian, as on the wire.

The checksum is a CRC-32 over the path and all that follows the checksum: it finds damage on disk
and it is the znode's term in the digest of the state.
"""

from enum import IntEnum
from struct import Struct
from typing import Final
from zlib import crc32

from coord.wire.records import Stat


class Kind(IntEnum):
    """What ends a znode besides a delete."""

    PERSISTENT = 0  # nothing
    EPHEMERAL = 1  # the end of its owner's session
    CONTAINER = 2  # the end of its last child
    TTL = 3  # ttl_ms without children and without a change of its data


CHECKSUM: Final = Struct(">I")
HEAD: Final = Struct(">BqqI")
"""kind, ttl_ms, creates, acl_length: follows the checksum."""
HEAD_AT: Final = 4
KIND_AT: Final = HEAD_AT
"""One byte, so `record[KIND_AT]` is a `Kind`."""
CREATES_AT: Final = 13
"""How many children were ever created below this znode: the next sequence number."""
ACL_LENGTH: Final = Struct(">I")
ACL_LENGTH_AT: Final = 21
ACL_AT: Final = 25
STAT: Final = Struct(">qqqqiiiqiiq")
"""In the order of `coord.wire.records.Stat`: czxid first, pzxid last."""
STAT_SIZE: Final = 68
FAMILY: Final = Struct(">iiqiiq")
"""The end of Stat, from cversion on: all that the birth or death of a child changes, and more."""
FAMILY_SIZE: Final = 32
_LONG: Final = Struct(">q")

_INT_MAX: Final = 2**31 - 1
_INT_MIN: Final = -(2**31)

_checksum = CHECKSUM.unpack_from
_pack_checksum = CHECKSUM.pack
_acl_length = ACL_LENGTH.unpack_from
_stat = STAT.unpack_from
_pack_stat = STAT.pack
_family = FAMILY.unpack_from
_pack_family = FAMILY.pack
_long = _LONG.unpack_from
_pack_long = _LONG.pack


def sealed(path: bytes, content: bytes) -> bytes:
    """Return the record of a znode from all that follows its checksum."""
    return _pack_checksum(crc32(content, crc32(path))) + content


def is_intact(path: bytes, record: bytes) -> bool:
    """Tell whether a record that was read belongs to this path and is undamaged."""
    if len(record) < ACL_AT + 4 + STAT_SIZE:
        return False
    return crc32(memoryview(record)[HEAD_AT:], crc32(path)) == checksum_of(record)


def new_head(kind: int, ttl_ms: int, acl: bytes) -> bytes:
    """Return what begins the content of a new znode (`Kind`), its ACL included."""
    return HEAD.pack(kind, ttl_ms, 0, len(acl)) + acl


def with_data(
    record: bytes, path: bytes, data: bytes, zxid: int, time_ms: int
) -> tuple[bytes, bytes]:
    """Return the record after a change of the data, a jute buffer; and its Stat."""
    czxid, _, ctime, _, version, cversion, aversion, owner, _, children, pzxid = _stat(
        record, len(record) - STAT_SIZE
    )
    stat = _pack_stat(
        czxid, zxid, ctime, time_ms,
        version + 1 if version not in _VERSIONS_BEFORE_A_JUMP else next_version(version),
        cversion, aversion, owner, len(data) - 4, children, pzxid,
    )  # fmt: skip
    content = record[HEAD_AT : ACL_AT + _acl_length(record, ACL_LENGTH_AT)[0]] + data + stat
    return _pack_checksum(crc32(content, crc32(path))) + content, stat


def with_children_created(record: bytes, path: bytes, zxid: int, count: int) -> tuple[bytes, int]:
    """Return a parent's record after the birth of so many children; and how its checksum moved."""
    family_at = len(record) - FAMILY_SIZE
    cversion, aversion, owner, length, children, _ = _family(record, family_at)
    cversion += count
    content = (
        record[HEAD_AT:CREATES_AT]
        + _pack_long(_long(record, CREATES_AT)[0] + count)
        + record[ACL_LENGTH_AT:family_at]
        + _pack_family(
            cversion if cversion <= _INT_MAX else cversion + 2 * _INT_MIN,
            aversion, owner, length, children + count, zxid,
        )
    )  # fmt: skip
    checksum = crc32(content, crc32(path))
    return _pack_checksum(checksum) + content, checksum - _checksum(record)[0]


def with_child_deleted(record: bytes, path: bytes, zxid: int) -> tuple[bytes, int]:
    """Return a parent's record after the death of a child, and how its checksum moved."""
    family_at = len(record) - FAMILY_SIZE
    cversion, aversion, owner, length, children, _ = _family(record, family_at)
    content = record[HEAD_AT:family_at] + _pack_family(
        cversion + 1 if cversion != _INT_MAX else _INT_MIN,
        aversion, owner, length, children - 1, zxid,
    )  # fmt: skip
    checksum = crc32(content, crc32(path))
    return _pack_checksum(checksum) + content, checksum - _checksum(record)[0]


def with_acl(record: bytes, path: bytes, acl: bytes) -> bytes:
    """Return the record after a change of the ACL, a vector<ACL>."""
    family_at = len(record) - FAMILY_SIZE
    cversion, aversion, *rest = _family(record, family_at)
    content = (
        record[HEAD_AT:ACL_LENGTH_AT]
        + ACL_LENGTH.pack(len(acl))
        + acl
        + record[ACL_AT + _acl_length(record, ACL_LENGTH_AT)[0] : family_at]
        + _pack_family(cversion, next_version(aversion), *rest)
    )
    return sealed(path, content)


_VERSIONS_BEFORE_A_JUMP: Final = (_INT_MAX, -2)


def next_version(version: int) -> int:
    """Return the version after this one: beyond the greatest comes the least; never -1 (any)."""
    if version == _INT_MAX:
        return _INT_MIN
    return version + 1 if version != -2 else 0


def checksum_of(record: bytes) -> int:
    """Return a record's term in the digest."""
    term: int = _checksum(record)[0]
    return term


def acl_of(record: bytes) -> bytes:
    """Return the ACL as vector<ACL>."""
    return record[ACL_AT : ACL_AT + _acl_length(record, ACL_LENGTH_AT)[0]]


def body_of(record: bytes) -> bytes:
    """Return data and Stat, as getData answers."""
    return record[ACL_AT + _acl_length(record, ACL_LENGTH_AT)[0] :]


def stat_bytes_of(record: bytes) -> bytes:
    """Return the Stat as it goes over the wire."""
    return record[-STAT_SIZE:]


def stat_of(record: bytes) -> Stat:
    """Return the Stat; for all but the hot path."""
    return Stat(*STAT.unpack_from(record, len(record) - STAT_SIZE))


def mzxid_of(record: bytes) -> int:
    """Return the zxid of the last change of the data."""
    mzxid: int = _stat(record, len(record) - STAT_SIZE)[1]
    return mzxid


def pzxid_of(record: bytes) -> int:
    """Return the zxid of the last birth or death of a child, or of the node's own birth."""
    pzxid: int = _family(record, len(record) - FAMILY_SIZE)[5]
    return pzxid


def data_length_of(record: bytes) -> int:
    """Return the length of the data; 0 for null."""
    length: int = _family(record, len(record) - FAMILY_SIZE)[3]
    return length


def children_of(record: bytes) -> int:
    """Return the number of children."""
    children: int = _family(record, len(record) - FAMILY_SIZE)[4]
    return children


def owner_of(record: bytes) -> int:
    """Return the session that owns the node; 0 when none does."""
    owner: int = _family(record, len(record) - FAMILY_SIZE)[2]
    return owner


def ttl_of(record: bytes) -> int:
    """Return the time to live in milliseconds; 0 unless the kind is TTL."""
    ttl_ms: int = HEAD.unpack_from(record, HEAD_AT)[1]
    return ttl_ms


def creates_of(record: bytes) -> int:
    """Return how many children were ever created below this znode."""
    creates: int = _long(record, CREATES_AT)[0]
    return creates
