"""Writes that are carried out exactly once, whatever becomes of their replies.

Znodes: `FOLDER/op-MARKER`, a mark, where the folder is a znode of the recipe.

1. A mark is made in the same multi as the writes of its operation. So it is there when they were
   carried out, and not there when they were not.
2. All attempts of one operation make the same mark. So at most one of them is carried out, even
   if an attempt that was given up arrives late.
3. A mark goes when its operation knows its outcome, never before.
4. When the mark is not there, the folder must be the one that was there before: whoever deletes a
   folder deletes the answer, and the outcome is unknown.

Limits: an operation costs two writes, the second of which nobody waits for. A client that dies
between the two leaves its mark; such marks are swept an hour later, by the servers' clock, once
there are a hundred. So an operation that has been in doubt for half an hour is told that the
outcome is unknown, rather than that it was not carried out.
"""

import uuid
from contextlib import suppress

import attrs

from client import decide
from client.calls import Calls
from client.errors import ClientClosed, OutcomeUnknown, ReplyLost
from client.recipes import multi
from client.recipes.multi import Refused
from client.znodes import Stat
from coord.wire.errors import NodeExists, NoNode, ZooKeeperError
from coord.wire.multi import MultiOperation, MultiResult
from coord.wire.numbers import OpCode
from coord.wire.requests import DeleteRequest, SetDataReply

PREFIX = "op-"
"""What the names of marks begin with."""

MARKS_MAX = 100
"""As many children may a folder have before anybody looks for old marks among them."""

MARK_SECONDS_MAX = 3600.0
"""A mark that is older belongs to nobody any longer."""


class NotDone(Exception):  # noqa: N818  (it says what became of the operation)
    """An attempt was certainly not carried out: its reply was lost, and there is no mark."""


@attrs.frozen
class Done:
    """An operation that was carried out."""

    note: bytes
    """What the attempt that was carried out said of itself."""
    zxid: int
    """Its zxid; 0 when nothing told, for there was no set among the writes."""
    time_ms: int
    """When that was, by the servers' clock; 0 when nothing told."""
    results: tuple[MultiResult, ...] = ()
    """What the writes answered; () when the reply was lost and the mark told."""


@attrs.define(eq=False)
class Operation:
    """One operation, in as many attempts as it takes."""

    calls: Calls
    """The requests of the client."""
    folder: str
    """The parent of the mark; a znode that is there already."""
    name: str
    """What the operation is called in errors, as "add"."""
    marker: str = attrs.field(factory=lambda: uuid.uuid4().hex, init=False)
    """What only this operation is called."""
    _began: float = attrs.field(init=False)

    @_began.default
    def _now(self) -> float:
        return self.calls.keeper.settings.clock()

    @property
    def mark(self) -> str:
        """The path of the mark."""
        return f"{self.folder}/{PREFIX}{self.marker}"

    async def attempt(self, *operations: MultiOperation, note: bytes = b"") -> Done:
        """Carry the writes out, unless an attempt before this one turns out to have done so.

        Raise Refused when one of them failed; its place is -1 when it was the mark. Raise NotDone
        when the attempt got lost on its way: then read again what it rests on and make another.
        Raise OutcomeUnknown when nothing can tell.
        """
        try:
            done = await self._attempt(operations, note)
        except (NotDone, Refused):
            raise
        except BaseException:
            self._drop()  # where nobody knows or wants to know, the mark is of no use either
            raise
        self._drop()
        return done

    async def _attempt(self, operations: tuple[MultiOperation, ...], note: bytes) -> Done:
        # The mark comes first: whatever an attempt before has changed, this shows that it has.
        try:
            _, *results = await multi.commit(self.calls, multi.create(self.mark, note), *operations)
        except ReplyLost as lost:
            return await self._look(lost)
        except Refused as refused:
            if refused.place > 0 or not isinstance(refused.error, NodeExists):
                raise Refused(refused.place - 1, refused.error) from None
            return await self._read()
        for result in results:
            if isinstance(result.reply, SetDataReply):
                stat = result.reply.stat
                return Done(note, stat.mzxid, stat.mtime, tuple(results))
        return Done(note, 0, 0, tuple(results))

    async def _look(self, lost: ReplyLost) -> Done:
        own = self.calls.own(self.folder)
        with decide.unless_away(self.name, own, lost):
            await self.calls.sync()
            try:
                return await self._read()
            except NoNode:
                folder = await self.calls.exists(self.folder)
        in_doubt_for = self.calls.keeper.settings.clock() - self._began
        if folder is None or folder.czxid > lost.zxid or in_doubt_for > MARK_SECONDS_MAX / 2:
            raise OutcomeUnknown(self.name, own) from lost
        raise NotDone from lost

    async def _read(self) -> Done:
        found = await self.calls.get(self.mark)
        return Done(found.data, found.stat.czxid, found.stat.ctime_ms)

    def _drop(self) -> None:
        """Delete the mark behind whatever was sent before, and do not wait for it."""
        self.calls.keeper.post(OpCode.DELETE, DeleteRequest(self.mark, -1))


async def sweep(calls: Calls, folder: Stat, path: str, now_ms: int) -> None:
    """Delete the marks that were left behind, if there are too many children in a folder.

    What hinders it is no error: whoever comes next sweeps again. Nor does it wait for a connection.
    folder: its Stat. now_ms: the servers' time, as a Stat of something new tells it.
    """
    if folder.num_children < MARKS_MAX:
        return
    calls = attrs.evolve(calls, waits=False)
    with suppress(ZooKeeperError, ClientClosed):
        names, _ = await calls.children(path)
        for name in names:
            mark = f"{path}/{name}"
            stat = await calls.exists(mark) if name.startswith(PREFIX) else None
            if stat is not None and now_ms - stat.ctime_ms > MARK_SECONDS_MAX * 1000:
                calls.keeper.post(OpCode.DELETE, DeleteRequest(mark, -1))
