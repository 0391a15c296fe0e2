"""Several operations in one request: multi, all or nothing, and multiRead.

Both are made of the rows of other operations, which the table hands in. In the bytes a header of
nine bytes (op code, whether it is the end, error) stands before each part, and one more at the end.
"""

from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import Final

from coord.operations import spans
from coord.operations.context import Caller, Change, Context, View
from coord.operations.frames import BODY_AT
from coord.operations.row import Answer, Apply, Read, Span, Write
from coord.operations.slices import SLICE_NAMES
from coord.wire.errors import MarshallingError, RuntimeInconsistency, ZooKeeperError
from coord.wire.numbers import OpCode

REPLY_BYTES_MAX: Final = 2 << 20
"""multiRead gives up here: a request of 1 MiB could ask for gigabytes.

Clients refuse replies of more than 1 MiB, unless they are told otherwise.
"""
LOOKED_AT_MAX: Final = SLICE_NAMES
"""And so it does after so many parts and names of children, for all of them show one moment, so
that nobody else is served meanwhile."""

_HEADER: Final = Struct(">iBi")
_HEADER_SIZE: Final = _HEADER.size
_COUNT: Final = Struct(">i")
_ERROR: Final = Struct(">iBii")
_END: Final = _HEADER.pack(OpCode.ERROR, 1, -1)
_RESULTS: Final = {OpCode.CREATE_CONTAINER: OpCode.CREATE2, OpCode.CREATE_TTL: OpCode.CREATE2}
"""The op codes that results of some parts bear; all others bear their own."""


def spanning(rows: tuple[Write, ...]) -> Span:
    """Return what checks the shape of a multi made of these rows."""
    return _spanning({row.opcode: row.span for row in rows})


def _spanning(spans_of: Mapping[int, Span]) -> Span:

    def span(data: bytes, at: int) -> int:
        for opcode, part_at in _parts(spans_of, data, at):
            at = spans_of[opcode](data, part_at)
        return at + _HEADER_SIZE

    return span


def listing(rows: tuple[Write, ...]) -> Callable[[bytes], list[int]]:
    """Return what lists the op codes in the frame of a multi made of these rows."""
    spans_of = {row.opcode: row.span for row in rows}

    def opcodes(frame: bytes) -> list[int]:
        return [opcode for opcode, _part_at in _parts(spans_of, frame, BODY_AT)]

    return opcodes


def applying(rows: tuple[Write, ...]) -> Apply:
    """Return what applies a multi made of these rows."""
    parts = {row.opcode: row for row in rows}
    spans_of = {row.opcode: row.span for row in rows}
    headers = {
        row.opcode: _HEADER.pack(_RESULTS.get(OpCode(row.opcode), row.opcode), 0, 0) for row in rows
    }

    def multi(context: Context, _needs: int, body: bytes, at: int) -> bytes:
        """Do all or nothing; a failure is in the results, the reply itself is no error."""
        begun = context.tree.begin()
        held: list[Change] = []
        context.held = held
        results = []
        try:
            for opcode, part_at in _parts(spans_of, body, at):
                row = parts[opcode]
                result = row.apply(context, row.needs, body, part_at)
                context.tree.settle()
                results.append(headers[opcode] + result)
        except ZooKeeperError as error:
            context.tree.take_back(begun)
            return _failure(len(results), error.code, sum(1 for _ in _parts(spans_of, body, at)))
        finally:
            context.held = None
        context.tree.keep(begun)
        for change in held:
            context.changed(*change)
        return b"".join([*results, _END])

    return multi


def _parts(spans_of: Mapping[int, Span], data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Go through the parts: the op code of each, and where its body begins."""
    while True:
        opcode, is_end = spans.multi_header(data, at)
        at += _HEADER_SIZE
        if is_end:
            return
        if opcode not in spans_of:
            raise MarshallingError(f"op code {opcode} in a multi")
        yield opcode, at
        at = spans_of[opcode](data, at)


def _failure(done: int, code: int, count: int) -> bytes:
    """Return the reply of a multi whose part number `done` failed: nothing but errors."""
    codes = [0] * done + [code] + [RuntimeInconsistency.code] * (count - done - 1)
    return b"".join([_ERROR.pack(OpCode.ERROR, 0, each, each) for each in codes]) + _END


def answering(rows: tuple[Read, ...]) -> Answer:
    """Return what answers a multiRead made of these rows, which all ask for a path and a watch."""
    parts: dict[int, Read] = {row.opcode: row for row in rows}
    spans_of = dict.fromkeys(parts, spans.path_and_flag)

    def multi_read(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes:
        """Answer each part by itself: some may fail. No part leaves a watch."""
        results, size, looked_at = [], 0, 0
        for opcode, at in _parts(spans_of, frame, BODY_AT):
            body = frame[at : spans.path_and_flag(frame, at)]
            result = _answered(parts[opcode], view, caller, body)
            results.append(result)
            size += len(result)
            looked_at += 1 + (_names_in(result) if opcode == OpCode.GET_CHILDREN else 0)
            if size > REPLY_BYTES_MAX or looked_at > LOOKED_AT_MAX:
                raise MarshallingError("a multiRead of too much")
        return b"".join([*results, _END])

    return multi_read


def _answered(row: Read, view: View, caller: Caller, body: bytes) -> bytes:
    """Return the result of one part of a multiRead."""
    try:
        result = row.answer(view, caller, row.needs, bytes(BODY_AT) + body[:-1] + b"\0")
    except ZooKeeperError as error:
        return _ERROR.pack(OpCode.ERROR, 0, error.code, error.code)
    if not isinstance(result, bytes):
        raise MarshallingError("a multiRead of too many children")
    return _HEADER.pack(row.opcode, 0, 0) + result


def _names_in(result: bytes) -> int:
    """Return how many names a getChildren in a multiRead found; after an error, something small."""
    count: int = _COUNT.unpack_from(result, _HEADER_SIZE)[0]
    return max(count, 0)
