"""A queue of contenders, under which locks and elections lie.

A contender is an ephemeral znode with a number; the lowest number is first. Who wants to be alone
waits for all before it, who reads for those before it that do not. Each watches one other only, so
that nobody is woken in vain. The rules that keep it safe:

* A znode is ours only if its owner is our present session. What an earlier session left behind may
  look like ours for a while.
* The name contains a marker that nobody else has, so that the znode can be found when the reply to
  its creation was lost, and is deleted by that name, never by its place in the queue.
* Whoever stops waiting, for whatever reason, takes its znode away: see `client.recipes.leftovers`.

A reader that upgrades keeps its znode and joins a second time, and waits for the other readers
before it. Somebody who wants to be alone and came before that second znode waits for the first one:
the two would wait for each other, so the reader is told. It cannot go first: those that read behind
the other one would come in beside it as soon as the other one gives up.
"""

from collections.abc import Sequence
from contextlib import suppress

import attrs
import trio

from client.calls import OPEN_ACL, Calls
from client.deadline import Prove
from client.errors import ReplyLost, WouldDeadlock
from client.recipes import multi
from client.recipes.layouts import Contender, Kind, Layout
from client.recipes.leftovers import Janitor, Leftover
from client.recipes.lines import Lines, Turn
from client.recipes.multi import Refused
from client.session import Session
from client.znodes import Stat
from coord.wire.errors import NoNode, SessionExpired
from coord.wire.numbers import CreateFlag, WatcherType
from coord.wire.records import Acl

_LAST = 1 << 62
"""A number that none reaches: for a contender that has not joined yet."""


class Displaced(Exception):  # noqa: N818  (nobody's error)
    """Our znode is gone though we did not delete it: join again, at the end."""


@attrs.define(eq=False)
class Place:
    """A place in the queue."""

    session: Session
    """Its owner."""
    leftover: Leftover
    """What takes the znode away."""
    path: str = ""
    """The znode."""
    token: int = 0
    """czxid of the znode: greater than that of every contender before it."""
    turn: Turn | None = None
    """The turn among the tasks of this client; None for what does not stand in line there."""

    @property
    def name(self) -> str:
        """The znode's name."""
        return self.path.rpartition("/")[2]

    def end_turn(self) -> None:
        """Let the next task of this client come, after the znode was given up."""
        if self.turn is not None:
            self.turn.leave()
            self.turn = None


def blocker(contenders: Sequence[Contender], own: Contender, base: str | None) -> Contender | None:
    """Return whom a contender waits for, None when it holds. `contenders` are in order.

    `base` is the name of the znode that an upgrading reader has already.
    """
    ahead = [each for each in contenders if each < own]
    if own.kind == "write":
        return ahead[-1] if ahead else None
    if own.kind == "read":
        return next((each for each in reversed(ahead) if each.kind != "read"), None)
    if any(each.kind != "read" for each in ahead):
        raise WouldDeadlock("somebody who wants to be alone waits for this reader to leave")
    return next((each for each in reversed(ahead) if each.name != base), None)


@attrs.frozen
class Queue:
    """The contenders under one znode."""

    calls: Calls
    """The requests of the client."""
    janitor: Janitor
    """Takes znodes away."""
    parent: str
    """The znode they are under."""
    layout: Layout
    """How they are named."""
    data: bytes
    """What our own znodes hold: who we are."""
    prove: Prove
    """Which replies prove that our session lives."""
    lines: Lines
    """The lines of this client's tasks."""
    kind: Kind = "write"
    """What we want."""
    base: Place | None = None
    """The place that an upgrading reader has already; None for all others."""
    acl: tuple[Acl, ...] = OPEN_ACL
    """Who may do what with our own znodes."""

    async def acquire(self, *, wait: bool = True) -> Place:
        """Join and wait until it is our turn. Without `wait`, raise WouldBlock if it is not.

        Without `wait` it looks before it joins: trying in vain costs a read and no write. Cancelled
        at any point, it leaves nothing behind.
        """
        turn = None
        if self.base is None:
            turn = await self.lines.take(self.parent, alone=self.kind == "write", wait=wait)
        try:
            place = await self._acquire(wait=wait)
        except BaseException:
            if turn is not None:
                turn.leave()
            raise
        place.turn = turn
        return place

    async def release(self, place: Place) -> bool:
        """Leave; return whether the znode is known to be gone. Cannot be cancelled."""
        try:
            return await self.janitor.remove(place.leftover)
        finally:
            place.end_turn()

    async def contenders(
        self, session: Session | None = None, *, watch: bool = False
    ) -> list[Contender]:
        """Return all contenders, the first one first."""
        while True:
            try:
                names, _ = await self.calls.children(self.parent, watch=watch, session=session)
            except NoNode:
                if not watch or await self.calls.exists(self.parent, watch=True) is None:
                    return []
            else:
                parsed = (self.layout.parse(name) for name in names)
                return sorted(each for each in parsed if each is not None)

    async def put_next(self, place: Place, data: bytes) -> bool:
        """Bring the first contender with these data right behind the place that holds.

        Those between the two lose their places, and join again at the end, as whoever finds its
        znode gone does. False: nobody waits with these data. Raise Displaced where nothing is held.
        """
        while True:
            deletes = []
            names = [each.name for each in await self.contenders(place.session)]
            for path in (f"{self.parent}/{name}" for name in names if name != place.name):
                with suppress(NoNode):
                    if (await self.calls.get(path, session=place.session)).data == data:
                        break
                    deletes.append(multi.delete(path))
            else:
                return False
            try:
                await multi.commit(
                    self.calls, multi.check(place.path), *deletes, session=place.session
                )
            except ReplyLost:
                continue
            except Refused as refused:
                if refused.place == 0:
                    raise Displaced from None
                if not isinstance(refused.error, NoNode):
                    raise refused.error from None
                continue  # somebody has left meanwhile
            return True

    async def wait_until_gone(self, path: str, session: Session | None = None) -> None:
        """Wait until a znode is deleted."""
        hub = self.calls.hub
        waiter = hub.wait_for(path, WatcherType.DATA)
        try:
            while True:
                waiter.lower_flag()
                await self.calls.get(path, watch=True, session=session)
                await waiter.wait()
        except NoNode:
            return
        finally:
            hub.leave(waiter)

    async def _acquire(self, *, wait: bool) -> Place:
        while True:
            session = await self._session()
            if not wait:
                await self._look(session)
            place = Place(session, Leftover(session, self.parent, self.layout.marker()))
            try:
                await self._join(place)
                await self._wait_for_turn(place, wait=wait)
                await prove(self.calls, session, self.prove)
            except (SessionExpired, Displaced):
                await self.janitor.remove(place.leftover)
                if self.base is not None and session.ended is not None:
                    raise  # what was to be upgraded is lost
                continue
            except BaseException:
                await self.janitor.remove(place.leftover)
                raise
            return place

    async def _session(self) -> Session:
        if self.base is not None:
            return self.base.session
        return await self.calls.keeper.attached()

    async def _look(self, session: Session) -> None:
        """Raise WouldBlock when somebody is before us already."""
        contenders = await self.contenders(session)
        if self._blocker(contenders, Contender(_LAST, "", self.kind)) is not None:
            raise trio.WouldBlock

    def _blocker(self, contenders: Sequence[Contender], own: Contender) -> Contender | None:
        return blocker(contenders, own, None if self.base is None else self.base.name)

    async def _join(self, place: Place) -> None:
        name = self.layout.prefix(self.kind, place.leftover.marker, place.session.id)
        while True:
            try:
                path, stat = await self.calls.create(
                    f"{self.parent}/{name}",
                    self.data,
                    CreateFlag.EPHEMERAL_SEQUENTIAL,
                    acl=self.acl,
                    session=place.session,
                )
            except NoNode:
                await self.calls.ensure(self.parent, container=self.layout.container)
                continue
            except ReplyLost:
                found = await found_again(self.calls, place)
                if found is None:
                    continue
                path, stat = found
            own(place, path, stat)
            return

    async def _wait_for_turn(self, place: Place, *, wait: bool) -> None:
        while True:
            contenders = await self.contenders(place.session)
            ours = next((each for each in contenders if each.name == place.name), None)
            if ours is None:
                raise Displaced
            before = self._blocker(contenders, ours)
            if before is None:
                return
            if not wait:
                raise trio.WouldBlock
            await self.wait_until_gone(f"{self.parent}/{before.name}", place.session)


def own(place: Place, path: str, stat: Stat) -> None:
    """Take a znode for ours, or raise Displaced where another session owns it."""
    if stat.ephemeral_owner != place.session.id:
        raise Displaced
    place.path = place.leftover.path = path
    place.token = stat.czxid


async def found_again(calls: Calls, place: Place) -> tuple[str, Stat] | None:
    """Return a znode whose creation was not answered; None when it was not created."""
    path = await place.leftover.find(calls)
    stat = None if path is None else await calls.exists(path, session=place.session)
    return None if path is None or stat is None else (path, stat)


async def prove(calls: Calls, session: Session, how: Prove) -> None:
    """Make sure that a session has some time to live before anything rests on it."""
    keeper = calls.keeper
    if keeper.settings.clock() - session.proofs.latest(how) > session.timeout / 6:
        await keeper.prove(session, how)
    await trio.lowlevel.checkpoint_if_cancelled()
