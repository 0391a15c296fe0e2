"""A claim of an entry of a queue of work: a hold, as a lock is. See `client.recipes.work`."""

from contextlib import suppress
from typing import Any

import attrs
import trio

from client.calls import Calls
from client.errors import ReplyLost
from client.pending import Decode
from client.recipes import multi, once
from client.recipes.entries import Bucket, id_of
from client.recipes.holds import Held, watch_own_znode
from client.recipes.leftovers import Leftover
from client.recipes.multi import Refused
from client.recipes.queue import Place
from client.session import Session
from client.transactions import Paths, Transaction
from coord.wire.errors import NoNode, RuntimeInconsistency
from coord.wire.multi import MultiOperation, MultiReply, MultiRequest, MultiResult
from coord.wire.numbers import OpCode
from coord.wire.requests import ErrorReply


@attrs.define(eq=False)
class Taken(Leftover):
    """The znode of a claim. It bears the name of the entry, so its data tells whose it is."""

    async def take_away(self, calls: Calls) -> None:
        """Delete it; NoNode when it is not there."""
        assert self.path is not None
        await calls.sync(self.session)
        if (await calls.get(self.path, session=self.session)).data != self.marker.encode():
            raise NoNode(self.path)
        await calls.delete(self.path, session=self.session)


@attrs.define(eq=False)
class Claimed(Place):
    """An entry that is claimed."""

    bucket: Bucket = attrs.field(kw_only=True)
    """Where it is."""
    data: bytes = attrs.field(kw_only=True)
    """What was put."""
    attempt: int = attrs.field(kw_only=True)
    """How often it was claimed, this claim included; the version of the entry."""

    @property
    def entry(self) -> str:
        """The path of the entry."""
        return f"{self.bucket.path}/{self.path.rpartition('/')[2]}"

    @property
    def settlement(self) -> tuple[MultiOperation, MultiOperation]:
        """What makes an end of the entry and of the claim, if it is still this one."""
        return multi.delete(self.entry, self.attempt), multi.delete(self.path)


@attrs.define(eq=False)
class Claim(Held):
    """An entry of a queue, while its block runs.

    async with zk.queue("/work").claim() as claim:
        print(claim.id, claim.attempt, claim.is_last_attempt)
        await resize(claim.data)
    print(claim.is_finished)
    """

    _claimed: Claimed = attrs.field(kw_only=True, repr=False)
    _last_attempt: int = attrs.field(kw_only=True, repr=False)
    _full: Paths = attrs.field(kw_only=True, repr=False)
    _marks: str = attrs.field(kw_only=True, repr=False)
    _nursery: trio.Nursery = attrs.field(kw_only=True, repr=False)
    _is_settling: bool = attrs.field(default=False, init=False)
    _is_settled: bool = attrs.field(default=False, init=False)

    @property
    def id(self) -> str:
        """What `put` returned for it."""
        return id_of(self._claimed.path.rpartition("/")[2])

    @property
    def data(self) -> bytes:
        """What was put."""
        return self._claimed.data

    @property
    def attempt(self) -> int:
        """How often it was claimed, this time included: 1 the first time."""
        return self._claimed.attempt

    @property
    def is_last_attempt(self) -> bool:
        """Whether the entry goes to the dead when this block fails."""
        return self.attempt >= self._last_attempt

    @property
    def is_finished(self) -> bool:
        """Whether the entry has gone: then there is nothing left to lose."""
        return self._is_settled

    def lose(self, reason: str) -> None:
        """End it, unless it is finished. For the client's own use."""
        if self._is_settled:
            return
        if self._is_settling:
            reason += "; the entry may have been finished just before, or not"
        super().lose(reason)

    def finish(self) -> Transaction:
        """Begin a transaction with which the entry goes: its writes and the end of the entry.

            async with queue.claim() as claim:
                result = await work(claim.data)
                async with claim.finish() as both:
                    both.create(f"/results/{claim.id}", result)

        So the effect of the work is there exactly once. Raises LockLost when the claim was lost,
        and what a transaction raises when one of its own writes fails; then the entry stays. The
        results are [] when the reply was lost and only the outcome could be found out. Raises
        OutcomeUnknown when not even that could.
        """
        return Transaction(_Settling(self._calls.keeper, self._calls.hub, claim=self), self._full)

    async def settle(self, *writes: MultiOperation) -> tuple[MultiResult, ...]:
        """Let the entry go together with some writes. For the client's own use.

        Raise LockLost when the claim is lost, Refused when one of the writes failed.
        """
        if self._is_settled:
            raise RuntimeError(f"the entry {self.id} is finished already")
        self._is_settling = True
        self._watching.cancel()  # from now on the znode goes by our own hand
        try:
            results = await (self._end_with(writes) if writes else self._end())
        except BaseException as error:
            self._is_settling = not isinstance(error, Refused)
            self._watching = trio.CancelScope()
            self._nursery.start_soon(watch_own_znode, self, self._watching)
            raise
        self._is_settled = True
        self.session.holds.discard(self)
        self._claimed.leftover.done.set()
        return results

    async def _end(self) -> tuple[MultiResult, ...]:
        """Let the entry go. After a lost reply it is enough that it has gone with the claim."""
        claimed, session = self._claimed, self._claimed.session
        while True:
            try:
                await multi.commit(self._calls, *claimed.settlement, session=session)
            except ReplyLost:
                await self._calls.sync(session)
                if await self._calls.exists(claimed.path, session=session) is not None:
                    continue
                if await self._calls.exists(claimed.entry, session=session) is not None:
                    raise self._error("its znode was deleted") from None
            except Refused as refused:
                raise self._error(f"it is another's now: {refused.error!r}") from None
            return ()

    async def _end_with(self, writes: tuple[MultiOperation, ...]) -> tuple[MultiResult, ...]:
        """Let the entry go with some writes. Another may have let it go: a mark tells who did."""
        finish = once.Operation(self._calls, self._marks, "finish")
        while True:
            try:
                done = await finish.attempt(*self._claimed.settlement, *writes)
            except once.NotDone:
                continue
            except Refused as refused:
                if refused.place < 0 and isinstance(refused.error, NoNode):
                    await self._calls.ensure(self._marks)
                    continue
                if refused.place < 0:
                    raise refused.error from None
                if refused.place < 2:
                    raise self._error(f"it is another's now: {refused.error!r}") from None
                raise Refused(refused.place - 2, refused.error) from None
            return done.results[2:]

    async def _fail(self) -> None:
        """Put the entry with the dead, if this was its last attempt; else it is given back."""
        if self.is_last_attempt and not self._is_settled:
            claimed = self._claimed
            await self._calls.ensure(claimed.bucket.dead)
            name = claimed.path.rpartition("/")[2]
            with suppress(Refused):
                await self.settle(multi.create(f"{claimed.bucket.dead}/{name}", self.data))


@attrs.frozen
class _Settling(Calls):
    """The requests of a transaction with which an entry goes."""

    claim: Claim = attrs.field(kw_only=True)
    """The claim of the entry."""

    async def write(
        self,
        opcode: OpCode,
        request: Any,
        session: Session | None = None,  # noqa: ARG002  (that of the claim)
        decode: Decode | None = None,  # noqa: ARG002  (a transaction takes the record)
    ) -> Any:
        """Send the writes together with the end of the entry."""
        assert opcode == OpCode.MULTI
        operations: MultiRequest = request
        try:
            return MultiReply(await self.claim.settle(*operations.operations))
        except Refused as refused:
            codes = [0] * refused.place + [refused.error.code]
            codes += [RuntimeInconsistency.code] * (len(operations.operations) - len(codes))
            return MultiReply(tuple(MultiResult(OpCode.ERROR, ErrorReply(c)) for c in codes))
