"""Who leads, as everybody can see it. Leading is a hold, as a lock: `client.recipes.holds`."""

import attrs

from client.hub import Waiter
from client.recipes.queue import Queue
from client.watches import Iteration
from coord.wire.errors import NoNode
from coord.wire.numbers import WatcherType


@attrs.frozen
class Leader:
    """Who leads."""

    data: bytes
    """What the leader says of itself."""
    token: int
    """The fencing token of its term."""


class Observation(Iteration[Leader | None]):
    """Who leads, from now on; None while nobody does.

    One znode is watched at a time: that of the leader, or the queue while it is empty. So those who
    join or leave further back wake nobody.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._hub = queue.calls.hub
        self._node: str | None = None
        self._waiter: Waiter = self._hub.wait_for(queue.parent, WatcherType.CHILDREN)
        self._last: Leader | None = None
        self._has_last = False
        super().__init__()

    async def _next(self) -> Leader | None:
        while True:
            await self._waiter.wait()
            self._waiter.lower_flag()
            try:
                leader = await self._look()
            except BaseException:
                self._waiter.raise_flag()  # whoever goes on has yet to learn of the change
                raise
            if not self._has_last or leader != self._last:
                self._has_last, self._last = True, leader
                return leader

    async def _look(self) -> Leader | None:
        calls, parent = self._queue.calls, self._queue.parent
        while True:
            if self._node is not None:
                try:
                    znode = await calls.get(self._node, watch=True)
                    return Leader(znode.data, znode.stat.czxid)
                except NoNode:
                    self._node = None
            contenders = await self._queue.contenders()
            if contenders:
                self._node = f"{parent}/{contenders[0]}"
                self._turn_to(self._node, WatcherType.DATA)
            else:
                self._turn_to(parent, WatcherType.CHILDREN)
                if not await self._queue.contenders(watch=True):
                    return None

    def _turn_to(self, path: str, kind: WatcherType) -> None:
        """Watch another znode, of which nothing has been read yet."""
        self._hub.leave(self._waiter)
        self._waiter = self._hub.wait_for(path, kind)
        self._waiter.lower_flag()

    def _leave(self) -> None:
        self._hub.leave(self._waiter)
