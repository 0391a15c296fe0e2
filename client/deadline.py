"""Until when this client may believe that its session lives: what its servers proved, and a clock.

A server expires a session that it has not heard of for the timeout T. A request that was answered
had been heard, and not before it was sent. So the session lives at least until

    sent_at + T * (1 - DRIFT) - T * MARGIN

of the latest answered request that proves something. What proves something depends on the server:

* A coord replica answers pings only while it is sure that the leader hears of them: then pings,
  writes, sync and the greeting all count ("ping").
* A ZooKeeper server answers pings even when it is cut off from its leader, which then expires the
  session. There, only what went through the leader counts: writes, sync and the greeting
  ("sync"). Even these tell the leader nothing new; it hears of sessions from the server's own
  reports, twice in a tick. At least two ticks make a timeout, and the client syncs every T/6, so
  the leader has heard of the session not earlier than T/3 before: the deadline is so much nearer.

Time is the time since boot, sleep included, where the system has such a clock: others stand still
while a laptop or a virtual machine sleeps, and sessions expire meanwhile.
"""

import time
from collections.abc import Callable
from typing import Literal

import attrs

Prove = Literal["ping", "sync"]
"""Which replies count: see above. "sync" is right with every server.

    async with zk.lock("/locks/nightly", prove="ping") as held:
        print(held.seconds_left())
"""

Clock = Callable[[], float]
"""Seconds since whenever, never standing still, never set back.

    clock: Clock = trio.current_time  # in a test, on a clock that jumps
    async with connect("host:2181", clock=clock) as zk:
        ...
"""

DRIFT = 0.01
"""Share of the timeout by which two clocks may differ over it: far more than good clocks do."""

MARGIN = 0.05
"""Share of the timeout left for noticing: tasks are cancelled before the session can be gone."""

UNHEARD = {"ping": 0.0, "sync": 1 / 3}
"""Share of the timeout for which the leader may not yet have heard what a reply proves."""


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Return the seconds since boot, those asleep included where the system counts them."""
    return time.clock_gettime(_CLOCK)


@attrs.define
class Proofs:
    """The latest answered requests of one session that prove that it lived."""

    timeout: float
    """The timeout T of the session in seconds, as the server gave it."""
    heard: float
    """When the latest answered ping, write, sync or greeting was sent."""
    ordered: float
    """The same for what went through the leader: pings do not count."""

    def add(self, sent_at: float, *, ordered: bool) -> None:
        """Take note of an answered request."""
        self.heard = max(self.heard, sent_at)
        if ordered:
            self.ordered = max(self.ordered, sent_at)

    def latest(self, prove: Prove) -> float:
        """Return when the latest request that counts was sent."""
        return self.heard if prove == "ping" else self.ordered

    def deadline(self, prove: Prove) -> float:
        """Return when the belief ends."""
        return self.latest(prove) + self.timeout * (1 - DRIFT - MARGIN - UNHEARD[prove])
