"""Time as a queue of events, and the clocks that replicas read: they drift, and may jump."""

import heapq
from collections.abc import Callable
from typing import Any

MS = 1000
"""Microseconds in a millisecond; all times of the simulated world are in microseconds."""
DRIFT_PPM_MAX = 10_000
"""No clock is further than this from the true rate."""


class Timeline:
    """The true time, and what will happen when."""

    def __init__(self) -> None:
        self.now = 0
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0

    def at(self, delay_us: int, action: Callable[..., None], *arguments: Any) -> None:
        """Let something happen after a while; what is due at one time happens in this order."""
        self._sequence += 1
        heapq.heappush(self._events, (self.now + delay_us, self._sequence, action, arguments))

    def run(self, duration_us: int, is_over: Callable[[], bool]) -> bool:
        """Let time pass until a condition holds; tell whether it did in time."""
        end = self.now + duration_us
        events, pop = self._events, heapq.heappop
        while not is_over():
            if not events or events[0][0] > end:
                self.now = end
                return False
            self.now, _, action, arguments = pop(events)
            action(*arguments)
        return True


class Clock:
    """What one machine takes for the time."""

    def __init__(self, timeline: Timeline, offset_ms: int, drift_ppm: int) -> None:
        self._timeline = timeline
        self.offset_ms = offset_ms
        """Begins anew with every start of the machine."""
        self._rate = 1_000_000 + drift_ppm
        self.wall_offset_ms = 1_700_000_000_000

    def now_ms(self) -> int:
        """The monotonic clock."""
        return self.offset_ms + self._timeline.now * self._rate // 1_000_000_000

    def wall_ms(self) -> int:
        """Milliseconds since 1970, as this machine believes."""
        return self.wall_offset_ms + self._timeline.now // MS

    def true_us(self, now_ms: int) -> int:
        """The true time at which the monotonic clock began to show this."""
        return (now_ms - self.offset_ms) * 1_000_000_000 // self._rate
