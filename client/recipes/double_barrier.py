"""A double barrier: so many begin together, and go on together when all of them have ended.

Znodes below the barrier's own:
    members/MARKER-NUMBER   one who wants to begin or has begun, ephemeral
    round                   persistent; the names of those who have begun, one a line; empty
                            between two rounds

Rules:
1. A round begins with one multi, which checks that each of its members is there: so at one moment
   all of them were. Its members are the first `count` in the order in which they came; who comes
   later, or during a round, waits for the next.
2. Only who finds its own name in the round begins. The round stands for as long as a member of it
   is there, so nobody can miss its beginning, however long it was away.
3. The round is emptied, in the version that was read, once none of its members is there any more:
   by those who leave, or by those who wait for the next.
4. Who joins looks whether there are enough by now; who waits is woken by the round only. So nobody
   is woken by those who come.

Limits: all must ask for the same count, at most COUNT_MAX. A member that dies after it has joined
is counted until its session expires. Who dies inside, or fails, does not keep the others from going
on: what they need to know of each other's work they must tell each other.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from client.calls import Calls
from client.deadline import Prove
from client.errors import ReplyLost
from client.recipes import multi
from client.recipes.holds import Held, holding
from client.recipes.leftovers import Janitor, Leftover
from client.recipes.multi import Refused
from client.recipes.news import News
from client.recipes.queue import Displaced, Place, found_again, own, prove
from client.session import Session
from coord.wire.errors import BadVersion, NoNode, SessionExpired
from coord.wire.numbers import CreateFlag, OpCode, WatcherType
from coord.wire.requests import SetDataRequest

COUNT_MAX = 1000
"""Members of a round: as many checks fit into one multi with room to spare."""


@attrs.define(eq=False)
class Member(Place):
    """A place among those who want to begin."""

    number: int = attrs.field(default=0, init=False)
    """Its number in the round, from 0."""
    round: tuple[str, ...] = attrs.field(default=(), init=False)
    """The names of the members of the round."""
    version: int = attrs.field(default=0, init=False)
    """The version of the znode of the round."""


@attrs.define(eq=False)
class Round(Held):
    """A round of a double barrier, while the block of one of its members runs.

        async with zk.double_barrier("/phases/1", 1) as together:
            print(together.number, "of", together.count, together.token)

    The token is the same for all members of a round, and greater in the next one.
    """

    number: int = attrs.field(kw_only=True)
    """The number of this member, from 0: no other of this round has it."""
    count: int = attrs.field(kw_only=True)
    """How many members the round has."""


@attrs.frozen
class DoubleBarrier:
    """What enters one double barrier."""

    calls: Calls
    """The requests of the client."""
    janitor: Janitor
    """Takes znodes away."""
    parent: str
    """The barrier."""
    count: int = attrs.field()
    """How many begin together."""
    prove: Prove
    """Which replies prove that a session lives."""

    @count.validator
    def _check_count(self, _attribute: object, count: int) -> None:
        if not 1 <= count <= COUNT_MAX:
            raise ValueError(f"a round has 1 to {COUNT_MAX} members, not {count}")

    @property
    def members(self) -> str:
        """The parent of the members."""
        return f"{self.parent}/members"

    @property
    def round(self) -> str:
        """The znode of the round."""
        return f"{self.parent}/round"

    async def enter(self) -> Member:
        """Join, and wait until a round begins with us. Cancelled, it leaves nothing behind."""
        while True:
            session = await self.calls.keeper.attached()
            member = Member(session, Leftover(session, self.members, uuid.uuid4().hex))
            try:
                await self._join(member)
                await self._wait_for_round(member)
                await prove(self.calls, session, self.prove)
            except (SessionExpired, Displaced):
                await self.janitor.remove(member.leftover)
            except BaseException:
                await self.janitor.remove(member.leftover)
                raise
            else:
                return member

    async def leave(self, member: Member) -> None:
        """Wait until all members of the round have left; let the next one begin."""
        await self._wait_until_gone(member.round)
        await self._empty(member.version)

    async def _join(self, member: Member) -> None:
        while True:
            try:
                path, stat = await self.calls.create(
                    f"{self.members}/{member.leftover.marker}-",
                    b"",
                    CreateFlag.EPHEMERAL_SEQUENTIAL,
                    session=member.session,
                )
            except NoNode:
                await self.calls.ensure(self.members)
                continue
            except ReplyLost:
                found = await found_again(self.calls, member)
                if found is None:
                    continue
                path, stat = found
            own(member, path, stat)
            return

    async def _wait_for_round(self, member: Member) -> None:
        session = member.session
        with News(self.calls.hub) as news:
            while True:
                news.begin()
                news.expect(self.round, WatcherType.DATA)
                try:
                    znode = await self.calls.get(self.round, watch=True, session=session)
                except NoNode:
                    await self.calls.ensure(self.round)
                    continue
                inside = tuple(znode.data.decode().split())
                if member.name in inside:
                    member.number, member.round = inside.index(member.name), inside
                    member.version, member.token = znode.stat.version, znode.stat.mzxid
                    return
                if inside:
                    await self._wait_until_gone(inside, session)
                    await self._empty(znode.stat.version)
                elif not await self._begin(member, znode.stat.version, news):
                    await news.wait()

    async def _begin(self, member: Member, version: int, news: News) -> bool:
        """Begin a round, if there are enough members; False: wait for more."""
        session = member.session
        news.expect(member.path, WatcherType.DATA)
        if await self.calls.exists(member.path, watch=True, session=session) is None:
            raise Displaced
        names, _ = await self.calls.children(self.members, session=session)
        if len(names) < self.count:
            return False
        first = sorted(names, key=lambda name: int(name.rpartition("-")[2]))[: self.count]
        checks = [multi.check(f"{self.members}/{name}") for name in first]
        begin = multi.set_data(self.round, "\n".join(first).encode(), version)
        try:
            await multi.commit(self.calls, *checks, begin, session=session)
        except ReplyLost:
            return True  # the next look tells
        except Refused as refused:
            # One has left, or another was faster.
            if not isinstance(refused.error, NoNode | BadVersion):
                raise refused.error from None
        return True

    async def _empty(self, version: int) -> None:
        request = SetDataRequest(self.round, b"", version)
        while True:
            try:
                await self.calls.write(OpCode.SET_DATA, request)
            except ReplyLost:
                continue
            except (BadVersion, NoNode):
                return
            else:
                return

    async def _wait_until_gone(self, names: Sequence[str], session: Session | None = None) -> None:
        for name in names:
            path = f"{self.members}/{name}"
            with News(self.calls.hub) as news:
                while True:
                    news.expect(path, WatcherType.DATA)
                    if await self.calls.exists(path, watch=True, session=session) is None:
                        break
                    await news.wait()


@asynccontextmanager
async def entered(barrier: DoubleBarrier, path: str, nursery: trio.Nursery) -> AsyncIterator[Round]:
    """Enter, run the body, and leave together with the others; at once when the body fails."""
    member = await barrier.enter()
    held = Round(path, member.token, barrier.prove, member, barrier.calls,
                 number=member.number, count=len(member.round))  # fmt: skip
    async with holding(held, nursery, barrier.janitor):
        yield held
    await barrier.leave(member)
