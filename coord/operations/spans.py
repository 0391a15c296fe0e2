"""Where the body of a write ends: the check of its shape before it is proposed, without decoding.

Each function takes the bytes and where the body begins; it returns where the body ends (more may
follow, as ZooKeeper allows), or raises MarshallingError. What passes here, apply can read.
"""

from typing import Final

from librt.strings import read_i32_be

from coord import jute
from coord.state.permissions import ACL_BYTES_MAX, ACL_ENTRIES_MAX, OPEN_ACL, AclList
from coord.wire.errors import InvalidAcl, MarshallingError

_LONG_SIZE: Final = 8
_INT_SIZE: Final = 4
_HEADER_SIZE: Final = 9
"""A MultiHeader: op code, whether it is the last, error."""


def empty(_data: bytes, at: int) -> int:
    """Span a request without a body."""
    return at


def path_and_version(data: bytes, at: int) -> int:
    """Span delete and check."""
    return _number(data, _path(data, at))


def path_and_flag(data: bytes, at: int) -> int:
    """Span a read in a multiRead."""
    return _number(data, _path(data, at), 1)


def path_data_and_version(data: bytes, at: int) -> int:
    """Span setData."""
    return _number(data, _buffer(data, _path(data, at)))


def path_acl_and_version(data: bytes, at: int) -> int:
    """Span setACL."""
    return _number(data, acl(data, _path(data, at)))


def create(data: bytes, at: int) -> int:
    """Span create, create2 and createContainer: path, data, ACL, flags."""
    return _number(data, acl(data, _buffer(data, _path(data, at))))


def create_ttl(data: bytes, at: int) -> int:
    """Span createTTL: as create, then the time to live."""
    return _number(data, create(data, at), _LONG_SIZE)


def acl(data: bytes, at: int) -> int:
    """Span a vector<ACL>; raises InvalidAcl when it is too long."""
    if data.startswith(OPEN_ACL, at):
        return at + len(OPEN_ACL)
    # The count is looked at first: decoding a megabyte of entries would hold up everybody.
    _number(data, at)
    if read_i32_be(data, at) > ACL_ENTRIES_MAX:
        raise InvalidAcl(f"more than {ACL_ENTRIES_MAX} entries")
    try:
        end = jute.decode(AclList, data, at)[1]
    except jute.DecodeError as error:
        raise MarshallingError(str(error)) from error
    if end - at > ACL_BYTES_MAX:
        raise InvalidAcl(f"more than {ACL_BYTES_MAX} bytes")
    return end


def multi_header(data: bytes, at: int) -> tuple[int, bool]:
    """Span the header of one part of a multi; return its op code and whether it is the end."""
    _number(data, at, _HEADER_SIZE)
    opcode: int = read_i32_be(data, at)
    return opcode, data[at + _INT_SIZE] != 0


def _path(data: bytes, at: int) -> int:
    """Span a path, which cannot be null."""
    if at + _INT_SIZE > len(data):
        raise MarshallingError("too short for a path")
    length: int = read_i32_be(data, at)
    at += _INT_SIZE + length
    if length < 0 or at > len(data):
        raise MarshallingError(f"path of {length} bytes")
    return at


def _buffer(data: bytes, at: int) -> int:
    """Span data, which may be null (-1)."""
    if at + _INT_SIZE > len(data):
        raise MarshallingError("too short for data")
    length: int = read_i32_be(data, at)
    at += _INT_SIZE
    if length > 0:
        at += length
    if length < -1 or at > len(data):
        raise MarshallingError(f"data of {length} bytes")
    return at


def _number(data: bytes, at: int, size: int = _INT_SIZE) -> int:
    if at + size > len(data):
        raise MarshallingError("too short for a number")
    return at + size
