"""The client: operations, watches and recipes on one session."""

from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import trio

from client.calls import Calls
from client.deadline import Prove
from client.errors import Away
from client.instruments import State
from client.operations import Operations
from client.recipes.config import ConfigWatch
from client.recipes.counter import Counter
from client.recipes.election import Observation
from client.recipes.holds import Held, Term, hold
from client.recipes.leftovers import Janitor
from client.recipes.queue import ELECTIONS, LOCKS, Layout, LayoutName, Queue
from client.recipes.value import Turns, Value
from client.session import Session
from client.watches import ChildrenWatch, Events, Watch

T = TypeVar("T")


class Client(Operations):
    """A client of an ensemble, for as long as the block of `connect` runs."""

    def __init__(self, calls: Calls, nursery: trio.Nursery) -> None:
        super().__init__(calls)
        self._nursery = nursery
        self._janitor = Janitor(calls)
        self._holders: dict[str, trio.lowlevel.Task] = {}
        self._turns = Turns()
        nursery.start_soon(self._janitor.run)

    @property
    def session(self) -> Session:
        """The session: another object after this one has expired.

        Raises Away when there has been none yet, as only read-only servers were found.
        """
        session = self._calls.keeper.session
        if session is None:
            raise Away("there is no session yet")
        return session

    @property
    def state(self) -> State:
        """How the client stands to the servers: `if zk.state is State.READ_ONLY: ...`."""
        return self._calls.keeper.state

    def watch(self, path: str) -> Watch:
        """Iterate over the states of a znode: `Znode`, or None while it is missing."""
        return Watch(self._calls, self._full(path))

    def watch_children(self, path: str) -> ChildrenWatch:
        """Iterate over the names of children, sorted, or None while the parent is missing."""
        return ChildrenWatch(self._calls, self._full(path))

    def events(self, path: str, *, recursive: bool = False) -> Events:
        """Iterate over each `Event` of a znode, or also of all below it, and over `Resynced`."""
        return Events(self._calls, self._full(path), self._chroot, recursive=recursive)

    def config(self, path: str, cls: type[T]) -> ConfigWatch[T]:
        """Iterate over the states of a configuration: objects of an attrs class, or `BadConfig`."""
        return ConfigWatch(self._calls, self._full(path), path, cls)

    def lock(
        self,
        path: str,
        data: bytes = b"",
        *,
        layout: LayoutName = "coord",
        wait: bool = True,
        prove: Prove | None = None,
    ) -> AbstractAsyncContextManager[Held]:
        """Hold a lock while a block runs: `async with zk.lock("/locks/x") as held:`.

        Waits in a fair queue; without `wait`, raises trio.WouldBlock instead. When the hold can no
        longer be proved, the body is cancelled and LockLost raised. `data` tells others who holds
        it. `layout` says with whose locks it contends; `prove` is that of `connect`.
        """
        queue = self._queue(path, LOCKS[layout], data, prove)
        return hold(Held, path, queue, self._nursery, wait=wait)

    def lead(
        self,
        path: str,
        data: bytes = b"",
        *,
        layout: LayoutName = "coord",
        wait: bool = True,
        prove: Prove | None = None,
    ) -> AbstractAsyncContextManager[Term]:
        """Lead while a block runs: `async with zk.lead("/svc", b"host:80") as term:`.

        As `lock`; `data` is what those who `observe` get to see.
        """
        queue = self._queue(path, ELECTIONS[layout], data, prove)
        return hold(Term, path, queue, self._nursery, wait=wait)

    def observe(self, path: str, *, layout: LayoutName = "coord") -> Observation:
        """Iterate over who leads: `Leader`, or None while nobody does."""
        return Observation(self._queue(path, ELECTIONS[layout], b"", None))

    def value(self, path: str) -> Value:
        """Return bytes that many change, exactly once each: `await zk.value("/v").set(b"1")`."""
        return Value(self._calls, self._below_root(path), self._turns)

    def counter(self, path: str) -> Counter:
        """Return a number that many count, exactly once each: `await zk.counter("/c").add(1)`."""
        return Counter(self.value(path), path)

    def _below_root(self, path: str) -> str:
        full = self._full(path)
        if full == "/":
            raise ValueError("the root cannot be used for this")
        return full

    def _queue(self, path: str, layout: Layout, data: bytes, prove: Prove | None) -> Queue:
        full = self._full(path)
        if full == "/":
            raise ValueError("the root cannot be a queue")
        how = prove or self._calls.keeper.settings.config.prove
        return Queue(self._calls, self._janitor, full, layout, data, how, self._holders)
