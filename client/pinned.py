"""The requests of a hold: none is sent in another session, and every write carries its guard.

A write goes as a transaction of two: a check of the znode of the hold, and the write. So it is
carried out while the hold lasts, as the servers see it, or not at all.
"""

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from client.calls import Calls
from client.errors import LockLost, SessionChanged
from client.pending import Decode, Pending
from client.session import Session
from client.transactions import Guard
from coord import jute
from coord.wire.errors import NoNode, SessionExpired, error_for
from coord.wire.multi import WRITES, MultiOperation, MultiReply, MultiRequest, MultiResult
from coord.wire.numbers import OpCode
from coord.wire.requests import (
    CheckRequest,
    Create2Reply,
    CreateReply,
    ErrorReply,
    ExistsRequest,
)


@attrs.frozen
class PinnedCalls(Calls):
    """The requests of one client while it holds something."""

    session: Session = attrs.field(kw_only=True)
    """The session of the hold."""
    guard: Guard = attrs.field(kw_only=True)
    """The znode of the hold."""
    lost: Callable[[str], LockLost] = attrs.field(kw_only=True)
    """Makes the error to raise when that znode has gone; it is told how that is known."""

    @property
    def plain(self) -> Calls:
        """The same requests without pin and guard: to find out what became of a write."""
        return Calls(self.keeper, self.hub, self.waits)

    async def read(
        self,
        opcode: OpCode,
        request: object,
        session: Session | None = None,  # noqa: ARG002  (it has its own)
        decode: Decode | None = None,
    ) -> Any:
        """Send a request that changes nothing, in this session only."""
        return await self._pin(super().read, opcode, request, decode)

    async def write(
        self,
        opcode: OpCode,
        request: object,
        session: Session | None = None,  # noqa: ARG002  (it has its own)
        decode: Decode | None = None,
    ) -> Any:
        """Send a write together with the guard, in this session only."""
        if opcode == OpCode.REMOVE_WATCHES:
            return await self._pin(super().write, opcode, request, decode)
        if isinstance(request, MultiRequest):
            operations = request.operations
        elif opcode in WRITES:
            operations = (MultiOperation(opcode, request),)
        else:
            raise ValueError(f"{opcode.name.lower()} is a request that can carry no guard")
        guard = MultiOperation(OpCode.CHECK, CheckRequest(self.guard.path, -1))
        guarded = MultiRequest((guard, *operations))
        reply: MultiReply = await self._pin(super().write, OpCode.MULTI, guarded, None)
        verdict, *results = reply.results
        if isinstance(verdict.reply, ErrorReply) and verdict.reply.code == NoNode.code:
            raise self.lost("its znode has gone, so nothing was written")
        if isinstance(request, MultiRequest):
            return MultiReply(tuple(results))
        answer = await self._answer(opcode, request, results[0])
        return answer if decode is None else decode(jute.encode(answer))

    async def exchange_all(self, requests: Sequence[Pending]) -> None:  # noqa: ARG002
        """Refuse a batch: it is no transaction, so nothing in it can carry a guard."""
        raise ValueError("a batch can carry no guard: use a transaction")

    async def _pin(
        self, send: Callable[..., Any], opcode: OpCode, request: object, decode: Decode | None
    ) -> Any:
        try:
            return await send(opcode, request, self.session, decode)
        except SessionChanged:
            raise
        except SessionExpired as error:
            raise SessionChanged(f"session {self.session.id:#x}", *error.args) from error

    async def _answer(self, opcode: OpCode, request: Any, result: MultiResult) -> Any:
        reply = result.reply
        if isinstance(reply, ErrorReply):
            raise error_for(reply.code, self.own(request.path))
        if isinstance(reply, CreateReply) and opcode != OpCode.CREATE:
            # ZooKeeper before 3.8.3 tells the path only: ZOOKEEPER-4026.
            found = await self.read(OpCode.EXISTS, ExistsRequest(reply.path, watch=False))
            return Create2Reply(reply.path, found.stat)
        return reply
