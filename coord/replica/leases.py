"""When a replica may answer a ping: only while the leader is known to know of its reports.

Every heartbeat a replica sends a report with its own clock h. The leader echoes h only while a
set of voters that meets every election quorum has lately answered its heartbeats. With
L = half a tick, pings are answered while now - h <= L. The leader expires a silent replica's
sessions only T + L after that replica's last report, so whoever got a ping reply for a ping sent
at t holds its session until t + T at least.
"""

from typing import Final

NEVER: Final = -(1 << 62)
"""A time before all others."""


class Lease:
    """The newest of this replica's reports that the leader has echoed."""

    __slots__ = ("echoed_ms", "window_ms")

    def __init__(self, window_ms: int) -> None:
        self.window_ms = window_ms
        self.echoed_ms = NEVER

    def echo(self, sent_ms: int) -> None:
        """The leader gave back a report's time (ms, this replica's clock)."""
        self.echoed_ms = max(self.echoed_ms, sent_ms)

    def holds(self, now_ms: int) -> bool:
        """Whether pings may be answered now."""
        return now_ms - self.echoed_ms <= self.window_ms
