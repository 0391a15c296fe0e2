"""A queue of contenders, under which locks and elections lie.

A contender is an ephemeral znode with a number; the lowest number is first. Each watches the one
before it only, so that one is woken when one goes. The rules that keep it safe:

* A znode is ours only if its owner is our present session. What an earlier session left behind may
  look like ours for a while.
* The name contains a marker that nobody else has, so that the znode can be found when the reply to
  its creation was lost, and is deleted by that name, never by its place in the queue.
* Whoever stops waiting, for whatever reason, takes its znode away: see `client.recipes.leftovers`.
"""

import re
import uuid
from typing import Literal

import attrs
import trio

from client.calls import OPEN_ACL, Calls
from client.deadline import Prove
from client.errors import ReplyLost
from client.recipes.leftovers import Janitor, Leftover
from client.session import Session
from client.znodes import Stat
from coord.wire.errors import NoNode, SessionExpired
from coord.wire.numbers import CreateFlag, WatcherType
from coord.wire.records import Acl

LayoutName = Literal["coord", "kazoo", "curator"]
"""Whose names the contenders bear: programs that use the same can contend with each other."""


@attrs.frozen
class Layout:
    """How the contenders of one library are named."""

    prefix: str
    """What stands before the number; {marker} and {session} are filled in."""
    contender: re.Pattern[str]
    """Finds the number of a contender."""
    dashes: bool
    """Whether markers are written with dashes."""
    container: bool
    """Whether the servers shall delete the parent once the last contender has gone."""

    def number(self, name: str) -> int | None:
        """Return the number of a contender; None for another znode."""
        found = self.contender.search(name)
        return None if found is None else int(found[1])


# kazoo makes sure of the parent once and then relies on it, so there it is no container.
_COORD = Layout("{marker}-{session:016x}-", re.compile(r"^[0-9a-f]{32}-[0-9a-f]{16}-(-?\d{10,})$"),
                dashes=False, container=True)  # fmt: skip
_KAZOO = Layout("{marker}__lock__", re.compile(r"__lock__(-?\d{10,})$"),
                dashes=False, container=False)  # fmt: skip
_CURATOR = Layout("_c_{marker}-lock-", re.compile(r"lock-(-?\d{10,})$"),
                  dashes=True, container=True)  # fmt: skip
_CURATOR_LATCH = Layout("_c_{marker}-latch-", re.compile(r"latch-(-?\d{10,})$"),
                        dashes=True, container=True)  # fmt: skip

LOCKS: dict[LayoutName, Layout] = {"coord": _COORD, "kazoo": _KAZOO, "curator": _CURATOR}
"""kazoo's Lock, Curator's InterProcessMutex."""

ELECTIONS: dict[LayoutName, Layout] = {"coord": _COORD, "kazoo": _KAZOO, "curator": _CURATOR_LATCH}
"""kazoo's Election, Curator's LeaderLatch."""


class _Displaced(Exception):  # noqa: N818  (nobody's error)
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
    holders: dict[str, trio.lowlevel.Task]
    """Which task of this client holds what, by the parent's path."""
    acl: tuple[Acl, ...] = OPEN_ACL
    """Who may do what with our own znodes."""

    async def acquire(self, *, wait: bool = True) -> Place:
        """Join and wait until we are first. Without `wait`, raise WouldBlock if we are not.

        Cancelled at any point, it leaves nothing behind.
        """
        if wait and self.holders.get(self.parent) is trio.lowlevel.current_task():
            raise RuntimeError(f"this task holds {self.parent} and would wait for itself")
        while True:
            session = await self.calls.keeper.attached()
            if not wait and await self.contenders(session):
                raise trio.WouldBlock
            place = self._new_place(session)
            try:
                await self._join(place)
                await self._wait_until_first(place, wait=wait)
                await self._prove(session)
            except (SessionExpired, _Displaced):
                continue
            except BaseException:
                await self.janitor.remove(place.leftover)
                raise
            return place

    async def contenders(self, session: Session | None = None, *, watch: bool = False) -> list[str]:
        """Return the names of all contenders, the first one first."""
        while True:
            try:
                names, _ = await self.calls.children(self.parent, watch=watch, session=session)
            except NoNode:
                if not watch or await self.calls.exists(self.parent, watch=True) is None:
                    return []
            else:
                numbered = [(self.layout.number(name), name) for name in names]
                return [name for _, name in sorted((n, s) for n, s in numbered if n is not None)]

    def _new_place(self, session: Session) -> Place:
        unique = uuid.uuid4()
        marker = str(unique) if self.layout.dashes else unique.hex
        return Place(session, Leftover(session, self.parent, marker))

    async def _join(self, place: Place) -> None:
        names = self.layout.prefix.format(marker=place.leftover.marker, session=place.session.id)
        while True:
            try:
                path, stat = await self.calls.create(
                    f"{self.parent}/{names}",
                    self.data,
                    CreateFlag.EPHEMERAL_SEQUENTIAL,
                    acl=self.acl,
                    session=place.session,
                )
            except NoNode:
                await self.calls.ensure(self.parent, container=self.layout.container)
                continue
            except ReplyLost:
                found = await self._find(place)
                if found is None:
                    continue
                path, stat = found
            if stat.ephemeral_owner != place.session.id:
                raise _Displaced
            place.path = place.leftover.path = path
            place.token = stat.czxid
            return

    async def _find(self, place: Place) -> tuple[str, Stat] | None:
        await self.calls.sync(place.session)
        try:
            names, _ = await self.calls.children(self.parent, session=place.session)
        except NoNode:
            return None
        for name in names:
            if place.leftover.marker in name:
                path = f"{self.parent}/{name}"
                stat = await self.calls.exists(path, session=place.session)
                return None if stat is None else (path, stat)
        return None

    async def _wait_until_first(self, place: Place, *, wait: bool) -> None:
        own = place.path.rpartition("/")[2]
        while True:
            contenders = await self.contenders(place.session)
            if own not in contenders:
                raise _Displaced
            ahead = contenders.index(own)
            if not ahead:
                return
            if not wait:
                raise trio.WouldBlock
            await self.wait_until_gone(f"{self.parent}/{contenders[ahead - 1]}", place.session)

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

    async def _prove(self, session: Session) -> None:
        """Make sure that the session has some time to live before anything rests on it."""
        keeper = self.calls.keeper
        proven_at = session.proofs.latest(self.prove)
        if keeper.settings.clock() - proven_at > session.timeout / 6:
            await keeper.prove(session, self.prove)
        await trio.lowlevel.checkpoint_if_cancelled()
