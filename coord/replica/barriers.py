"""Read barriers (`sync`): what was acknowledged before the question is applied before the answer.

One question to the leader is out at a time. Those who come meanwhile wait for the next one, since
a barrier holds only for what was acknowledged before it was asked.
"""

from typing import Any


class Barriers:
    """The syncs of one replica's clients."""

    __slots__ = ("_asked", "_confirmed", "_token", "_waiting", "sent_ms")

    def __init__(self, start: int = 0) -> None:
        """`start`: which of the replica's process starts this is; no token is used twice."""
        self._waiting: list[tuple[Any, bytes]] = []
        self._asked: list[tuple[Any, bytes]] = []
        self._token = start << 32
        self._confirmed: list[tuple[int, list[tuple[Any, bytes]]]] = []
        self.sent_ms = 0

    def add(self, slot: Any, body: bytes) -> None:
        """A client asks; `slot` and `body` come back from `passed`."""
        self._waiting.append((slot, body))

    @property
    def outstanding(self) -> bool:
        """Whether a question is out."""
        return bool(self._asked)

    def ask(self, now_ms: int) -> int | None:
        """The token of a question to put to the leader now; None: nothing to ask."""
        if self._asked or not self._waiting:
            return None
        self._asked, self._waiting = self._waiting, []
        self._token += 1
        self.sent_ms = now_ms
        return self._token

    def ask_again(self) -> None:
        """The question may be lost, or the leader is another one: it must be put anew."""
        self._waiting = self._asked + self._waiting
        self._asked = []

    def confirmed(self, token: int, index: int) -> None:
        """The leader's answer: wait until `index` is applied. Old answers are ignored."""
        if token == self._token and self._asked:
            self._confirmed.append((index, self._asked))
            self._asked = []

    def passed(self, applied_index: int) -> list[tuple[Any, bytes]]:
        """Those whose barrier lies at or below what is applied here."""
        done: list[tuple[Any, bytes]] = []
        while self._confirmed and self._confirmed[0][0] <= applied_index:
            done.extend(self._confirmed.pop(0)[1])
        return done
