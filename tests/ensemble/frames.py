"""ZooKeeper's wire format once more, by hand, for the probe.

Deliberately not `coord.wire`: a mistake shared by the two sides of one codec would be invisible.
Requests are built by joining fields; replies are read field by field with `Reader`.
"""

import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

import attrs

# Operation codes.
CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL, GET_CHILDREN, SYNC = range(1, 10)
PING, GET_CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG, CHECK_WATCHES, REMOVE_WATCHES = range(11, 19)
CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL, MULTI_READ = range(19, 23)
AUTH, SET_WATCHES, SASL, GET_EPHEMERALS, GET_ALL_CHILDREN_NUMBER = range(100, 105)
SET_WATCHES2, ADD_WATCH, WHO_AM_I = range(105, 108)
CREATE_SESSION, CLOSE_SESSION = -10, -11

# xids with a meaning of their own.
NOTIFICATION_XID, PING_XID, AUTH_XID, SET_WATCHES_XID = -1, -2, -4, -8

# Error codes.
RUNTIME_INCONSISTENCY, MARSHALLING_ERROR, UNIMPLEMENTED, BAD_ARGUMENTS = -2, -5, -6, -8
NO_NODE, NO_AUTH, BAD_VERSION, NO_CHILDREN_FOR_EPHEMERALS = -101, -102, -103, -108
NODE_EXISTS, NOT_EMPTY, SESSION_EXPIRED, INVALID_ACL, AUTH_FAILED = -110, -111, -112, -114, -115
NO_WATCHER, RECONFIG_DISABLED = -121, -123

# Event types.
CREATED, DELETED, DATA_CHANGED, CHILDREN_CHANGED = 1, 2, 3, 4
SYNC_CONNECTED = 3

# Create flags.
PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, TTL = range(6)

# Permission bits.
READ, WRITE, CREATE_PERMISSION, DELETE_PERMISSION, ADMIN, ALL = 1, 2, 4, 8, 16, 31

T = TypeVar("T")


def int32(value: int) -> bytes:
    return struct.pack(">i", value)


def int64(value: int) -> bytes:
    return struct.pack(">q", value)


def boolean(value: bool) -> bytes:
    return b"\1" if value else b"\0"


def buffer(value: bytes | None) -> bytes:
    """A length and bytes; None is length -1 and differs from empty."""
    return int32(-1) if value is None else int32(len(value)) + value


def text(value: str | None) -> bytes:
    return buffer(None if value is None else value.encode())


def vector(items: Iterable[bytes] | None) -> bytes:
    if items is None:
        return int32(-1)
    encoded = list(items)
    return int32(len(encoded)) + b"".join(encoded)


def entry(permissions: int, scheme: str | None, identity: str | None) -> bytes:
    """One entry of an access control list."""
    return int32(permissions) + text(scheme) + text(identity)


OPEN = vector([entry(ALL, "world", "anyone")])


def create_body(path: str | None, data: bytes | None, flags: int, acl: bytes = OPEN) -> bytes:
    return text(path) + buffer(data) + acl + int32(flags)


def multi_body(operations: Iterable[tuple[int, bytes]]) -> bytes:
    """Operations as (code, body), each behind its header, and the end mark."""
    pieces = [struct.pack(">i?i", code, False, -1) + body for code, body in operations]
    return b"".join(pieces) + struct.pack(">i?i", -1, True, -1)


@attrs.frozen
class Stat:
    """The 68 bytes in which a server describes a znode."""

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeral_owner: int
    data_length: int
    children: int
    pzxid: int


class Reader:
    """Reads fields one after the other; `end` checks that nothing is left."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(">" + form, self.data, self.offset)
        self.offset += struct.calcsize(">" + form)
        return values

    def int32(self) -> int:
        return self.take("i")[0]

    def int64(self) -> int:
        return self.take("q")[0]

    def buffer(self) -> bytes | None:
        length = self.int32()
        if length == -1:
            return None
        piece = self.data[self.offset : self.offset + length]
        assert len(piece) == length >= 0, "a field runs over the end"
        self.offset += length
        return piece

    def text(self) -> str:
        value = self.buffer()
        assert value is not None, "a null string"
        return value.decode()

    def vector(self, item: Callable[[], T]) -> list[T]:
        return [item() for _ in range(self.int32())]

    def entry(self) -> tuple[int, str, str]:
        return self.int32(), self.text(), self.text()

    def stat(self) -> Stat:
        return Stat(*self.take("qqqqiiiqiiq"))

    def end(self) -> None:
        assert self.offset == len(self.data), f"{len(self.data) - self.offset} bytes left over"


def read_multi(body: bytes) -> list[tuple[int, int, object]]:
    """The results of a multi as (type, error, value): a path, (path, stat), a stat or None."""
    reader = Reader(body)
    results: list[tuple[int, int, object]] = []
    while True:
        code, done, error = reader.take("i?i")
        if done:
            assert (code, error) == (-1, -1)
            reader.end()
            return results
        results.append((code, error, _result(reader, code, error)))


def _result(reader: Reader, code: int, error: int) -> object:
    if code == -1:
        repeated = reader.int32()
        assert repeated == error
        return None
    if code == CREATE:
        return reader.text()
    if code == CREATE2:
        return reader.text(), reader.stat()
    if code == SET_DATA:
        return reader.stat()
    if code == GET_DATA:
        return reader.buffer(), reader.stat()
    if code == GET_CHILDREN:
        return reader.vector(reader.text)
    assert code in (CHECK, DELETE), f"a result of type {code}"
    return None
