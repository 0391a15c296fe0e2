"""The small rows beside the tree: their checksums and the layout of their keys.

A value in a store is `checksum u32 | value`; the checksum covers table, key and value and is the
row's term in the digest.
"""

from hashlib import blake2b
from struct import Struct
from typing import Final

from coord.state.record import CHECKSUM, crc32
from coord.state.store import Table

_CHECKSUM_SIZE: Final = CHECKSUM.size
_HASH_SIZE: Final = 16
_PATH_LENGTH_MAX: Final = 180
"""A longer path is hashed in a key: keys have at most 200 bytes."""

_SESSION: Final = Struct(">q")
_DUE: Final = Struct(">q")


def term_of(table: Table, key: bytes, value: bytes) -> int:
    """Return the checksum of a row."""
    return crc32(value, crc32(key, table))


def is_intact(table: Table, key: bytes, stored: bytes) -> bool:
    """Tell whether a row that was read from a store belongs there and is undamaged."""
    if len(stored) < _CHECKSUM_SIZE:
        return False
    term: int = CHECKSUM.unpack_from(stored)[0]
    return term_of(table, key, stored[_CHECKSUM_SIZE:]) == term


def session_key(session_id: int) -> bytes:
    """Return the key of a session, and the prefix of the keys of its ephemeral nodes."""
    return _SESSION.pack(session_id)


def session_id_of(key: bytes) -> int:
    """Return the session that a key begins with."""
    session_id: int = _SESSION.unpack_from(key)[0]
    return session_id


def ephemeral_key(session_id: int, path: bytes) -> bytes:
    """Return the key under which a session's ephemeral node is listed."""
    return _SESSION.pack(session_id) + _hash(path)


def reapable_key(due_ms: int, path: bytes) -> bytes:
    """Return the key under which a node is listed that may go from `due_ms` on."""
    return _DUE.pack(due_ms) + _hash(path)


def due_of(key: bytes) -> int:
    """Return from when on the node of this key in REAPABLE may go."""
    due_ms: int = _DUE.unpack_from(key)[0]
    return due_ms


def path_key(path: bytes) -> bytes:
    """Return the key of what is counted for a path; no path begins as a hash does here."""
    return path if len(path) <= _PATH_LENGTH_MAX else b"#" + _hash(path)


def _hash(path: bytes) -> bytes:
    return blake2b(path, digest_size=_HASH_SIZE).digest()
