"""Pings that came while there was no lease: answered late, or not at all.

Such a ping must not be answered before it is certain that the session lived on. So, in this order:

1. the lease is back by the echo of a report that was sent after the ping came, and so showed its
   session: from then on the leader counts the session as heard;
2. a read barrier after that has passed: whatever ended the session before has been applied here,
   and would have cut the connection.
"""

from coord.replica.barriers import Barriers
from coord.replica.connections import Connection, Slot
from coord.replica.leases import Lease


class Pings:
    """The unanswered pings of one replica's clients: one for each connection at most."""

    __slots__ = ("_barriers", "_lease", "_waiting")

    def __init__(self, lease: Lease, barriers: Barriers) -> None:
        self._lease = lease
        self._barriers = barriers
        self._waiting: dict[Connection, Slot] = {}

    def keep(self, slot: Slot) -> None:
        """A ping came without a lease; one that waits already stands for both."""
        self._waiting.setdefault(slot.connection, slot)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._waiting.pop(connection, None)

    def tick(self, now_ms: int) -> None:
        """Ask the barrier for those of which the leader knows by now."""
        if not self._waiting or not self._lease.holds(now_ms):
            return
        for connection, slot in list(self._waiting.items()):
            if slot.since_ms < self._lease.echoed_ms:
                del self._waiting[connection]
                self._barriers.add(slot, b"")
