"""A znode as one immutable run of bytes: what a read answers lies in it as it goes out.

    checksum u32 | kind u8 | ttl_ms i64 | creates i64 | acl_length u32
    | acl (vector<ACL>) | data (buffer: length i32, -1 for null; bytes) | Stat (68 bytes)

The body of getData's reply is everything behind the ACL, that of exists the last 68 bytes. All
numbers are big-endian, as on the wire.

The checksum is a CRC-32 over the path and all that follows the checksum: it finds damage on disk
and it is the znode's term in the digest of the state.
"""

import zlib
from collections.abc import Callable
from enum import IntEnum
from struct import Struct
from typing import Any, Final

from librt.strings import BytesWriter, read_i32_be, read_i64_be, write_i32_be, write_i64_be

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
# Where fields lie in it.
MZXID: Final = 8
CTIME: Final = 16
VERSION: Final = 32
CVERSION: Final = 36
AVERSION: Final = 40
OWNER: Final = 44
DATA_LENGTH: Final = 52
CHILDREN: Final = 56
PZXID: Final = 60

_INT_MAX: Final = 2**31 - 1
_INT_MIN: Final = -(2**31)


def _fastest_crc32() -> Any:
    """Return isal's CRC-32, where it is installed: zlib's, in a third of the time."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.crc32
    return isal_zlib.crc32


crc32: Final[Callable[..., int]] = _fastest_crc32()
"""Of some bytes, and of those before them, whose CRC-32 may follow. Final, so that it is found at
once where this is compiled."""


def sealed(path: bytes, content: bytes) -> bytes:
    """Return the record of a znode from all that follows its checksum."""
    return crc32(content, crc32(path)).to_bytes(4, "big") + content


def is_intact(path: bytes, record: bytes) -> bool:
    """Tell whether a record that was read belongs to this path and is undamaged."""
    if len(record) < ACL_AT + 4 + STAT_SIZE:
        return False
    return crc32(memoryview(record)[HEAD_AT:], crc32(path)) == checksum_of(record)


def new_head(kind: int, ttl_ms: int, acl: bytes) -> bytes:
    """Return what begins the content of a new znode (`Kind`), its ACL included."""
    return HEAD.pack(kind, ttl_ms, 0, len(acl)) + acl


def new_record(path: bytes, head: bytes, data: bytes, zxid: int, time_ms: int, owner: int) -> bytes:
    """Return the record of a new znode; `head` from `new_head`, `data` a jute buffer."""
    content = BytesWriter()
    content.write(head)
    content.write(data)
    write_i64_be(content, zxid)
    write_i64_be(content, zxid)
    write_i64_be(content, time_ms)
    write_i64_be(content, time_ms)
    write_i64_be(content, 0)
    write_i32_be(content, 0)
    write_i64_be(content, owner)
    write_i32_be(content, len(data) - 4)
    write_i32_be(content, 0)
    write_i64_be(content, zxid)
    return sealed(path, content.getvalue())


def with_data(
    record: bytes, path: bytes, data: bytes, zxid: int, time_ms: int
) -> tuple[bytes, bytes]:
    """Return the record after a change of the data, a jute buffer; and its Stat."""
    at = len(record) - STAT_SIZE
    version: int = read_i32_be(record, at + VERSION)
    content = BytesWriter()
    content.write(record[HEAD_AT : ACL_AT + read_i32_be(record, ACL_LENGTH_AT)])
    content.write(data)
    write_i64_be(content, read_i64_be(record, at))
    write_i64_be(content, zxid)
    write_i64_be(content, read_i64_be(record, at + CTIME))
    write_i64_be(content, time_ms)
    write_i32_be(content, next_version(version))
    content.write(record[at + CVERSION : at + DATA_LENGTH])
    write_i32_be(content, len(data) - 4)
    content.write(record[at + CHILDREN :])
    new = sealed(path, content.getvalue())
    return new, new[-STAT_SIZE:]


def with_children_created(record: bytes, path: bytes, zxid: int, count: int) -> tuple[bytes, int]:
    """Return a parent's record after the birth of so many children; and how its checksum moved."""
    at = len(record) - STAT_SIZE
    cversion: int = read_i32_be(record, at + CVERSION)
    cversion += count
    content = BytesWriter()
    content.write(record[HEAD_AT:CREATES_AT])
    write_i64_be(content, read_i64_be(record, CREATES_AT) + count)
    content.write(record[ACL_LENGTH_AT : at + CVERSION])
    write_i32_be(content, cversion if cversion <= _INT_MAX else cversion + 2 * _INT_MIN)
    return _with_family(content, record, path, zxid, count)


def with_child_deleted(record: bytes, path: bytes, zxid: int) -> tuple[bytes, int]:
    """Return a parent's record after the death of a child, and how its checksum moved."""
    at = len(record) - STAT_SIZE
    cversion: int = read_i32_be(record, at + CVERSION)
    content = BytesWriter()
    content.write(record[HEAD_AT : at + CVERSION])
    write_i32_be(content, cversion + 1 if cversion != _INT_MAX else _INT_MIN)
    return _with_family(content, record, path, zxid, -1)


def _with_family(
    content: BytesWriter, record: bytes, path: bytes, zxid: int, children: int
) -> tuple[bytes, int]:
    """Write the rest behind cversion: so many children more, and the zxid of that."""
    at = len(record) - STAT_SIZE
    content.write(record[at + AVERSION : at + CHILDREN])
    write_i32_be(content, read_i32_be(record, at + CHILDREN) + children)
    write_i64_be(content, zxid)
    new = sealed(path, content.getvalue())
    return new, checksum_of(new) - checksum_of(record)


def with_acl(record: bytes, path: bytes, acl: bytes) -> bytes:
    """Return the record after a change of the ACL, a vector<ACL>."""
    at = len(record) - STAT_SIZE
    content = BytesWriter()
    content.write(record[HEAD_AT:ACL_LENGTH_AT])
    write_i32_be(content, len(acl))
    content.write(acl)
    content.write(record[ACL_AT + read_i32_be(record, ACL_LENGTH_AT) : at + AVERSION])
    write_i32_be(content, next_version(aversion_of(record)))
    content.write(record[at + OWNER :])
    return sealed(path, content.getvalue())


def next_version(version: int) -> int:
    """Return the version after this one: beyond the greatest comes the least; never -1 (any)."""
    if version == _INT_MAX:
        return _INT_MIN
    return version + 1 if version != -2 else 0


def checksum_of(record: bytes) -> int:
    """Return a record's term in the digest."""
    term: int = read_i32_be(record, 0)
    return term & 0xFFFFFFFF


def acl_of(record: bytes) -> bytes:
    """Return the ACL as vector<ACL>."""
    return record[ACL_AT : ACL_AT + read_i32_be(record, ACL_LENGTH_AT)]


def body_of(record: bytes) -> bytes:
    """Return data and Stat, as getData answers."""
    return record[ACL_AT + read_i32_be(record, ACL_LENGTH_AT) :]


def stat_bytes_of(record: bytes) -> bytes:
    """Return the Stat as it goes over the wire."""
    return record[-STAT_SIZE:]


def stat_of(record: bytes) -> Stat:
    """Return the Stat; for all but the hot path."""
    return Stat(*STAT.unpack_from(record, len(record) - STAT_SIZE))


def version_of(record: bytes) -> int:
    """Return the version of the data."""
    return read_i32_be(record, len(record) - STAT_SIZE + VERSION)


def aversion_of(record: bytes) -> int:
    """Return the version of the ACL."""
    return read_i32_be(record, len(record) - STAT_SIZE + AVERSION)


def mzxid_of(record: bytes) -> int:
    """Return the zxid of the last change of the data."""
    return read_i64_be(record, len(record) - STAT_SIZE + MZXID)


def pzxid_of(record: bytes) -> int:
    """Return the zxid of the last birth or death of a child, or of the node's own birth."""
    return read_i64_be(record, len(record) - STAT_SIZE + PZXID)


def data_length_of(record: bytes) -> int:
    """Return the length of the data; 0 for null."""
    return read_i32_be(record, len(record) - STAT_SIZE + DATA_LENGTH)


def children_of(record: bytes) -> int:
    """Return the number of children."""
    return read_i32_be(record, len(record) - STAT_SIZE + CHILDREN)


def owner_of(record: bytes) -> int:
    """Return the session that owns the node; 0 when none does."""
    return read_i64_be(record, len(record) - STAT_SIZE + OWNER)


def ttl_of(record: bytes) -> int:
    """Return the time to live in milliseconds; 0 unless the kind is TTL."""
    ttl_ms: int = HEAD.unpack_from(record, HEAD_AT)[1]
    return ttl_ms


def creates_of(record: bytes) -> int:
    """Return how many children were ever created below this znode."""
    return read_i64_be(record, CREATES_AT)
