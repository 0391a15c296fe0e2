"""The checksum that every stored value carries: LMDB has none of its own.

A CRC-32 over the key, then the value: a value that was written to the wrong place is found too. It
stands behind the value, low byte first, where the CRC-32 over all of it is then a constant.
"""

from typing import Final

from coord.state.record import crc32

_RESIDUE: Final = 0x2144DF1C


def seal(key: bytes, value: bytes) -> bytes:
    """Return what to store under the key."""
    return value + crc32(value, crc32(key)).to_bytes(4, "little")


def unseal(key: bytes, stored: bytes) -> bytes | None:
    """Return the value stored under the key; None when it is damaged."""
    if crc32(stored, crc32(key)) != _RESIDUE:
        return None
    return stored[:-4]
