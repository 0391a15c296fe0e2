"""Keeps a mirror of a subtree fed: sets the watch, and sends the reads that the mirror asks for.

Replies and events reach the mirror from the reader of the connection, in the order of the wire.
Sending is work for whoever waits for the next state, so a consumer that does not ask for states
costs no reads, and what it has missed are a few marks: a mirror needs each znode once, however
often it changed.
"""

from functools import partial

import attrs
import trio

from client.calls import Calls
from client.errors import ReplyLost
from client.hub import Change, Listener
from client.mirror import Mirror, Need, Read
from client.pending import Pending
from client.tree import Tree
from client.znodes import Stat, Znode
from coord import jute
from coord.wire.connection import Reply
from coord.wire.errors import (
    NoAuth,
    NoNode,
    SessionExpired,
    SessionMoved,
    ThrottledOp,
    Unimplemented,
    error_for,
)
from coord.wire.numbers import AddWatchMode, OpCode, WatcherType
from coord.wire.requests import (
    AddWatchRequest,
    ExistsRequest,
    GetChildren2Reply,
    GetChildren2Request,
    GetDataRequest,
)

READS_MIN = 24
"""Reads under way at first: so many of the largest replies fit into what a replica keeps for us."""

READS_MAX = 400
"""Reads under way at the most: those of other tasks shall find room beside them."""

REPLIES_BYTES = 8 * 1024 * 1024
"""Bytes of replies under way, going by the largest that has come."""

RESERVED = "/zookeeper"
"""What the servers write there makes no events, so no copy of it could be right."""


@attrs.frozen
class Question:
    """How something is asked for."""

    opcode: OpCode
    """The op code."""
    request: type[ExistsRequest | GetDataRequest | GetChildren2Request]
    """What is sent."""
    kind: WatcherType
    """Which watch it can set."""


QUESTIONS = {
    Need.STAT: Question(OpCode.EXISTS, ExistsRequest, WatcherType.DATA),
    Need.DATA: Question(OpCode.GET_DATA, GetDataRequest, WatcherType.DATA),
    Need.NAMES: Question(OpCode.GET_CHILDREN2, GetChildren2Request, WatcherType.CHILDREN),
}
_LEAVING = (SessionExpired.code, SessionMoved.code)


class Feed(Listener):
    """A mirror and the watch it rests on."""

    takes_pieces = True
    """Whether the watches that reads set will do where there is no other."""

    def __init__(
        self, calls: Calls, path: str, *, recursive: bool = True, has_data: bool = True
    ) -> None:
        super().__init__(path, recursive=recursive)
        self._prefix = "" if path == "/" else path
        hidden = RESERVED if path == "/" else None
        self.mirror = Mirror(is_deep=recursive, has_data=has_data, hidden=hidden)
        self.stale_since: float | None = trio.current_time()
        """Since when changes may be missing, by Trio's clock; None when there are none."""
        self._calls = calls
        self._failure: Exception | None = None
        self._wake = trio.Event()
        self._reads_max = READS_MIN
        self._largest = 1
        calls.hub.listen(self)

    @property
    def zxid(self) -> int:
        """The zxid up to which all changes are in the published state."""
        if self.standing and self.mirror.is_current:
            return max(self.mirror.zxid, self._calls.keeper.zxid)
        return self.mirror.zxid

    def tree(self) -> Tree:
        """Return the published state."""
        return self.mirror.tree()

    async def advance(self, seen: int) -> None:
        """Return once a state is published that is not the one with this number."""
        while self.mirror.published == seen:
            await self.work()

    async def work(self) -> None:
        """Do what is to be done next, or wait until there is something."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            if self.standing:
                self.mirror.begin()  # whoever asks again may get another answer
            raise failure
        if not self.standing:
            await self._stand()
        elif self.mirror.has_reads and self.mirror.flying < self._reads_max:
            await self._send()
        else:
            self._wake = trio.Event()
            await self._wake.wait()

    def leave(self) -> None:
        """Give up the watch."""
        self._calls.hub.leave(self)

    # What the hub tells.

    def stand(self, reply: Reply) -> None:
        """Begin to follow."""
        if reply.error == Unimplemented.code and self.takes_pieces:
            self._calls.hub.is_piecemeal = True
            self._stand_alone()
        super().stand(reply)
        if not reply.error:
            self.mirror.begin()

    def _stand_alone(self) -> None:
        """Begin to follow by the watches that reads set."""
        self.piecemeal = self.mirror.is_piecemeal = self.standing = True
        self.mirror.begin()

    def push(self, change: Change) -> None:
        """Tell the mirror."""
        if self.stale_since is None:
            self.stale_since = trio.current_time()
        self.mirror.change(change.kind, change.path[len(self._prefix) :] or "/")
        self._wake.set()

    def drop(self, since: float) -> None:
        """Leave the published state as it is, until the watch stands again."""
        if self.stale_since is None:
            self.stale_since = since
        self._reads_max = READS_MIN
        self.mirror.rest()
        self._wake.set()

    # Requests.

    async def _stand(self) -> None:
        if self._calls.hub.is_piecemeal and self.takes_pieces:
            await self._calls.keeper.room()
            self._stand_alone()
            return
        mode = AddWatchMode.PERSISTENT_RECURSIVE if self.recursive else AddWatchMode.PERSISTENT
        request = AddWatchRequest(self.path, mode)
        try:
            with self._calls.hub.asking(self) as then:
                await self._calls.keeper.call(OpCode.ADD_WATCH, request, then=then)
        except ReplyLost:
            return
        except Unimplemented:
            if not self.piecemeal:
                raise

    async def _send(self) -> None:
        """Send all the reads that there is room for."""
        link = await self._calls.keeper.room()
        while self.standing and link.room > 0 and self.mirror.flying < self._reads_max:
            read = self.mirror.next_read()
            if read is None:
                return
            question = QUESTIONS[read.need]
            path = self._prefix + read.path if read.path != "/" else self.path
            watch = self.piecemeal and self._calls.hub.arms(path, question.kind)
            then = partial(self._receive, self.mirror.era, read)
            link.post(Pending(question.opcode, question.request(path, watch), then))

    def _receive(self, era: int, read: Read, reply: Reply) -> None:
        if era != self.mirror.era or reply.error in _LEAVING:
            return
        self._largest = max(self._largest, len(reply.body))
        self._reads_max = min(
            READS_MAX, self._reads_max + 1, max(READS_MIN, REPLIES_BYTES // self._largest)
        )
        if reply.error == 0:
            self._find(read, reply)
        elif reply.error == NoNode.code or (reply.error == NoAuth.code and read.path != "/"):
            self.mirror.missing(read, reply.zxid)
        elif reply.error == ThrottledOp.code:
            self.mirror.refused(read, reply.zxid)
        else:
            self._failure = error_for(reply.error, self._calls.own(self.path))
        if self.mirror.is_current:
            self.stale_since = None
        if self.mirror.flying <= self._reads_max // 2:
            self._wake.set()

    def _find(self, read: Read, reply: Reply) -> None:
        data, names = None, None
        if read.need == Need.DATA:
            data, stat = Znode.read(reply.body)
        elif read.need == Need.STAT:
            stat = Stat.read(reply.body)
        else:
            listed = jute.decode(GetChildren2Reply, reply.body)[0]
            names, stat = listed.children, Stat.of(listed.stat)
        self.mirror.found(read, reply.zxid, stat, data, names)
