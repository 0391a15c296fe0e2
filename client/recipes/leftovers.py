"""Znodes that must go, and the task that sees to it.

Whoever gives up a place in a queue cannot wait for ever until that is done: it may have been
cancelled, and there may be no connection. So it waits for a moment, and the janitor goes on: it
deletes the znode as soon as it can, as long as the session lasts that owns it. A session that ends
takes its znodes with it. What no session owns, or one that goes on in another client, would stay,
so the end of a client waits for that.
"""

import logging
from collections import deque
from typing import ClassVar

import attrs
import trio

from client.calls import Calls
from client.errors import ClientClosed, ReplyLost
from client.session import Session
from coord.wire.errors import NoNode, NotReadOnly, SessionExpired, ThrottledOp, ZooKeeperError

PATIENCE_SECONDS = 1.0
"""How long somebody who leaves waits to see it done, or a third of the timeout if that is less."""

PAUSE_SECONDS = 0.5
"""How long to wait with the next attempt at a server that can do nothing now, and says so."""

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Leftover:
    """An ephemeral znode that may exist, and shall not."""

    is_owned: ClassVar[bool] = True
    """Whether it goes with its session, if nobody deletes it before."""

    session: Session
    """Its owner."""
    parent: str
    """Where it is."""
    marker: str
    """What its name contains, and no other's."""
    path: str | None = None
    """Its path; None when its number never became known."""
    done: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when it is gone for certain."""
    was_missing: bool = attrs.field(default=False, init=False)
    """Whether it had gone before it was deleted here."""

    async def take_away(self, calls: Calls) -> None:
        """Delete it; NoNode when it is not there."""
        path = self.path or await self.find(calls)
        if path is not None:
            await calls.delete(path, session=self.session)

    async def find(self, calls: Calls) -> str | None:
        """Return the path of a znode whose name never became known; None when there is none."""
        await calls.sync(self.session)
        try:
            names, _ = await calls.children(self.parent, session=self.session)
        except NoNode:
            return None
        return next((f"{self.parent}/{name}" for name in names if self.marker in name), None)


class Janitor:
    """Deletes leftovers, one after the other.

    The queue cannot grow for ever: each entry is an acquisition of the present session that was
    given up, and those of a session that has ended go through in no time.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._queue: deque[Leftover] = deque()
        self._wake = trio.Event()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            while self._queue:
                await self._remove(self._queue[0])
                self._queue.popleft().done.set()
            self._wake = trio.Event()
            await self._wake.wait()

    async def remove(self, leftover: Leftover) -> bool:
        """See to it that a znode goes; return whether it is gone yet. Cannot be cancelled."""
        if leftover.done.is_set():
            return True
        self._queue.append(leftover)
        self._wake.set()
        patience = min(PATIENCE_SECONDS, leftover.session.timeout / 3)
        with trio.move_on_after(patience, shield=True):
            await leftover.done.wait()
        return leftover.done.is_set()

    async def finish(self) -> None:
        """Wait for what would outlive the client: its session's own goes with the session."""
        for leftover in self._queue.copy():
            if not leftover.is_owned or leftover.session.is_exported:
                await leftover.done.wait()

    async def _remove(self, leftover: Leftover) -> None:
        is_first = True
        while True:
            try:
                await leftover.take_away(self._calls)
            except ReplyLost:
                is_first = False
                continue
            except (ThrottledOp, NotReadOnly):
                await trio.sleep(PAUSE_SECONDS)  # what was refused for now still has to go
                continue
            except NoNode:
                leftover.was_missing = is_first
            except SessionExpired:
                leftover.was_missing = True
            except ClientClosed:
                pass  # the session is being closed, or will expire
            except ZooKeeperError as error:
                _log.warning("%s/%s stays behind: %s", leftover.parent, leftover.marker, error)
            return
