"""One request on its way: sent, answered, or lost with its connection."""

import logging
from collections.abc import Callable
from typing import Any

import attrs
import trio

from client.errors import ReplyLost
from client.session import Session
from coord import jute
from coord.wire.connection import Reply
from coord.wire.errors import ConnectionLoss, error_for
from coord.wire.numbers import CreateFlag, OpCode
from coord.wire.opcodes import EXCHANGES
from coord.wire.requests import CreateRequest

Decode = Callable[[bytes], Any]
"""Makes of the body of a reply what the request was about; raises ValueError if it cannot."""


_log = logging.getLogger(__name__)


@attrs.frozen
class PendingRequest:
    """A request that has no outcome yet, as it is seen at one moment.

    for each in zk.pending():
        if each.seconds > 1:
            print(each.operation, each.path, each.is_sent, each.session)
    """

    operation: str
    """What was asked for, as "get_data"."""
    path: str
    """The znode it is about; "" where there is none, or several."""
    seconds: float
    """For how long it has waited: since it was sent, or else for a connection that takes it."""
    is_sent: bool
    """Whether it was handed to a connection, so that servers may carry it out."""
    session: Session | None
    """The session it was sent in, or is pinned to; None: it waits, and any session will do."""

    def __str__(self) -> str:
        since = f"sent {self.seconds:.1f} s ago" if self.is_sent else f"waits {self.seconds:.1f} s"
        return f"{self.operation} {self.path} ({since})"


class NotSent(Exception):  # noqa: N818  (named after what happened)
    """The connection broke before the request was handed to it: another one may carry it."""


class Pending:
    """A request that waits for its reply, and the task that waits for both, if it still does."""

    __slots__ = ("_outcome", "_task", "opcode", "request", "sent_at", "then", "zxid")

    def __init__(
        self, opcode: OpCode, request: object, then: Callable[[Reply], None] | None = None
    ) -> None:
        self.opcode = opcode
        self.request = request
        self.then = then
        """Called with the reply before anything that follows it on the wire is looked at."""
        self.sent_at = 0.0
        """When it was sent, by the client's clock."""
        self.zxid = 0
        """The last zxid that the client had seen then."""
        self._outcome: Reply | Exception | None = None
        self._task: trio.lowlevel.Task | None = None

    async def settled(self) -> None:
        """Wait until it is settled. When this is cancelled, the reply is ignored once it comes."""
        if self._outcome is None:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abandon)

    @property
    def reply(self) -> Reply:
        """The reply that came. Raises the reason why there is none."""
        outcome = self._outcome
        if type(outcome) is Reply:
            return outcome
        assert isinstance(outcome, Exception)
        raise outcome

    @property
    def is_settled(self) -> bool:
        """Whether there is a reply, or will be none."""
        return self._outcome is not None

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke after it was sent and before the reply came."""
        return isinstance(self._outcome, ReplyLost)

    @property
    def is_unsent(self) -> bool:
        """Whether the connection broke before it was sent."""
        return isinstance(self._outcome, NotSent)

    @property
    def error(self) -> int | None:
        """0, the code of an error, or that of ConnectionLoss when it is lost; None: not settled."""
        if isinstance(self._outcome, Reply):
            return self._outcome.error
        return ConnectionLoss.code if self.is_lost else None

    @property
    def path(self) -> str:
        """The znode it is about; "" where there is none, or several."""
        return getattr(self.request, "path", None) or ""

    @property
    def ephemerals(self) -> list[str]:
        """The ephemeral znodes that it makes, those left out that get a number."""
        parts = getattr(self.request, "operations", (self,))
        made = [part.request for part in parts if isinstance(part.request, CreateRequest)]
        return [request.path for request in made if request.flags == CreateFlag.EPHEMERAL]

    def settle(self, outcome: Reply | Exception) -> None:
        """Give it a reply, or the reason why there will be none."""
        self._outcome = outcome
        if self.then is not None and isinstance(outcome, Reply):
            self.then(outcome)
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    def renew(self) -> None:
        """Make it as it was before it was sent."""
        self._outcome = None

    def decoded(self, decode: Decode | None, own: Callable[[str], str]) -> Any:
        """Return what the reply says; raise the error that it bears.

        own: makes of a path at the servers the one that the error names.
        """
        reply = self.reply
        if reply.error:
            path = [own(self.path)] if hasattr(self.request, "path") else []
            raise error_for(reply.error, *path)
        if decode is not None:
            return decode(reply.body)
        record = EXCHANGES[self.opcode][1]
        return None if record is None else jute.decode(record, reply.body)[0]

    def seen(self, seconds: float, session: Session | None, *, is_sent: bool) -> PendingRequest:
        """Return how it stands, for somebody to look at."""
        return PendingRequest(self.opcode.name.lower(), self.path, seconds, is_sent, session)

    def _abandon(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        _log.debug("nobody waits for the reply to %s %s", self.opcode.name.lower(), self.path)
        return trio.lowlevel.Abort.SUCCEEDED
