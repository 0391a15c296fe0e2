"""Waiting for a change of any of several znodes."""

from types import TracebackType
from typing import Self

import trio

from client.hub import Hub, Waiter
from coord.wire.numbers import WatcherType


class News:
    """The znodes that somebody waits for at once, while a block runs.

    Before each reading `expect` what is read, so that no change after it is missed; `forget` what
    the latest round did not read.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiters: dict[tuple[str, WatcherType], Waiter] = {}
        self._expected: set[tuple[str, WatcherType]] = set()

    def begin(self) -> None:
        """Begin a new round of reading."""
        self._expected.clear()

    def expect(self, path: str, kind: WatcherType) -> None:
        """Say that a znode is about to be read, with a watch."""
        key = (path, kind)
        self._expected.add(key)
        if key not in self._waiters:
            self._waiters[key] = self._hub.wait_for(path, kind)
        self._waiters[key].lower_flag()

    async def wait(self) -> None:
        """Wait for a change of anything that was read in this round."""
        for key in self._waiters.keys() - self._expected:
            self._hub.leave(self._waiters.pop(key))
        async with trio.open_nursery() as nursery:

            async def wait_for(waiter: Waiter) -> None:
                await waiter.wait()
                nursery.cancel_scope.cancel()

            for waiter in self._waiters.values():
                nursery.start_soon(wait_for, waiter)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for waiter in self._waiters.values():
            self._hub.leave(waiter)
        self._waiters.clear()
