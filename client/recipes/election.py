"""Elections: who leads, as everybody can see it; and leading again and again.

Leading itself is a hold, as a lock is: `client.recipes.holds`.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import TypeVar

import attrs
import trio

from client.backoff import Backoff
from client.errors import LockLost, ReplyLost
from client.hub import Waiter
from client.recipes.holds import Held
from client.recipes.layouts import ELECTIONS
from client.recipes.queue import Displaced, Queue
from client.watches import Iteration
from coord.wire.connection import Reply
from coord.wire.errors import NoNode
from coord.wire.numbers import OpCode, WatcherType
from coord.wire.requests import SetDataRequest

Result = TypeVar("Result")

RESIGNED_SECONDS = 1.0
"""How long one that has resigned stays away, so that another one can lead."""

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Term(Held):
    """A leadership while its block runs.

    async with zk.lead("/svc", b"host:80") as term:
        await serve(term)
    """

    _queue: Queue = attrs.field(kw_only=True, repr=False)
    _value: bytes = attrs.field(init=False)

    @_value.default
    def _first_value(self) -> bytes:
        return self._queue.data

    @property
    def value(self) -> bytes:
        """What this leader says of itself: those who `observe` see it as `Leader.data`.

        async with zk.lead("/svc", b"host:80") as term:
            print(term.value)
        """
        return self._value

    async def update(self, data: bytes) -> None:
        """Say something else from now on; return when it is written.

            async with zk.lead("/svc", b"starting") as term:
                await warm_up()
                await term.update(b"host:80")

        Raises LockLost when the znode of the term has gone, SessionChanged when its session has
        ended; Away with `when_away="fail"`. When it is cancelled it may have been written:
        `value` says so once the server has answered.
        """

        def take(reply: Reply) -> None:
            if not reply.error:
                self._value = data

        keeper, request = self._calls.keeper, SetDataRequest(self._place.path, data, -1)
        while True:
            with suppress(ReplyLost):  # what is written twice is the same
                try:
                    await keeper.call(
                        OpCode.SET_DATA, request, self.session, take, waits=self._calls.waits
                    )
                except NoNode:
                    raise self._error("its znode was deleted") from None
                return

    def resign(self) -> None:
        """Give it up: the body is cancelled, and the block ends without an error.

            async with zk.lead("/svc") as term, trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                await drain_requested.wait()
                term.resign()

        Whoever is next leads once all tasks of the body have ended.
        """
        self._scope.cancel()

    async def resign_to(self, data: bytes) -> None:
        """Resign, so that the first contender with these data leads next, as a drained host does.

            async with zk.lead("/svc", b"host-7") as term, trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                await drain_requested.wait()
                await term.resign_to(b"host-8")

        Those that stood before it stand at the end of the queue then. Should it leave before it
        leads, another one does. Raises LookupError, and goes on leading, when nobody waits with
        these data; ValueError in layouts of other libraries, whose clients would not stand again.
        """
        if self._queue.layout is not ELECTIONS["coord"]:
            raise ValueError("in the layout of another library nobody can say who leads next")
        try:
            if not await self._queue.put_next(self._place, data):
                raise LookupError(f"nobody with the data {data!r} waits to lead {self.path}")
        except Displaced:
            raise self._error("its znode was deleted") from None
        self.resign()


@attrs.frozen
class Leader:
    """Who leads.

    async for leader in zk.observe("/svc"):
        if leader is not None:
            print(leader.data, leader.token)
    """

    data: bytes
    """What the leader says of itself."""
    token: int
    """The fencing token of its term."""


class Observation(Iteration[Leader | None]):
    """Who leads, from now on; None while nobody does.

    One znode is watched at a time: that of the leader, or the queue while it is empty. So those who
    join or leave further back wake nobody.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._hub = queue.calls.hub
        self._node: str | None = None
        self._waiter: Waiter = self._hub.wait_for(queue.parent, WatcherType.CHILDREN)
        self._last: Leader | None = None
        self._has_last = False
        super().__init__()

    async def _next(self) -> Leader | None:
        while True:
            await self._waiter.wait()
            self._waiter.lower_flag()
            try:
                leader = await self._look()
            except BaseException:
                self._waiter.raise_flag()  # whoever goes on has yet to learn of the change
                raise
            if not self._has_last or leader != self._last:
                self._has_last, self._last = True, leader
                return leader

    async def _look(self) -> Leader | None:
        calls, parent = self._queue.calls, self._queue.parent
        while True:
            if self._node is not None:
                try:
                    znode = await calls.get(self._node, watch=True)
                    return Leader(znode.data, znode.stat.czxid)
                except NoNode:
                    self._node = None
            contenders = await self._queue.contenders()
            if contenders:
                self._node = f"{parent}/{contenders[0].name}"
                self._turn_to(self._node, WatcherType.DATA)
            else:
                self._turn_to(parent, WatcherType.CHILDREN)
                if not await self._queue.contenders(watch=True):
                    return None

    def _turn_to(self, path: str, kind: WatcherType) -> None:
        """Watch another znode, of which nothing has been read yet."""
        self._hub.leave(self._waiter)
        self._waiter = self._hub.wait_for(path, kind)
        self._waiter.lower_flag()

    def _leave(self) -> None:
        self._hub.leave(self._waiter)


async def run_leader(
    lead: Callable[[], AbstractAsyncContextManager[Term]],
    work: Callable[[Term], Awaitable[Result]],
    restart: Backoff | None,
) -> Result:
    """Lead and work, again after each loss, until the work is done; return what it returned.

    A term that the work resigns is followed by another one, too. An error of the work is raised,
    or, with `restart`, logged, and the work begins anew in another term, after a pause that grows
    from error to error. When `restart` has no pause left, the error is raised.
    """
    pauses = None if restart is None else restart.pauses()
    while True:
        term: Term | None = None
        try:
            async with lead() as term:
                return await work(term)
        except Exception as error:
            if isinstance(error, LockLost) and term is not None and term.lost is not None:
                _log.warning("leadership lost: %s", error)
                continue
            pause = None if pauses is None else next(pauses, None)
            if pause is None:
                raise
            _log.warning("leader failed, again in %.1f s: %r", pause, error)
            await trio.sleep(pause)
        else:
            await trio.sleep(RESIGNED_SECONDS)  # it resigned: let others come first
