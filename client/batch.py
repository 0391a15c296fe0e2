"""Many requests at once, each with an outcome of its own.

    async with zk.batch() as batch:
        names = [batch.get(f"/app/{name}") for name in ("host", "port")]
    host, port = (each.result().data for each in names)

They are sent together, in their order, and the servers carry them out in that order; others' may
come between them, and one that fails hinders none (`transaction` is what is done as a whole). For
the client that is far cheaper than a task for each.
"""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from client.calls import OPEN_ACL, Calls, create_flag
from client.errors import OutcomeUnknown, ReplyLost
from client.pending import Decode, Pending
from client.transactions import Paths
from client.znodes import Stat, Znode
from coord import jute
from coord.wire.errors import NoNode
from coord.wire.numbers import OpCode
from coord.wire.records import Acl
from coord.wire.requests import (
    CreateReply,
    CreateRequest,
    DeleteRequest,
    ExistsRequest,
    GetChildrenReply,
    GetChildrenRequest,
    GetDataRequest,
    SetDataRequest,
)

Result = TypeVar("Result")

READS = frozenset({OpCode.GET_DATA, OpCode.EXISTS, OpCode.GET_CHILDREN})
"""What is repeated when its reply was lost."""

METHODS = {
    OpCode.GET_DATA: "get",
    OpCode.EXISTS: "exists",
    OpCode.GET_CHILDREN: "get_children",
    OpCode.CREATE: "create",
    OpCode.SET_DATA: "set",
    OpCode.DELETE: "delete",
}
"""What asks for each."""


class Answer(Pending, Generic[Result]):
    """One request of a batch, and, once that was sent, its outcome.

    async with zk.batch() as batch:
        answer = batch.get("/a")
    print(answer.result().data)
    """

    __slots__ = ("_decode", "_own")

    def __init__(
        self, opcode: OpCode, request: object, decode: Decode | None, own: Callable[[str], str]
    ) -> None:
        super().__init__(opcode, request)
        self._decode = decode
        self._own = own

    def result(self) -> Result:
        """Return the outcome; raise the error that it was, or OutcomeUnknown for a lost write."""
        if not self.is_settled:
            raise RuntimeError("the batch has not been sent")
        try:
            return cast("Result", self.decoded(self._decode, self._own))
        except ReplyLost as lost:
            raise OutcomeUnknown(METHODS[self.opcode], self._own(self.path)) from lost
        except NoNode:
            if self.opcode == OpCode.EXISTS:
                return cast("Result", None)
            raise


class Batch:
    """Collects requests until `send`; `async with` sends at the end, unless an error came.

    async with zk.batch() as batch:
        made = [batch.create(f"/jobs/{name}", b"new") for name in "abc"]
        batch.set("/state", b"full")
        batch.delete("/jobs/old", version=3)
        there, names = batch.exists("/a"), batch.get_children("/jobs")
        data = batch.get("/a")
    print([each.result() for each in made], there.result(), names.result())
    """

    def __init__(self, calls: Calls, full: Paths) -> None:
        self._calls = calls
        self._full = full
        self._own = calls.own
        self._answers: list[Answer[Any]] = []

    def get(self, path: str) -> Answer[Znode]:
        """Read a znode."""
        return self._add(OpCode.GET_DATA, GetDataRequest(self._full(path), False), Znode.read)  # noqa: FBT003

    def exists(self, path: str) -> Answer[Stat | None]:
        """Read the Stat of a znode; None when there is none."""
        return self._add(OpCode.EXISTS, ExistsRequest(self._full(path), False), Stat.read)  # noqa: FBT003

    def get_children(self, path: str) -> Answer[list[str]]:
        """Read the names of children, in any order."""
        request = GetChildrenRequest(self._full(path), watch=False)
        return self._add(OpCode.GET_CHILDREN, request, _names)

    def create(
        self,
        path: str,
        value: bytes = b"",
        acl: Sequence[Acl] | None = None,
        *,
        ephemeral: bool = False,
        sequence: bool = False,
    ) -> Answer[str]:
        """Create a znode; the result is its path."""
        flag = create_flag(ephemeral=ephemeral, sequence=sequence, container=False, ttl=False)
        acls = OPEN_ACL if acl is None else tuple(acl)
        request = CreateRequest(self._full(path, sequence=sequence), value, acls, flag)
        return self._add(OpCode.CREATE, request, self._created)

    def set(self, path: str, value: bytes, version: int = -1) -> Answer[Stat]:
        """Replace the data of a znode, if it has this version."""
        request = SetDataRequest(self._full(path), value, version)
        return self._add(OpCode.SET_DATA, request, Stat.read)

    def delete(self, path: str, version: int = -1) -> Answer[None]:
        """Delete a znode, if it has this version."""
        return self._add(OpCode.DELETE, DeleteRequest(self._full(path), version), None)

    async def send(self) -> None:
        """Send them all and wait for the outcomes; what is added from then on is another batch.

            batch = zk.batch()
            there = batch.exists("/a")
            await batch.send()
            print(there.result() is not None)

        Reads whose reply was lost are repeated. With when_away="fail", Away is the outcome of all
        that could not be sent.
        """
        answers, self._answers = self._answers, []
        while answers:
            await self._calls.exchange_all(answers)
            answers = [each for each in answers if each.opcode in READS and each.is_lost]
            for each in answers:
                each.renew()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            await self.send()

    def _add(self, opcode: OpCode, request: object, decode: Decode | None) -> Answer[Any]:
        answer: Answer[Any] = Answer(opcode, request, decode, self._own)
        self._answers.append(answer)
        return answer

    def _created(self, body: bytes) -> str:
        return self._own(jute.decode(CreateReply, body)[0].path)


def _names(body: bytes) -> list[str]:
    return list(jute.decode(GetChildrenReply, body)[0].children)
