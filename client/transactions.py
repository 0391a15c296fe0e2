"""Several writes in one: all of them are carried out, at one moment, or none."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import attrs

from client.calls import OPEN_ACL, Calls, create_flag
from client.errors import OutcomeUnknown, ReplyLost
from client.znodes import Stat, Znode
from coord.wire.errors import RuntimeInconsistency, ZooKeeperError, error_for
from coord.wire.multi import MultiOperation, MultiReply, MultiRequest, MultiResult
from coord.wire.numbers import OpCode
from coord.wire.records import Acl
from coord.wire.requests import (
    CheckRequest,
    Create2Reply,
    CreateReply,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ErrorReply,
    GetChildrenRequest,
    GetDataReply,
    GetDataRequest,
    SetDataReply,
    SetDataRequest,
)


class Paths(Protocol):
    """Translates the paths of a client to those of the servers."""

    def __call__(self, path: str, *, sequence: bool = False) -> str:
        """Return the path at the server."""


@attrs.frozen
class Guard:
    """Lets a transaction fail when a lock is not held any more: NoNode.

    guard = held.guard()
    async with zk.transaction() as both:
        both.add(guard)
        both.set_data("/state", b"...")
    """

    path: str
    """The znode of the hold, as the servers call it."""


class Snapshot:
    """Collects reads until `read`, which carries them out at one moment.

        snapshot = zk.snapshot()
        snapshot.get("/a")
        snapshot.get_children("/b")
        znode, names = await snapshot.read()

    ZooKeeper since 3.6 and coord know of it; others answer Unimplemented.
    """

    def __init__(self, calls: Calls, full: Paths) -> None:
        self._calls = calls
        self._full = full
        self._operations: list[MultiOperation] = []

    def get(self, path: str) -> None:
        """Read a znode; the result is a `Znode`."""
        request = GetDataRequest(self._full(path), watch=False)
        self._operations.append(MultiOperation(OpCode.GET_DATA, request))

    def get_children(self, path: str) -> None:
        """Read the names of children; the result is a list of them, in any order."""
        request = GetChildrenRequest(self._full(path), watch=False)
        self._operations.append(MultiOperation(OpCode.GET_CHILDREN, request))

    async def read(self) -> list[Znode | list[str] | ZooKeeperError]:
        """Carry them out; return a result for each, or the error that it met."""
        request = MultiRequest(tuple(self._operations))
        reply: MultiReply = await self._calls.read(OpCode.MULTI_READ, request)
        return [
            self._result(result.reply, operation.request)
            for result, operation in zip(reply.results, self._operations, strict=True)
        ]

    def _result(self, reply: Any, request: Any) -> Znode | list[str] | ZooKeeperError:
        if isinstance(reply, ErrorReply):
            return error_for(reply.code, self._calls.own(request.path))
        if isinstance(reply, GetDataReply):
            return Znode(reply.data or b"", Stat.of(reply.stat))
        return list(reply.children)


class Transaction:
    """Collects writes until `commit`; `async with` commits at the end, unless an error came.

        async with zk.transaction() as both:
            both.create("/jobs/job-", b"...", sequence=True)
            both.set_data("/state", b"busy", version=3)
        path, stat = both.results

    When a write fails, none is carried out, and its error is raised: NoNode, BadVersion and so on,
    with a note that says which one it was. Raises OutcomeUnknown when the reply was lost.
    """

    def __init__(self, calls: Calls, full: Paths) -> None:
        self._calls = calls
        self._full = full
        self._own = calls.own
        self._operations: list[MultiOperation] = []
        self.results: list[str | Stat | None] = []
        """After the commit, what `commit` returned."""

    def create(  # noqa: PLR0913
        self,
        path: str,
        value: bytes = b"",
        acl: Sequence[Acl] | None = None,
        *,
        ephemeral: bool = False,
        sequence: bool = False,
        container: bool = False,
        ttl: float | None = None,
    ) -> None:
        """Create a znode, as the client's own `create`; the result is its path."""
        flag = create_flag(
            ephemeral=ephemeral, sequence=sequence, container=container, ttl=ttl is not None
        )
        full = self._full(path, sequence=sequence)
        acls = OPEN_ACL if acl is None else tuple(acl)
        if ttl is not None:
            timed = CreateTtlRequest(full, value, acls, flag, round(ttl * 1000))
            self._operations.append(MultiOperation(OpCode.CREATE_TTL, timed))
        else:
            opcode = OpCode.CREATE_CONTAINER if container else OpCode.CREATE
            self._operations.append(MultiOperation(opcode, CreateRequest(full, value, acls, flag)))

    def delete(self, path: str, version: int = -1) -> None:
        """Delete a znode; the result is None."""
        request = DeleteRequest(self._full(path), version)
        self._operations.append(MultiOperation(OpCode.DELETE, request))

    def set_data(self, path: str, value: bytes, version: int = -1) -> None:
        """Replace the data of a znode; the result is its Stat."""
        request = SetDataRequest(self._full(path), value, version)
        self._operations.append(MultiOperation(OpCode.SET_DATA, request))

    def check(self, path: str, version: int = -1) -> None:
        """Demand that a znode has this version; the result is None.

        async with zk.transaction() as both:
            both.check("/leader", version=3)
            both.delete("/jobs/done")
        """
        request = CheckRequest(self._full(path), version)
        self._operations.append(MultiOperation(OpCode.CHECK, request))

    def add(self, guard: Guard) -> None:
        """Demand that a lock is held, as `held.guard()` says; the result is None.

        async with zk.transaction() as both:
            both.add(held.guard())
            both.create("/jobs/next", b"...")
        """
        self._operations.append(MultiOperation(OpCode.CHECK, CheckRequest(guard.path, -1)))

    async def commit(self) -> list[str | Stat | None]:
        """Carry it out; return one result for each write: a path, a Stat, or None.

        transaction = zk.transaction()
        transaction.set_data("/state", b"busy")
        (stat,) = await transaction.commit()
        """
        request = MultiRequest(tuple(self._operations))
        try:
            reply: MultiReply = await self._calls.write(OpCode.MULTI, request)
        except ReplyLost as lost:
            raise OutcomeUnknown("transaction", "") from lost
        self._raise_error(reply)
        self.results = [self._result(each) for each in reply.results]
        return self.results

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            await self.commit()

    def _raise_error(self, reply: MultiReply) -> None:
        for number, result in enumerate(reply.results):
            code = result.reply.code if isinstance(result.reply, ErrorReply) else 0
            if code not in (0, RuntimeInconsistency.code):
                operation = self._operations[number]
                path = getattr(operation.request, "path", "")
                error = error_for(code, self._own(path))
                error.add_note(
                    f"operation {number + 1} of {len(self._operations)}"
                    f" ({operation.opcode.name.lower()} {self._own(path)}); nothing was done"
                )
                raise error

    def _result(self, result: MultiResult) -> str | Stat | None:
        reply: Any = result.reply
        if isinstance(reply, CreateReply | Create2Reply):
            return self._own(reply.path)
        return Stat.of(reply.stat) if isinstance(reply, SetDataReply) else None
