"""Replies that are built slice by slice, while the loop serves others between two slices.

Rules

1. A reply has its place among what its connection is sent when its first slice is made: what was
   put out before goes before it, what is put out later is held behind it. Only pings, auth and the
   catching-up of setWatches pass by.
2. Requests that come behind it are parked as they came, within the connection's budget, until the
   reply is whole and most of what was sent is taken: a client has one such reply at a time, but for
   those that stood behind writes of its own already (`WIDE_MAX` of them).
3. All of them have their turns one after the other: a list of ten thousand names does not wait for
   one of a million.
4. A connection that is closed drops its slices at once, and what they hold.
"""

from collections import deque
from typing import Final

from coord.operations.slices import Slices
from coord.replica.connections import Connection, Wide
from coord.wire.errors import ZooKeeperError
from coord.wire.frames import encode_reply, encode_reply_header

UNDER_WAY_MAX: Final = 32
"""With so many in the making, further ones wait, unbegun: each may hold a view of the tree."""
WIDE_MAX: Final = 4
"""A client with more of them unanswered is cut off."""


class WideReplies:
    """All replies in the making of one replica."""

    def __init__(self) -> None:
        self._under_way: deque[Wide] = deque()

    def __bool__(self) -> bool:
        """Whether there is a slice to make."""
        return bool(self._under_way)

    @property
    def are_many(self) -> bool:
        """Whether no more should be begun now."""
        return len(self._under_way) >= UNDER_WAY_MAX

    def begin(self, connection: Connection, slices: Slices) -> None:
        """Make the first slice, and the place for all of them; `slices` makes whole frames."""
        if connection.wide_count >= WIDE_MAX:
            slices.close()
            connection.abort()
            return
        wide = Wide(connection, slices)
        connection.hold(wide)
        self._make_slice(wide)

    def make_slice(self) -> None:
        """Go on with the one whose turn it is."""
        self._make_slice(self._under_way.popleft())

    def _make_slice(self, wide: Wide) -> None:
        if wide.connection.cut or wide.connection.closed:
            return
        try:
            next(wide.slices)
        except StopIteration as done:
            wide.parts = done.value
            wide.connection.release()
        else:
            self._under_way.append(wide)


def reply_of(slices: Slices, xid: int, zxid: int) -> Slices:
    """Make a body into the reply to a request; it shows the state as of `zxid`."""
    try:
        parts = yield from slices
    except ZooKeeperError as error:
        return [encode_reply(xid, zxid, error.code)]
    return [encode_reply_header(xid, zxid, sum(map(len, parts))), *parts]
