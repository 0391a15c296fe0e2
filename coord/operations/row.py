"""What the table says of an operation: the classes of its rows."""

from collections.abc import Callable
from typing import Any

import attrs

from coord.operations.context import Caller, Context, View
from coord.operations.slices import Slices
from coord.wire.numbers import Permission
from coord.wire.opcodes import EXCHANGES, OpCode

Apply = Callable[[Context, int, bytes, int], bytes]
"""context, permission needed, bytes, where the body begins in them -> the reply's body."""

Answer = Callable[[View, Caller, int, bytes], bytes | Slices]
"""view, caller, permission needed, frame -> the reply's body, or what builds it step by step."""

Span = Callable[[bytes, int], int]
"""bytes, where the body begins in them -> where it ends; raises MarshallingError."""

NOTHING = Permission(0)
"""The permission that an operation needs which checks none, or not that of one node."""


@attrs.frozen
class Write:
    """A request that is replicated, then applied by every replica in the same order."""

    opcode: int
    """An `OpCode`, or an `Internal`."""
    needs: Permission
    """What the ACL of the node (create and delete: of its parent) must permit."""
    span: Span
    """Checks the shape of the body before it is proposed."""
    apply: Apply
    """Does it on every replica, or raises what is wrong with it and changes nothing."""
    is_public: bool = True
    """Whether a client may send it by itself."""
    takes_room: bool = False
    """Whether it may need more of the disk: then it is refused while that is nearly full."""


@attrs.frozen
class Read:
    """A request that the client's own replica answers."""

    opcode: OpCode
    """Its number."""
    needs: Permission
    """What the ACL of the node must permit."""
    answer: Answer
    """Answers it, or raises what is wrong with it."""


@attrs.frozen
class Refused:
    """What has an op code and yet is nothing that a client may ask for."""

    opcode: OpCode
    """Its number."""
    why: str
    """What it is instead."""


Row = Write | Read | Refused


def request_of(row: Row) -> type[Any] | None:
    """Return the record of the request; None where `wire` has none."""
    exchange = EXCHANGES.get(OpCode(row.opcode)) if row.opcode in set(OpCode) else None
    return None if exchange is None else exchange[0]
