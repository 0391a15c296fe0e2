"""What recipes put into one request: several writes of which all are carried out, or none.

As `client.transactions`, but on the paths of the servers, pinned to a session where need be, and
with the place of the write that failed: recipes decide by it what to do next.
"""

from client.calls import OPEN_ACL, Calls
from client.session import Session
from coord.wire.errors import RuntimeInconsistency, ZooKeeperError, error_for
from coord.wire.multi import MultiOperation, MultiReply, MultiRequest, MultiResult
from coord.wire.numbers import CreateFlag, OpCode
from coord.wire.records import Acl
from coord.wire.requests import (
    CheckRequest,
    CreateRequest,
    DeleteRequest,
    ErrorReply,
    SetDataRequest,
)


class Refused(Exception):  # noqa: N818  (it says what happened to the multi)
    """Nothing was carried out, because one of the writes failed."""

    def __init__(self, place: int, error: ZooKeeperError) -> None:
        super().__init__(f"operation {place + 1} of a multi: {error!r}")
        self.place = place
        """Which one failed, counted from 0."""
        self.error = error
        """Why."""


def create(
    path: str,
    data: bytes = b"",
    flag: CreateFlag = CreateFlag.PERSISTENT,
    acl: tuple[Acl, ...] = OPEN_ACL,
) -> MultiOperation:
    """Create a znode; answers with its path only, for so ZooKeeper answers here."""
    return MultiOperation(OpCode.CREATE, CreateRequest(path, data, acl, flag))


def set_data(path: str, data: bytes, version: int = -1) -> MultiOperation:
    """Replace the data of a znode, if it has this version; answers with its Stat."""
    return MultiOperation(OpCode.SET_DATA, SetDataRequest(path, data, version))


def delete(path: str, version: int = -1) -> MultiOperation:
    """Delete a znode, if it has this version."""
    return MultiOperation(OpCode.DELETE, DeleteRequest(path, version))


def check(path: str, version: int = -1) -> MultiOperation:
    """Demand that a znode is there, and has this version."""
    return MultiOperation(OpCode.CHECK, CheckRequest(path, version))


async def commit(
    calls: Calls, *operations: MultiOperation, session: Session | None = None
) -> tuple[MultiResult, ...]:
    """Carry it out. Raise Refused when it was not, ReplyLost when nobody knows."""
    request = MultiRequest(operations)
    reply: MultiReply = await calls.write(OpCode.MULTI, request, session)
    for place, result in enumerate(reply.results):
        code = result.reply.code if isinstance(result.reply, ErrorReply) else 0
        if code not in (0, RuntimeInconsistency.code):
            path = getattr(operations[place].request, "path", "")
            raise Refused(place, error_for(code, calls.own(path)))
    return reply.results
