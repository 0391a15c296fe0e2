"""The loop of an ensemble: what happens when, in one order, in one Trio task.

All replicas run in it. Whatever happens is handled before time goes on; so while nothing takes
time, a request is answered, on all replicas, at the moment at which it is sent.
"""

import heapq
import math
from collections.abc import Callable
from typing import Any, Protocol

import trio


class Runner(Protocol):
    """Something that runs in rounds, as a replica does."""

    id: int
    """Of those that are due together, lower ones run first."""

    def round(self) -> None:
        """Handle what has come, and all that follows."""


class Loop:
    """See the module."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._events_made = 0
        self._due: dict[int, Runner] = {}
        self._input = trio.Event()
        self._waiting = trio.lowlevel.ParkingLot()

    @property
    def now_ms(self) -> int:
        """The time in ms, as Trio's clock tells it."""
        return round(trio.current_time() * 1000)

    def after(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        """Let something happen after a while; what is due at one time happens in this order."""
        self._events_made += 1
        due = trio.current_time() + seconds
        heapq.heappush(self._events, (due, self._events_made, action, arguments))
        self._input.set()

    def make_due(self, runner: Runner) -> None:
        """Let it have a round soon."""
        self._due[runner.id] = runner
        self._input.set()

    def pump(self) -> None:
        """Handle everything that is due now, and what follows from it at once."""
        while True:
            if self._events and self._events[0][0] <= trio.current_time():
                _due, _number, action, arguments = heapq.heappop(self._events)
                action(*arguments)
            elif self._due:
                due, self._due = self._due, {}
                for number in sorted(due):
                    due[number].round()
            else:
                break
        self._waiting.unpark_all()

    async def run(self) -> None:
        """Keep pumping until cancelled."""
        while True:
            self.pump()
            self._input = trio.Event()
            with trio.move_on_at(self._events[0][0] if self._events else math.inf):
                await self._input.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once something holds."""
        await trio.lowlevel.checkpoint()
        while not condition():
            await self._waiting.park()
