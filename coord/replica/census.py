"""Whose state is wrong, when the digests of two replicas differ after the same entry.

Every report tells the leader the digest of its sender's state; the leader knows its own after each
of the last entries. A state that went wrong stays wrong, so the newest comparison counts.

Rules:

1. The leader is outvoted, and reloads its own state, when more replicas differ from it than agree
   with it (itself included). One replica alone cannot tell the leader that it is wrong.
2. Otherwise those who differ are told so, and reload.
3. Nobody is judged before all who are in contact were compared after the entry at which somebody
   differed first, or a while has passed: a wrong leader would hand out its state to the first one,
   and be confirmed by it.
"""

from collections.abc import Set as AbstractSet
from typing import Final

WAIT_MS: Final = 2000
"""So long at the most; reports come every 100 ms."""


class Census:
    """What a leader has compared in its term."""

    def __init__(self) -> None:
        self._agreed: dict[int, int] = {}
        """Replica -> the newest entry after which its state was the leader's."""
        self._differs: dict[int, int] = {}
        """Replica -> the entry after which it was first seen not to be."""
        self._since_ms = -1
        """Since when somebody differs; -1: nobody does."""
        self.wrong: dict[int, int] = {}
        """Those of `_differs` who were found to be wrong, the leader being right."""

    def compared(self, replica: int, index: int, *, agrees: bool) -> None:
        """The states of a replica and of the leader after an entry were compared."""
        if agrees:
            self._agreed[replica] = index
            self._differs.pop(replica, None)
        else:
            self._differs.setdefault(replica, index)

    def forget(self, replica: int) -> None:
        """A replica has another state now, or none."""
        for known in (self._agreed, self._differs, self.wrong):
            known.pop(replica, None)

    def judge(self, in_contact: AbstractSet[int], now_ms: int) -> int:
        """Find out who is wrong, of the other replicas that have a state, and the leader.

        Returns the entry after which it is the leader, 0 when it is not.
        """
        differ = {replica: at for replica, at in self._differs.items() if replica in in_contact}
        if not differ:
            self._since_ms = -1
            self.wrong.clear()
            return 0
        if self._since_ms < 0:
            self._since_ms = now_ms
        first = min(differ.values())
        others = in_contact - differ.keys()
        agree = {replica for replica in others if self._agreed.get(replica, 0) >= first}
        if others - agree and now_ms - self._since_ms < WAIT_MS:
            return 0
        if len(differ) > len(agree) + 1:
            return first
        self.wrong = differ
        return 0
