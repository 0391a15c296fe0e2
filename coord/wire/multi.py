"""Several operations in one request: a header before each, and one more at the end.

Source: org/apache/zookeeper/MultiOperationRecord.java, MultiResponse.java.
"""

from collections.abc import Callable
from typing import Any, Self, TypeVar

import attrs

from coord import jute
from coord.wire.numbers import OpCode
from coord.wire.records import MultiHeader
from coord.wire.requests import (
    CheckRequest,
    Create2Reply,
    CreateReply,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ErrorReply,
    GetChildrenReply,
    GetChildrenRequest,
    GetDataReply,
    GetDataRequest,
    SetDataReply,
    SetDataRequest,
)

WRITES: dict[OpCode, type[Any]] = {
    OpCode.CREATE: CreateRequest,
    OpCode.CREATE2: CreateRequest,
    OpCode.CREATE_CONTAINER: CreateRequest,
    OpCode.CREATE_TTL: CreateTtlRequest,
    OpCode.DELETE: DeleteRequest,
    OpCode.SET_DATA: SetDataRequest,
    OpCode.CHECK: CheckRequest,
}
"""What a multi may consist of."""

READS: dict[OpCode, type[Any]] = {
    OpCode.GET_DATA: GetDataRequest,
    OpCode.GET_CHILDREN: GetChildrenRequest,
}
"""What a multiRead may consist of."""

RESULTS: dict[OpCode, type[Any] | None] = {
    OpCode.ERROR: ErrorReply,
    OpCode.CREATE: CreateReply,
    OpCode.CREATE2: Create2Reply,
    OpCode.DELETE: None,
    OpCode.SET_DATA: SetDataReply,
    OpCode.CHECK: None,
    OpCode.GET_DATA: GetDataReply,
    OpCode.GET_CHILDREN: GetChildrenReply,
}
"""What their replies consist of: every create but the plain one answers as create2."""

Part = TypeVar("Part")

_END = jute.encode(MultiHeader(opcode=-1, done=True, error=-1))


@attrs.frozen
class MultiOperation:
    """One operation of a multi or a multiRead."""

    opcode: OpCode
    """A key of `WRITES` or `READS`."""
    request: object
    """An instance of the class that stands there."""


@attrs.frozen
class MultiResult:
    """What became of one operation."""

    opcode: OpCode
    """A key of `RESULTS`."""
    reply: object | None
    """An instance of the class that stands there, if one does."""


@attrs.frozen
class MultiRequest:
    """The body of multi, where all is done or nothing, and of multiRead."""

    operations: tuple[MultiOperation, ...] = attrs.field()
    """All from `WRITES`, or all from `READS`."""

    @operations.validator
    def _of_one_kind(self, _attribute: object, operations: tuple[MultiOperation, ...]) -> None:
        if len({each.opcode in READS for each in operations}) > 1:
            raise ValueError("reads and writes in one multi")

    def to_jute(self) -> bytes:
        """Return the bytes of the request."""
        return encode_multi(self.operations)

    @classmethod
    def from_jute(cls, data: bytes, offset: int) -> tuple[Self, int]:
        """Read the request that starts at `offset`; return it and where it ends."""
        operations, end = decode_multi(data, offset)
        return cls(operations), end


@attrs.frozen
class MultiReply:
    """Answers multi and multiRead; the header's error is 0 even for a multi that failed."""

    results: tuple[MultiResult, ...]
    """One for each operation. A failed multi has errors only, a multiRead may have both."""

    def to_jute(self) -> bytes:
        """Return the bytes of the reply."""
        return encode_multi_reply(self.results)

    @classmethod
    def from_jute(cls, data: bytes, offset: int) -> tuple[Self, int]:
        """Read the reply that starts at `offset`; return it and where it ends."""
        results, end = decode_multi_reply(data, offset)
        return cls(results), end


def encode_multi(operations: tuple[MultiOperation, ...]) -> bytes:
    """Return the body of a multi or a multiRead."""
    parts = []
    for each in operations:
        parts.append(jute.encode(MultiHeader(each.opcode, done=False, error=-1)))
        parts.append(jute.encode(each.request))
    return b"".join([*parts, _END])


def decode_multi(data: bytes, offset: int = 0) -> tuple[tuple[MultiOperation, ...], int]:
    """Read the body that starts at `offset`; return the operations and where it ends."""
    classes = WRITES | READS

    def read(header: MultiHeader, at: int) -> tuple[MultiOperation, int]:
        opcode = OpCode(header.opcode)
        request, end = jute.decode(classes[opcode], data, at)
        return MultiOperation(opcode, request), end

    return _decode_parts(data, offset, read)


def encode_multi_reply(results: tuple[MultiResult, ...]) -> bytes:
    """Return the body of the reply to a multi or a multiRead."""
    parts = []
    for each in results:
        error = each.reply.code if isinstance(each.reply, ErrorReply) else 0
        parts.append(jute.encode(MultiHeader(each.opcode, done=False, error=error)))
        if each.reply is not None:
            parts.append(jute.encode(each.reply))
    return b"".join([*parts, _END])


def decode_multi_reply(data: bytes, offset: int = 0) -> tuple[tuple[MultiResult, ...], int]:
    """Read the body that starts at `offset`; return the results and where it ends."""

    def read(header: MultiHeader, at: int) -> tuple[MultiResult, int]:
        opcode = OpCode(header.opcode)
        cls = RESULTS[opcode]
        if cls is None:
            return MultiResult(opcode, None), at
        reply, end = jute.decode(cls, data, at)
        return MultiResult(opcode, reply), end

    return _decode_parts(data, offset, read)


def _decode_parts(
    data: bytes, at: int, read: Callable[[MultiHeader, int], tuple[Part, int]]
) -> tuple[tuple[Part, ...], int]:
    """Read parts until the header that says it is done, whatever else that one says."""
    parts: list[Part] = []
    while True:
        header, at = jute.decode(MultiHeader, data, at)
        if header.done:
            return tuple(parts), at
        try:
            part, at = read(header, at)
        except KeyError as error:
            raise jute.DecodeError(f"op code {header.opcode} in a multi") from error
        parts.append(part)
