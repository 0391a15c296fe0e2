"""When a client has to wait: connections that are not read from, or whose requests are parked.

A connection stands here from the moment that its budget is spent, or that a wide reply is begun for
it, until it is read from again and no request of it is parked.
"""

from collections.abc import Callable
from typing import Final

from coord.operations.slices import Slices
from coord.replica.connections import OUTBOX_PAUSE_BYTES, Connection
from coord.replica.origin import Origin
from coord.replica.wide import WideReplies

PENDING_BYTES_MAX: Final = 64 << 20
"""Bytes of writes that wait to be applied, over all clients of a replica; beyond it, clients with
writes of their own in flight are not read from. Sixteen of the largest batches."""


class Pauses:
    """The connections of one replica that wait, and the replies that some of them wait for."""

    def __init__(self, origin: Origin, take: Callable[[Connection, bytes], None]) -> None:
        """`take` handles a request that was parked."""
        self.wide = WideReplies()
        self.waiting: set[Connection] = set()
        self._origin = origin
        self._take = take

    @property
    def are_due(self) -> bool:
        """Whether `go_on` has something to look at."""
        return bool(self.waiting or self.wide)

    def look_at(self, connection: Connection) -> None:
        """It has sent something: stop reading from it if that spent its budget."""
        if connection.over_budget or (
            connection.queue and self._origin.pending_bytes > PENDING_BYTES_MAX
        ):
            connection.paused = True
            connection.unread_bytes = 0
            self.waiting.add(connection)

    def answer_in_slices(self, connection: Connection, frame: bytes, reply: Slices) -> None:
        """Begin a reply that takes long; later, if too many are under way and nothing forces it.

        What stands in the queue behind its request forces it: that may be settled any moment, and
        then it has to know its place behind this reply.
        """
        self.waiting.add(connection)
        if self.wide.are_many and not connection.queue:
            connection.park_first(frame)
        else:
            self.wide.begin(connection, reply)

    def go_on(self) -> None:
        """Make a slice, and let go on whom nothing holds back any longer."""
        if self.wide:
            self.wide.make_slice()
        if self._origin.pending_bytes > PENDING_BYTES_MAX:
            return
        for connection in list(self.waiting):
            if connection.parking:
                self._take_parked(connection)
            if connection.over_budget:
                continue
            if connection.paused:
                connection.paused = False
                connection.transport.wake()
            if not connection.parking:
                self.waiting.discard(connection)

    def heard(self) -> list[int]:
        """The sessions of connections that are not read from, and that live all the same.

        Their pings wait in the sockets with all else: a client that waits for this replica must not
        lose its session for that.
        """
        return [
            connection.session_id
            for connection in self.waiting
            if connection.paused and connection.session_id and connection.is_heard()
        ]

    def _take_parked(self, connection: Connection) -> None:
        """Handle the requests that waited for a wide reply, until one needs another."""
        while connection.parked and not connection.held and not self.wide.are_many:
            if connection.outbox_bytes > OUTBOX_PAUSE_BYTES:
                return
            self._take(connection, connection.unpark())
        connection.parking = bool(connection.parked or connection.held)
