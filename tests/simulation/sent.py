"""What clients sent: one record a request, and one list of writes a connection."""

from typing import Any

import attrs

from coord.wire.numbers import OpCode

WRITES = frozenset(
    {
        OpCode.CREATE,
        OpCode.CREATE2,
        OpCode.CREATE_CONTAINER,
        OpCode.DELETE,
        OpCode.SET_DATA,
        OpCode.MULTI,
        OpCode.CLOSE_SESSION,
    }
)


@attrs.define(eq=False)
class Request:
    """One request of a client, and what became of it."""

    xid: int
    opcode: OpCode
    record: Any
    """The body, as a record; None when there is none."""
    body: bytes
    sent_us: int
    floor: int
    """The greatest zxid that any client had seen when it was sent."""
    tag: str = ""
    """What it is for its client: "lock", "unlock", ..."""
    zxid: int = 0
    """Writes: the zxid under which it was applied; 0 while it was not."""
    error: int = 0
    """Writes: the outcome, as the model has it."""
    result: bytes = b""
    """Writes: the body of the reply, as the model has it."""

    @property
    def is_write(self) -> bool:
        return self.opcode in WRITES


@attrs.define(eq=False)
class Sent:
    """The writes of one connection, in order; so many of them were applied."""

    client: int
    writes: list[Request] = attrs.field(factory=list)
    applied: int = 0
