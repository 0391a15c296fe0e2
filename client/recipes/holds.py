"""Holding something as a scope: locks and leaderships.

The body runs in a cancel scope. It is cancelled when the session has ended, when no server proved
in time that it lives, or when somebody deleted the znode of the hold; then `LockLost` comes out of
the block. The znode is deleted after the body has ended, with all the tasks it started, so the next
holder never runs beside it.

Cancelling is the best a client can do and not enough: a process that stands still does not notice.
What is written under a lock should carry `held.token`, or, when it is written to the same ensemble,
go in a transaction with `held.guard()`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import attrs
import trio

from client.calls import Calls
from client.deadline import Prove
from client.errors import ClientClosed, LockLost
from client.recipes.leftovers import Janitor
from client.recipes.queue import Place, Queue
from client.transactions import Guard
from coord.wire.errors import SessionExpired, ZooKeeperError
from coord.wire.numbers import WatcherType


@attrs.define(eq=False)
class Held:
    """A lock or a leadership while its block runs."""

    path: str
    """The lock, as it was asked for."""
    token: int
    """The fencing token: greater than that of every holder before."""
    prove: Prove
    """Which replies prove it."""
    _place: Place = attrs.field(repr=False)
    _calls: Calls = attrs.field(repr=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False, repr=False)
    _watching: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False, repr=False)
    _reason: str | None = attrs.field(default=None, init=False)

    def guard(self) -> Guard:
        """Return what lets a transaction fail, with NoNode, unless this is held still.

        `transaction.add(held.guard())`
        """
        return Guard(self._place.path)

    def check(self) -> None:
        """Raise LockLost unless this can be proved now: cheap enough before each side effect."""
        if self.seconds_left() <= 0:
            raise LockLost(self.path, self.token, self._reason or "its proof is too old")

    def seconds_left(self) -> float:
        """Return for how long the hold is proved already; 0 when it is lost."""
        if self._reason is not None:
            return 0.0
        deadline = self._place.session.proofs.deadline(self.prove)
        return max(0.0, deadline - self._calls.keeper.settings.clock())

    def lose(self, reason: str) -> None:
        """End it: the body is cancelled. For the client's own use."""
        if self._reason is None:
            self._reason = reason
            self._scope.cancel()

    @property
    def lost(self) -> str | None:
        """Why it was lost; None while it is held."""
        return self._reason


@attrs.define(eq=False)
class Term(Held):
    """A leadership while its block runs."""


AnyHeld = TypeVar("AnyHeld", bound=Held)


@asynccontextmanager
async def hold(
    cls: type[AnyHeld], path: str, queue: Queue, nursery: trio.Nursery, *, wait: bool = True
) -> AsyncIterator[AnyHeld]:
    """Stand in the queue, then hold what it is for while the body runs."""
    place = await queue.acquire(wait=wait)
    held = cls(path, place.token, queue.prove, place, queue.calls)
    async with holding(held, nursery, queue.janitor):
        queue.holders[queue.parent] = trio.lowlevel.current_task()
        try:
            yield held
        finally:
            queue.holders.pop(queue.parent, None)


@asynccontextmanager
async def holding(held: Held, nursery: trio.Nursery, janitor: Janitor) -> AsyncIterator[None]:
    """Hold a place that was taken while the body runs, then give it back: for holds of every kind.

    The body is cancelled, and LockLost raised, when the hold can no longer be proved.
    """
    place, calls = held._place, held._calls  # noqa: SLF001
    error: Exception | None = None
    try:
        calls.keeper.hold(held, place.session)
        nursery.start_soon(_watch_own_znode, held)
        try:
            with held._scope:  # noqa: SLF001
                yield
        except Exception as raised:  # noqa: BLE001  (it is raised again when all is known)
            error = raised
        if held.seconds_left() <= 0:
            held.lose("its proof is too old")
    finally:
        held._watching.cancel()  # noqa: SLF001
        place.session.holds.discard(held)
        gone = await janitor.remove(place.leftover)
    if gone and place.leftover.was_missing:
        held.lose("its znode had gone before it was released")
    _report(held, error)


def _report(held: Held, error: Exception | None) -> None:
    """Raise what the block shall raise: a loss is never passed over in silence."""
    if held.lost is None:
        if error is not None:
            raise error
        return
    lost = LockLost(held.path, held.token, held.lost)
    if error is not None:
        lost.add_note(f"meanwhile the body raised {error!r}")
    elif not held._scope.cancelled_caught:  # noqa: SLF001
        lost.add_note("the body ran to its end all the same")
    raise lost from error


async def _watch_own_znode(held: Held) -> None:
    """Lose the hold when its znode is deleted."""
    place, calls = held._place, held._calls  # noqa: SLF001
    with held._watching:  # noqa: SLF001
        waiter = calls.hub.wait_for(place.path, WatcherType.DATA)
        try:
            while True:
                waiter.lower_flag()
                if await calls.exists(place.path, watch=True, session=place.session) is None:
                    held.lose("its znode was deleted")
                    return
                await waiter.wait()
        except SessionExpired:
            held.lose("the session has expired")
        except (ClientClosed, ZooKeeperError) as error:
            held.lose(f"its znode cannot be watched: {error!r}")
        finally:
            calls.hub.leave(waiter)
