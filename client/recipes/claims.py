"""Claiming entries of a queue of work: see `client.recipes.work`."""

import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import attrs
import trio

from client.calls import Calls
from client.deadline import Prove
from client.errors import ClientClosed, LockLost, ReplyLost
from client.recipes import multi
from client.recipes.claim import Claim, Claimed, Taken
from client.recipes.entries import Bucket, Places, by_age, delete_bucket
from client.recipes.holds import holding
from client.recipes.leftovers import Janitor
from client.recipes.lines import Lines
from client.recipes.multi import Refused
from client.recipes.news import News
from client.recipes.queue import prove
from client.session import Session
from client.transactions import Paths
from client.znodes import Znode
from coord.wire.errors import BadVersion, NodeExists, NoNode, SessionExpired, ZooKeeperError
from coord.wire.numbers import CreateFlag, WatcherType
from coord.wire.requests import SetDataReply

TRIES_MAX = 8
"""Entries that somebody tries in vain, since others were faster, before it looks again."""


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
    full: Paths,
    nursery: trio.Nursery,
    *,
    wait: bool = True,
) -> AsyncIterator[Claim]:
    """Claim an entry, hold it while the body runs, and let it go or give it back."""
    claimed = await claims.acquire(wait=wait)
    held = Claim(path, claimed.token, claims.prove, claimed, claims.calls, claimed=claimed,
                 last_attempt=claims.attempts, full=full, marks=claims.places.marks,
                 nursery=nursery)  # fmt: skip
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
