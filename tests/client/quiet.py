"""When nothing goes on any more: what tests wait for before they look, or before time goes on.

In memory that is when all tasks wait. With real servers, answers may be under way meanwhile; there
`Pace` waits for them too, and it is what moves the clock: so time stands still while servers work,
and a test sees the same times as in memory, to the microsecond.
"""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import trio
import trio.testing

QUIET_SECONDS = 0.003
"""Real time without a byte: what a server has sent arrives sooner."""

SPUR_SECONDS = 0.25
"""Real time without a reply after which servers are spurred on, as `tests.client.hand` has it."""

SPURS = 12
"""After so many the server will not answer, and the clock goes on."""

LONGEST_SECONDS = 3600.0
"""What the clock jumps by where nobody waits for a time."""

_UNTIL_QUIET: trio.lowlevel.RunVar[Callable[[], Awaitable[None]]] = trio.lowlevel.RunVar("quiet")


class Reachable(Protocol):
    """Servers that can be taken from all clients."""

    down: set[int]
    """Ports that nobody answers at; -1: none does."""

    def cut(self) -> None:
        """Break all connections."""


async def until_quiet() -> None:
    """Wait until nothing goes on, while the clock stands still."""
    await _UNTIL_QUIET.get(trio.testing.wait_all_tasks_blocked)()


class Traffic(Protocol):
    """What goes on between clients and servers."""

    arrived: int
    """Frames from the servers so far."""
    came: trio.Event
    """Set at the next one."""

    @property
    def is_awaited(self) -> bool:
        """Whether a reply has yet to come."""

    def level(self) -> None:
        """Return when all servers have carried out, and told, all that was written."""

    def spur(self) -> None:
        """Write something that nobody sees."""


class Pace:
    """Moves the clock to the next deadline whenever nothing goes on.

    It does so to the end of the run, whatever fails: those who clean up wait for the clock, too.
    """

    def __init__(self, clock: trio.testing.MockClock, traffic: Traffic) -> None:
        self._clock = clock
        self._traffic: Traffic | None = traffic
        self._failure: Exception | None = None
        self._waiting: list[trio.Event] = []

    def begin(self) -> None:
        _UNTIL_QUIET.set(self.until_quiet)
        trio.lowlevel.spawn_system_task(self._run)

    def leave(self) -> None:
        """Heed the servers no longer; raise what has gone wrong with them."""
        self._traffic = None
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        while True:
            try:
                await self._quiet()
            except Exception as error:  # noqa: BLE001  (`leave` raises it)
                self._traffic, self._failure = None, error
            waiting, self._waiting = self._waiting, []
            for event in waiting:
                event.set()
            if not waiting:
                seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
                self._clock.jump(min(max(0.0, seconds), LONGEST_SECONDS))

    async def until_quiet(self) -> None:
        event = trio.Event()
        self._waiting.append(event)
        await event.wait()

    async def _quiet(self) -> None:
        while True:
            await trio.testing.wait_all_tasks_blocked(QUIET_SECONDS)
            traffic = self._traffic
            if traffic is None:
                return
            if traffic.is_awaited and await _comes_in_time(traffic):
                continue
            arrived = traffic.arrived
            traffic.level()
            await trio.testing.wait_all_tasks_blocked(QUIET_SECONDS)
            if traffic.arrived == arrived:
                return


async def _comes_in_time(traffic: Traffic) -> bool:
    """Wait for something from the servers; False when nothing came for long, in real time."""
    came = traffic.came
    for _ in range(SPURS):
        woken = trio.Event()
        wake = partial(trio.lowlevel.current_trio_token().run_sync_soon, woken.set)
        timer = threading.Timer(SPUR_SECONDS, wake)
        timer.start()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_at, came, nursery.cancel_scope)
                nursery.start_soon(_cancel_at, woken, nursery.cancel_scope)
        finally:
            timer.cancel()
        if came.is_set():
            return True
        traffic.spur()
    return False


async def _cancel_at(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


@asynccontextmanager
async def cut_off(servers: Reachable) -> AsyncIterator[None]:
    """A scope in which no server can be reached; it begins when clients know."""
    servers.down = {-1}
    servers.cut()
    await until_quiet()
    yield
    servers.down = set()
