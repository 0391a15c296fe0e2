"""The checksum that every stored value carries: LMDB has none of its own.

A CRC-32 over the key, then the value: a value that was written to the wrong place is found too. It
stands behind the value, low byte first, where the CRC-32 over all of it is then a constant.
"""

from struct import Struct
from typing import Final
from zlib import crc32

_RESIDUE: Final = 0x2144DF1C
_pack = Struct("<I").pack


def seal(key: bytes, value: bytes) -> bytes:
    """Return what to store under the key."""
    return value + _pack(crc32(value, crc32(key)))


def unseal(key: bytes, stored: bytes) -> bytes | None:
    """Return the value stored under the key; None when it is damaged."""
    if crc32(stored, crc32(key)) != _RESIDUE:
        return None
    return stored[:-4]
