"""Holding something as a scope: locks, permits and leaderships.

The body runs in a cancel scope. It is cancelled when the session has ended, when no server proved
in time that it lives, or when somebody deleted the znode of the hold; then `LockLost` comes out of
the block. The znode is deleted after the body has ended, with all the tasks it started, so the next
holder never runs beside it.

Cancelling is the best a client can do and not enough: a process that stands still does not notice.
What is written under a lock should carry `held.token`, for whoever takes it to compare (`Fence`),
or, when it is written to the same ensemble, go by `held.client` or in a `held.transaction()`.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol, TypeVar

import attrs
import trio

from client.calls import Calls
from client.deadline import Prove
from client.errors import ClientClosed, LockLost
from client.operations import Operations
from client.pinned import PinnedCalls
from client.recipes.leftovers import Janitor
from client.recipes.queue import Place, Queue
from client.session import Session
from client.transactions import Guard, Transaction
from coord.wire.errors import SessionExpired, ZooKeeperError
from coord.wire.numbers import WatcherType


class Acquirable(Protocol):
    """What can be held once it was acquired."""

    @property
    def calls(self) -> Calls:
        """The requests of the client."""

    @property
    def janitor(self) -> Janitor:
        """Takes znodes away."""

    @property
    def prove(self) -> Prove:
        """Which replies prove a hold."""

    async def acquire(self, *, wait: bool) -> Place:
        """Wait until it can be held; without `wait` raise WouldBlock instead.

        Cancelled at any point, it leaves nothing behind.
        """


@attrs.define(eq=False)
class Held:
    """A lock, a permit or a leadership while its block runs.

    async with zk.lock("/locks/nightly") as held:
        print(held.token, held.seconds_left(), held.session.timeout)
        held.check()
        await work(held.token)
    print(held.lost)
    """

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
    _since: float = attrs.field(init=False, repr=False)

    @_since.default
    def _now(self) -> float:
        return self._calls.keeper.settings.clock()

    @property
    def session(self) -> Session:
        """The session that it ends with."""
        return self._place.session

    def guard(self) -> Guard:
        """Return what lets a transaction fail, with NoNode, unless this is held still.

            async with zk.transaction() as both:
                both.add(held.guard())
                both.set_data("/state", b"...")

        `held.transaction()` is the same in short.
        """
        return Guard(self._place.path)

    def check(self) -> None:
        """Raise LockLost unless this can be proved now: cheap enough before each side effect.

            held.check()
            await pay(invoice)

        It asks nobody, but compares the clock with the time until which the session is known to
        live. A process may be stopped right after it: only a token or a guard helps against that.
        """
        if self.seconds_left() <= 0:
            raise self._error(self._reason or "its proof is too old")

    def seconds_left(self) -> float:
        """Return for how long the hold is proved already; 0 when it is lost."""
        if self._reason is not None:
            return 0.0
        deadline = self.session.proofs.deadline(self.prove)
        return max(0.0, deadline - self._calls.keeper.settings.clock())

    @property
    def client(self) -> Operations:
        """The client's operations, bound to this hold.

            await held.client.set("/jobs/nightly/state", b"running")

        Every write is carried out only while this is held, as the servers see it, and raises
        LockLost otherwise. Nothing is sent in another session: SessionChanged. What no transaction
        can hold, as `set_acls`, raises ValueError.
        """
        keeper, hub = self._calls.keeper, self._calls.hub
        pinned = PinnedCalls(
            keeper, hub, session=self.session, guard=self.guard(), lost=self._error
        )
        return Operations(pinned)

    def transaction(self) -> Transaction:
        """Begin a transaction that is carried out only while this is held.

            async with held.transaction() as both:
                both.set_data("/a", b"1")
                both.delete("/b")

        Raises as `held.client` does. The results are those of its writes, without the guard's.
        """
        return self.client.transaction()

    async def suspended(self) -> None:
        """Wait until the connection is lost, and with it, soon, the hold.

            async with zk.lock("/locks/nightly") as held:
                await held.suspended()
                print(held.is_suspended, held.seconds_left())

        A warning: the body goes on until the hold cannot be proved any longer, and goes on for good
        if the connection comes back before that. Afterwards `seconds_left` tells how much is left.
        """
        await self.session.detached.wait()

    @property
    def is_suspended(self) -> bool:
        """Whether there is no connection now, so that the hold is not being renewed."""
        return self.session.detached.is_set()

    def lose(self, reason: str) -> None:
        """End it: the body is cancelled. For the client's own use."""
        if self._reason is None:
            self._reason = reason
            self._scope.cancel()
            self._calls.keeper.instruments.lock_lost(self.path, self.token, reason)

    @property
    def lost(self) -> str | None:
        """Why it was lost; None while it is held."""
        return self._reason

    def _error(self, reason: str) -> LockLost:
        return LockLost(self.path, self.token, reason)


@attrs.define(eq=False)
class ReadHeld(Held):
    """A lock that is shared with others that read, while its block runs.

    async with zk.read_lock("/locks/table") as reading:
        print(reading.token, await zk.get_children("/jobs"))
    """

    _queue: Queue = attrs.field(kw_only=True, repr=False)
    _nursery: trio.Nursery = attrs.field(kw_only=True, repr=False)

    def upgrade(self, *, wait: bool = True) -> AbstractAsyncContextManager[Held]:
        """Be alone for a while, without giving the lock back in between.

            async with zk.read_lock("/table") as reading:
                if await is_outdated():
                    async with reading.upgrade() as alone:
                        await rewrite(alone.token)

        Waits until the other readers have left. Raises WouldDeadlock when somebody waits to be
        alone already, to write or for an upgrade: that one waits for this reader to leave, and this
        one would wait for that one. Leave the lock then, and take a write lock. Raises
        trio.WouldBlock, without `wait`, when other readers are inside.
        """
        queue = attrs.evolve(self._queue, kind="upgrade", base=self._place)
        return hold(Held, self.path, queue, self._nursery, wait=wait)


AnyHeld = TypeVar("AnyHeld", bound=Held)


@asynccontextmanager
async def hold(
    make: Callable[[str, int, Prove, Place, Calls], AnyHeld],
    path: str,
    source: Acquirable,
    nursery: trio.Nursery,
    *,
    wait: bool = True,
) -> AsyncIterator[AnyHeld]:
    """Acquire something, then hold it while the body runs."""
    began = source.calls.keeper.settings.clock()
    place = await source.acquire(wait=wait)
    held = make(path, place.token, source.prove, place, source.calls)
    waited = held._since - began  # noqa: SLF001
    source.calls.keeper.instruments.lock_waited(path, place.token, waited)
    try:
        async with holding(held, nursery, source.janitor):
            yield held
    finally:
        place.end_turn()


@asynccontextmanager
async def holding(held: Held, nursery: trio.Nursery, janitor: Janitor) -> AsyncIterator[None]:
    """Hold a place that was taken while the body runs, then give it back: for holds of every kind.

    The body is cancelled, and LockLost raised, when the hold can no longer be proved.
    """
    place, calls = held._place, held._calls  # noqa: SLF001
    error: Exception | None = None
    try:
        calls.keeper.hold(held, place.session)
        nursery.start_soon(watch_own_znode, held, held._watching)  # noqa: SLF001
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
    if held.lost is None:
        seconds = calls.keeper.settings.clock() - held._since  # noqa: SLF001
        calls.keeper.instruments.lock_held(held.path, held.token, seconds)
    _report(held, error)


@asynccontextmanager
async def hold_all(
    locks: Sequence[AbstractAsyncContextManager[AnyHeld]],
) -> AsyncIterator[tuple[AnyHeld, ...]]:
    """Hold several things, acquired in the order given: all of them, or none.

    When one is lost before all are held, those held already are given back. LockLost then tells
    the caller, who has not begun with anything, as it tells of any loss.
    """
    async with AsyncExitStack() as stack:
        yield tuple([await stack.enter_async_context(each) for each in locks])


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


async def watch_own_znode(held: Held, scope: trio.CancelScope) -> None:
    """Lose the hold when its znode is deleted, until the scope is cancelled."""
    place, calls = held._place, held._calls  # noqa: SLF001
    with scope:
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
