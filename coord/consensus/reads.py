"""Reads: barriers that wait for a fresh confirmation that this replica still leads.

A heartbeat that was sent after a barrier was asked for, and was answered by a set that meets every
election quorum, shows that no later leader had begun by then: so all that was acknowledged before
the barrier is within the commit index noted with it. One round serves all that wait, and a barrier
that is asked for while a round is under way waits for the next one.
"""

from collections import deque


class Barriers:
    """The read barriers of one leader."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int]] = []
        self._asked: deque[tuple[int, int, int]] = deque()

    def add(self, token: int, commit_index: int) -> None:
        """Ask for a confirmation from now on."""
        self._waiting.append((token, commit_index))

    @property
    def is_waiting(self) -> bool:
        """Some barrier is not confirmed yet."""
        return bool(self._asked or self._waiting)

    @property
    def needs_round(self) -> bool:
        """A heartbeat should be sent at once: some wait, and none is under way for others."""
        return bool(self._waiting) and not self._asked

    def ask(self, current_round: int) -> None:
        """Note that a heartbeat goes out now: it serves all that wait."""
        self._asked.extend((current_round, token, index) for token, index in self._waiting)
        self._waiting.clear()

    def confirm(self, reached_round: int) -> list[tuple[int, int]]:
        """Return (token, index) of the barriers which are served by an answered round."""
        served: list[tuple[int, int]] = []
        while self._asked and self._asked[0][0] <= reached_round:
            _, token, index = self._asked.popleft()
            served.append((token, index))
        return served

    def fail(self) -> list[int]:
        """Return the tokens of all that wait: the leadership is over."""
        tokens = [token for _, token, _ in self._asked] + [token for token, _ in self._waiting]
        self._asked.clear()
        self._waiting.clear()
        return tokens
