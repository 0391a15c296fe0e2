"""When the writes that wait are enough to be sent on: many small entries cost more than one.

After an entry, those whose writes it held write again, as a rule, within a millisecond or two.
Whoever sends on at once what has come makes of n clients two groups that take turns, and twice the
entries. So what is committed is applied and answered first, and then it is waited until about as
many writes wait as were answered and were waiting then, for PATIENCE_MS at the most. A leader is
more patient with many clients at several replicas: of their writes it hears when those have waited.
Where that does not pay, because clients pause between their writes, it is given up for a while: for
twice as many entries each time, up to 64. A single client never waits.
"""

from typing import Final

PATIENCE_MS: Final = 3
"""The longest wait: several times what a client on the same network needs to write again."""
LEADER_PATIENCE_MS: Final = 8
"""The longest wait of a leader for a crowd: twice that, and two messages on a busy machine."""
CROWD: Final = 16
"""So many writes in one entry: of fewer, one that comes late would hold up all the others."""
SHARE: Final = 0.9
"""Of the writes that are expected, so many are enough."""
LAPSE_MAX: Final = 64
PLENTY: Final = 200
"""So many writes are enough whatever is expected: one more entry costs next to nothing."""


class Gathering:
    """The judgement of one sender of writes."""

    __slots__ = ("_due_ms", "_expected", "_lapse", "_skip")

    def __init__(self) -> None:
        self._expected = 0.0
        self._due_ms = 0
        self._lapse = 1
        self._skip = 0

    def answered(self, count: int, waiting: int, now_ms: int, foreign: int = 0) -> None:
        """`count` writes were answered, `foreign` by other replicas; `waiting` wait already."""
        if self._skip:
            self._skip -= 1
            self._expected = 0.0
            return
        self._expected = SHARE * (count + waiting)
        is_crowd = foreign > 0 and count >= CROWD
        self._due_ms = now_ms + (LEADER_PATIENCE_MS if is_crowd else PATIENCE_MS)

    def suffices(self, waiting: int, now_ms: int) -> bool:
        """Whether to send on what waits."""
        if waiting >= min(self._expected, PLENTY):
            if self._expected:
                self._lapse = 1
                self._expected = 0.0
            return True
        if now_ms <= self._due_ms:
            return False
        self._expected = 0.0
        self._skip = self._lapse
        self._lapse = min(2 * self._lapse, LAPSE_MAX)
        return True
