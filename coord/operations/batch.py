"""The bytes of an operations entry: what the origins' writes look like in the log.

    entry      time_ms i64 | bundles
    bundle     replica u8 | start u32 | first u64 | count u32 | length u32 | operations
    operation  length u32 | session i64 | attachment u32 | identities_length u16
               | identities (vector<Id>) | opcode i32 | body

A bundle holds the writes first, first + 1, ... of one origin (replica, start). Opcode and body
are the request's bytes as they came from the client, whatever may follow the body included.
`length` counts what follows itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

from librt.strings import read_i32_be, read_i64_be

from coord.state.permissions import encode_identities
from coord.wire.records import Id

_TIME: Final = Struct(">q")
_BUNDLE: Final = Struct(">BIQII")
_LENGTH: Final = Struct(">I")
_HEAD: Final = Struct(">qIH")
_OPCODE: Final = Struct(">i")


Operation = tuple[int, int, bytes, int, int, int]
"""session, attachment, identities, opcode, where the body begins in the entry, where it ends."""


class Bundle(NamedTuple):
    """Some consecutive writes of one origin, inside an entry."""

    replica: int
    """The replica that took them from its clients."""
    start: int
    """Which of that replica's process starts it was."""
    first: int
    """Number of the first; they count from 1 at each start."""
    size: int
    """How many there are."""
    at: int
    """Where the operations begin in the entry."""
    end: int
    """Where they end."""


def operation_head(session: int, attachment: int, identities: tuple[Id, ...]) -> bytes:
    """Return what precedes the request in each operation of one connection."""
    encoded = encode_identities(identities)
    return _HEAD.pack(session, attachment, len(encoded)) + encoded


def encode_operation(head: bytes, request: bytes) -> bytes:
    """Return one operation; `request` is the frame behind its xid: op code and body."""
    return (len(head) + len(request)).to_bytes(4, "big") + head + request


def encode_request(opcode: int, body: bytes) -> bytes:
    """Return op code and body, for the operations that no client sends."""
    return _OPCODE.pack(opcode) + body


def encode_bundle(replica: int, start: int, first: int, operations: Sequence[bytes]) -> bytes:
    """Return consecutive operations of one origin, numbered from `first`."""
    joined = b"".join(operations)
    return _BUNDLE.pack(replica, start, first, len(operations), len(joined)) + joined


def encode_entry(time_ms: int, bundles: Iterable[bytes]) -> bytes:
    """Return the payload of an operations entry."""
    return _TIME.pack(time_ms) + b"".join(bundles)


def time_of(entry: bytes) -> int:
    """Return the time that the leader gave to an entry."""
    time_ms: int = _TIME.unpack_from(entry)[0]
    return time_ms


def bundles_of(entry: bytes) -> Iterator[Bundle]:
    """Go through the bundles of an entry."""
    at = _TIME.size
    while at < len(entry):
        replica, start, first, size, length = _BUNDLE.unpack_from(entry, at)
        at += _BUNDLE.size
        yield Bundle(replica, start, first, size, at, at + length)
        at += length


def operation_at(entry: bytes, at: int) -> Operation:
    """Read one operation of an entry; the next one begins where this one ends."""
    middle = read_i64_be(entry, at + 10)  # the end of session, attachment, identities_length
    opcode_at = at + 18 + (middle & 0xFFFF)
    return (
        read_i64_be(entry, at + 4),
        middle >> 16 & 0xFFFFFFFF,
        entry[at + 18 : opcode_at],
        read_i32_be(entry, opcode_at),
        opcode_at + 4,
        at + 4 + read_i32_be(entry, at),
    )


def count_in(bundle: bytes) -> int:
    """Return how many operations an encoded bundle holds."""
    count: int = _BUNDLE.unpack_from(bundle)[3]
    return count


def is_bundle(data: bytes, replica: int) -> bool:
    """Tell whether bytes from a replica have the outline of a bundle of its own."""
    if len(data) < _BUNDLE.size:
        return False
    origin, _start, _first, count, length = _BUNDLE.unpack_from(data)
    return bool(origin == replica and count and length == len(data) - _BUNDLE.size)
