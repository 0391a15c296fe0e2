"""The checksum that every stored value carries: LMDB has none of its own.

A CRC-32 over the key, then the value: a value that was written to the wrong place is found too.
"""

from struct import Struct
from typing import Final
from zlib import crc32

SEAL_BYTES: Final = 4

_CHECKSUM: Final = Struct("<I")
_pack = _CHECKSUM.pack
_unpack = _CHECKSUM.unpack_from


def seal(key: bytes, value: bytes) -> bytes:
    """Return what to store under the key."""
    return _pack(crc32(value, crc32(key))) + value


def unseal(key: bytes, stored: bytes) -> bytes | None:
    """Return the value stored under the key; None when it is damaged."""
    value = stored[SEAL_BYTES:]
    if len(stored) < SEAL_BYTES or _unpack(stored)[0] != crc32(value, crc32(key)):
        return None
    return value
