"""Progress: what the leader knows of one member, and what is on its way to it.

Whatever a member reports may be late; reports only ever widen what is known to be stored. What is
sent and not reported is bounded by a window in bytes, so a slow member costs its window and nothing
else: it is sent more when it reports, read from the log on disk if need be.

Loss is noticed by heartbeats: the answer to a heartbeat tells how far the member has come, and all
that was sent before that heartbeat should be there.
"""

from collections import deque
from enum import Enum

import attrs

from coord.consensus.messages import Alive, Promise


class Flow(Enum):
    """How entries go to a member."""

    UNKNOWN = "unknown"
    """Nothing is sent until the member says what it has."""
    ENTRIES = "entries"
    """Entries are sent from `next` on."""
    SNAPSHOT = "snapshot"
    """The driver sends a snapshot; entries follow when the member has it."""


@attrs.frozen
class PeerStatus:
    """One member, as the leader sees it."""

    peer: int
    """Its id."""
    stored: int
    """It has stored the log up to here, in this epoch; -1 while it has not adopted it."""
    flow: Flow
    """How entries go to it."""
    contact_ms: int
    """When the latest heartbeat was sent that it has answered; -1 for none."""
    counts: bool
    """It is a voter, as far as heard in this epoch, whose disk is the one it was admitted with."""


class Progress:
    """One member, as its leader sees it in this epoch."""

    def __init__(self, peer: int, window_bytes_max: int) -> None:
        self.peer = peer
        self._window_bytes_max = window_bytes_max
        self.flow = Flow.UNKNOWN
        self.next = 0
        self.stored = -1
        self.gathered = -1
        self.contact_ms = -1
        self.answered_round = 0
        self.told_commit = 0
        self.owes_greeting = False
        self.is_fenced = False
        self.window_bytes = 0
        self._window: deque[tuple[int, int]] = deque()
        self._started_round = -1
        self._marked_round = 0
        self._marked_index = 0

    @property
    def is_adopted(self) -> bool:
        """The member has stored the leader's initial history."""
        return self.stored >= 0

    @property
    def has_room(self) -> bool:
        """More may be sent."""
        return self.window_bytes < self._window_bytes_max

    def forget(self) -> None:
        """Start from nothing: the member's disk is another one."""
        self.stored = self.gathered = -1
        self.pause()

    def pause(self) -> None:
        """Send nothing until the member reports."""
        self.flow = Flow.UNKNOWN
        self._started_round = -1
        self._clear_window()

    def begin(self, after: int, current_round: int) -> None:
        """Send entries after an index which the member shares with us."""
        self.flow = Flow.ENTRIES
        self.next = after + 1
        self.owes_greeting = True
        self._started_round = current_round
        self._clear_window()

    def has_begun_since(self, promise: Promise) -> bool:
        """Tell whether the entries on their way answer this promise, or a later one."""
        return self.flow is Flow.ENTRIES and promise.round <= self._started_round

    def await_snapshot(self) -> None:
        """Send no entries until the member has a snapshot."""
        self.flow = Flow.SNAPSHOT
        self._clear_window()

    def sent(self, last: int, size: int) -> None:
        """Note entries on their way."""
        self.next = last + 1
        self.owes_greeting = False
        self.window_bytes += size
        self._window.append((last, size))

    def mark(self, current_round: int) -> None:
        """Note what was sent before a heartbeat."""
        if self.flow is Flow.ENTRIES and not self._marked_round:
            self._marked_round = current_round
            self._marked_index = self.next - 1

    def report(self, stored: int, gathered: int) -> None:
        """Take a member's word for what it has."""
        self.stored = max(self.stored, stored)
        self.gathered = gathered
        reached = self.stored if self.is_adopted else gathered
        window = self._window
        while window and window[0][0] <= reached:
            self.window_bytes -= window.popleft()[1]

    def answer(self, message: Alive) -> None:
        """Take the answer to a heartbeat; send again what was lost before it."""
        self.report(message.stored, message.gathered)
        self.answered_round = max(self.answered_round, message.round)
        self.contact_ms = max(self.contact_ms, message.sent_ms)
        if not self._marked_round or message.round < self._marked_round:
            return
        self._marked_round = 0
        if self.flow is not Flow.ENTRIES or message.gathered >= self._marked_index:
            return
        if message.gathered < 0:
            self.pause()
        elif message.gathered + 1 < self.next:
            self._clear_window()
            self.next = message.gathered + 1

    def _clear_window(self) -> None:
        self._window.clear()
        self.window_bytes = 0
        self._marked_round = 0
