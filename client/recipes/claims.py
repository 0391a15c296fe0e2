"""Claims of entries of a queue of work: holds, as locks are. See `client.recipes.work`."""

import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import attrs
import trio

from client.calls import Calls
from client.deadline import Prove
from client.errors import ClientClosed, LockLost, ReplyLost
from client.pending import Decode
from client.recipes import multi
from client.recipes.entries import Bucket, Places, by_age, delete_bucket, id_of
from client.recipes.holds import Held, holding
from client.recipes.leftovers import Janitor, Leftover
from client.recipes.lines import Lines
from client.recipes.multi import Refused
from client.recipes.news import News
from client.recipes.queue import Place, prove
from client.session import Session
from client.transactions import Paths, Transaction
from client.znodes import Znode
from coord.wire.errors import (
    BadVersion,
    NodeExists,
    NoNode,
    RuntimeInconsistency,
    SessionExpired,
    ZooKeeperError,
)
from coord.wire.multi import MultiOperation, MultiReply, MultiRequest, MultiResult
from coord.wire.numbers import CreateFlag, OpCode, WatcherType
from coord.wire.requests import ErrorReply, SetDataReply

TRIES_MAX = 8
"""Entries that somebody tries in vain, since others were faster, before it looks again."""


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
    _paths: tuple[Paths, Any] = attrs.field(kw_only=True, repr=False)
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
        """Whether the entry has gone by our own hand: then there is nothing left to lose."""
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
        results are [] when the reply was lost and only the outcome could be found out.
        """
        return Transaction(_Settling(self._calls.keeper, self._calls.hub, claim=self), *self._paths)

    async def settle(self, *writes: MultiOperation) -> tuple[MultiResult, ...]:
        """Let the entry go together with some writes. For the client's own use.

        Raise LockLost when the claim is lost, Refused when one of the writes failed.
        """
        if self._is_settled:
            raise RuntimeError(f"the entry {self.id} is finished already")
        claimed, session = self._claimed, self._claimed.session
        self._is_settling = True
        self._watching.cancel()  # from now on the znode goes by our own hand
        operations = (*claimed.settlement, *writes)
        while True:
            try:
                results = await multi.commit(self._calls, *operations, session=session)
            except ReplyLost:
                await self._calls.sync(session)
                if await self._calls.exists(claimed.path, session=session) is not None:
                    continue
                if await self._calls.exists(claimed.entry, session=session) is not None:
                    raise self._error("its znode was deleted") from None
                results = ()
            except Refused as refused:
                if refused.place < 2:
                    raise self._error(f"it is another's now: {refused.error!r}") from None
                raise Refused(refused.place - 2, refused.error) from None
            self._is_settled = True
            session.holds.discard(self)
            claimed.leftover.done.set()
            return results[2:]

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


@attrs.frozen
class Claims:
    """What claims entries of one queue."""

    calls: Calls
    """The requests of the client."""
    janitor: Janitor
    """Takes znodes away."""
    places: Places
    """Where the queue is."""
    prove: Prove
    """Which replies prove that a session lives."""
    attempts: int
    """How often an entry may be claimed."""
    lines: Lines
    """The lines of this client's tasks: one of them looks for work, the others wait for it."""

    async def acquire(self, *, wait: bool = True) -> Claimed:
        """Claim an entry, once there is one. Without `wait`, raise WouldBlock if there is none.

        Cancelled at any point, it leaves nothing behind.
        """
        if not wait:
            return await self._acquire(wait=False)
        turn = await self.lines.take(f"{self.places.root} for work", alone=True, wait=True)
        try:
            return await self._acquire(wait=True)
        finally:
            turn.leave()

    async def _acquire(self, *, wait: bool) -> Claimed:
        with News(self.calls.hub) as news:
            while True:
                session = await self.calls.keeper.attached()
                try:
                    claimed = await self._look(session, news)
                except SessionExpired:
                    continue
                if claimed is not None:
                    return claimed
                if not wait:
                    raise trio.WouldBlock
                await news.wait()

    async def _look(self, session: Session, news: News) -> Claimed | None:
        """Claim an entry, or return None where all are taken that are there."""
        while True:
            news.begin()
            try:
                buckets = sorted(await self._children(self.places.entries, session, news))
                taken = set(await self._children(self.places.taken, session, news))
            except NoNode:
                await self.places.ensure(self.calls)
                continue
            in_vain = False
            for name in buckets:
                bucket = self.places.bucket(name)
                try:
                    names = await self._children(bucket.path, session, news)
                except NoNode:
                    continue
                if not names and name != buckets[-1]:
                    await delete_bucket(self.calls, bucket.path)
                free = sorted((each for each in names if each not in taken), key=by_age)
                claimed = await self._claim_one(session, bucket, free)
                if claimed is not None:
                    return claimed
                in_vain = in_vain or bool(free)
            if not in_vain:
                return None

    async def _children(self, path: str, session: Session, news: News) -> list[str]:
        news.expect(path, WatcherType.CHILDREN)
        return (await self.calls.children(path, watch=True, session=session))[0]

    async def _claim_one(self, session: Session, bucket: Bucket, free: list[str]) -> Claimed | None:
        """Claim the oldest; where somebody was faster, another one by chance."""
        for _ in range(min(TRIES_MAX, len(free))):
            name = free.pop(0)
            claimed = await self._claim(session, bucket, name)
            if claimed is not None:
                return claimed
            random.shuffle(free)
        return None

    async def _claim(self, session: Session, bucket: Bucket, name: str) -> Claimed | None:
        try:
            znode = await self.calls.get(f"{bucket.path}/{name}", session=session)
        except NoNode:
            return None
        if znode.stat.version >= self.attempts:
            await self._bury(session, bucket, name, znode)
            return None
        path = f"{self.places.taken}/{name}"
        leftover = Taken(session, self.places.taken, uuid.uuid4().hex, path)
        claimed = Claimed(session, leftover, path, bucket=bucket, data=znode.data,
                          attempt=znode.stat.version + 1)  # fmt: skip
        try:
            if await self._take(claimed):
                await prove(self.calls, session, self.prove)
                return claimed
        except SessionExpired:
            raise
        except BaseException:
            await self.janitor.remove(leftover)
            raise
        return None

    async def _take(self, claimed: Claimed) -> bool:
        """Make the znode of a claim; False: somebody else was faster."""
        marker = claimed.leftover.marker.encode()
        create = multi.create(claimed.path, marker, CreateFlag.EPHEMERAL)
        count = multi.set_data(claimed.entry, claimed.data, claimed.attempt - 1)
        session = claimed.session
        try:
            _, counted = await multi.commit(self.calls, create, count, session=session)
        except Refused as refused:
            await self._lost_race(refused)
            return False
        except ReplyLost:
            await self.calls.sync(session)
            try:
                found = await self.calls.get(claimed.path, session=session)
            except NoNode:
                return False
            claimed.token = found.stat.czxid
            return found.data == marker
        else:
            assert isinstance(counted.reply, SetDataReply)
            claimed.token = counted.reply.stat.mzxid
            return True

    async def _lost_race(self, refused: Refused) -> None:
        """Go on where somebody was faster; make what is missing; raise what is really wrong."""
        if refused.place == 0 and isinstance(refused.error, NoNode):
            await self.places.ensure(self.calls)
        elif not isinstance(refused.error, NodeExists | NoNode | BadVersion):
            raise refused.error from None

    async def _bury(self, session: Session, bucket: Bucket, name: str, znode: Znode) -> None:
        """Put an entry with the dead whose last claim ended without a word."""
        taken = f"{self.places.taken}/{name}"
        await self.calls.ensure(bucket.dead)
        try:
            await multi.commit(
                self.calls,
                multi.create(taken, b"", CreateFlag.EPHEMERAL),  # fails while it is claimed
                multi.delete(f"{bucket.path}/{name}", znode.stat.version),
                multi.create(f"{bucket.dead}/{name}", znode.data),
                multi.delete(taken),
                session=session,
            )
        except Refused as refused:
            await self._lost_race(refused)
        except ReplyLost:
            return  # whoever looks next finds out


@asynccontextmanager
async def claim(
    claims: Claims,
    path: str,
    paths: tuple[Paths, Any],
    nursery: trio.Nursery,
    *,
    wait: bool = True,
) -> AsyncIterator[Claim]:
    """Claim an entry, hold it while the body runs, and let it go or give it back."""
    claimed = await claims.acquire(wait=wait)
    held = Claim(path, claimed.token, claims.prove, claimed, claims.calls, claimed=claimed,
                 last_attempt=claims.attempts, paths=paths)  # fmt: skip
    async with holding(held, nursery, claims.janitor):
        try:
            yield held
        except LockLost:
            raise
        except Exception:
            with suppress(LockLost, ZooKeeperError, ClientClosed):
                await held._fail()  # noqa: SLF001  (else whoever claims it next does it)
            raise
        if not held._is_settled:  # noqa: SLF001
            await held.settle()
