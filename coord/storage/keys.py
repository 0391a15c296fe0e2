"""Where a znode lies in LMDB, whose keys have at most 511 bytes.

    hash of the parent's path (16 bytes) | 0 | name                     -> record
    hash of the parent's path (16 bytes) | 1 | hash of the name (32)    -> length, name, record

The second form is for names of more than 494 bytes; the byte between keeps a name from ever passing
for a hash. So the children of a znode are one range. The root is the child of the empty path that
has the empty name; its own children have the empty path for a parent too, and names.

The hashes are keyed: whoever chooses paths cannot make two of them meet.
"""

from hashlib import blake2b
from struct import Struct
from typing import Final

NAME_MAX: Final = 494
"""Longest name that stands in a key as it is."""
PREFIX_BYTES: Final = 17
"""What stands before the name in a key."""
TAG_AT: Final = 16
"""Where a key says whether it has the name itself (0) or only its hash (1)."""
_PLAIN: Final = b"\0"
_HASHED: Final = b"\1"
_LENGTH: Final = Struct("<I")
_PREFIXES_MAX: Final = 4096
"""Parents whose hash is kept at hand: about 1 MB with common paths; then begun anew."""
_PREFIXES_BYTES_MAX: Final = 1 << 20


class PathKeys:
    """Paths to keys and back, under one secret key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret[: blake2b.MAX_KEY_SIZE]
        self._prefixes: dict[bytes, bytes] = {}
        self._prefixes_bytes = 0

    def key_of(self, path: bytes) -> bytes:
        """Return the key of a znode."""
        parent, _, name = path.rpartition(b"/")
        return self.key_below(self.prefix_below(parent), name)

    def key_below(self, prefix: bytes, name: bytes) -> bytes:
        """Return the key of a znode from what the keys of its parent's children begin with."""
        if len(name) <= NAME_MAX:
            return prefix + name
        return prefix[:-1] + _HASHED + blake2b(name, digest_size=32, key=self._secret).digest()

    def prefix_below(self, parent: bytes) -> bytes:
        """Return what the keys of a parent's children begin with, where the names are plain."""
        return self._prefixes.get(parent) or self._add_prefix(parent)

    def prefixes_below(self, parent: bytes) -> tuple[bytes, bytes]:
        """Return what the keys of a parent's children begin with: plain names, hashed names."""
        prefix = self.prefix_below(parent)
        return prefix, prefix[:-1] + _HASHED

    def _add_prefix(self, parent: bytes) -> bytes:
        self._prefixes_bytes += len(parent)
        if len(self._prefixes) >= _PREFIXES_MAX or self._prefixes_bytes > _PREFIXES_BYTES_MAX:
            self._prefixes.clear()
            self._prefixes_bytes = len(parent)
        prefix = blake2b(parent, digest_size=16, key=self._secret).digest() + _PLAIN
        self._prefixes[parent] = prefix
        return prefix


def value_of(name: bytes, record: bytes) -> bytes:
    """Return the value to store under a znode's key."""
    return record if len(name) <= NAME_MAX else _LENGTH.pack(len(name)) + name + record


def record_behind_name(value: bytes) -> bytes:
    """Return the record in a value whose key has only the hash of the name."""
    return value[_LENGTH.size + _LENGTH.unpack_from(value)[0] :]


def name_in(value: bytes) -> bytes:
    """Return the name of a znode whose key has only the hash of it."""
    return value[_LENGTH.size : _LENGTH.size + _LENGTH.unpack_from(value)[0]]
