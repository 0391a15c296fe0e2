"""What to read, and when it is known, so that a copy of a subtree is always that of one moment.

A server tells of changes, but not of what they made of a znode, so every changed znode is read.
Meanwhile the next one changes. That a copy still shows single moments rests on the order of the
wire: a server sends the event of a change before any reply that shows it, or a later one. Hence

1. what a reply says of a znode holds from that reply on, until an event names the znode;
2. an event that comes while a read is under way is covered by the reply to that read;
3. at a reply after which nothing needs to be read, what is known is the state of that moment. Not
   so at an event: it may be one of several that a transaction caused.

Reads go in rounds: what needs to be read when a round begins, all at once. Where changes come
faster than rounds, 3 never happens. So the end of each round is kept as a *cut*: all is known of
it but the znodes that still need to be read, which the next round reads. Then

4. what a cut lacks is what the next round finds, unless an event has named the znode meanwhile:
   then it will never be known. (Where each znode has a watch of its own, which is gone after one
   event, nobody would be told; there the zxids in the Stat decide.)
5. a znode that spoiled a cut is read in each round, needed or not, as long as it goes on changing,
   so it is known at the ends of rounds. As there are only so many znodes, some cut gets complete.

After a connection was lost, all znodes are visited again, from the root on down; data are not read
again where czxid and mzxid are as before. (Versions would not do: they begin again in a znode that
was deleted and made anew.)

Nothing here waits or sends.
"""

import enum
import weakref
from collections.abc import Sequence
from typing import NamedTuple

import attrs

from client.tree import Nodes, Tree, child_of, parent_of
from client.znodes import Stat, Znode
from coord.wire.numbers import EventType

NEEDS_MAX = 10_000
"""Changed znodes that wait to be read, beyond as many as there are: with more all are visited."""


class Need(enum.IntEnum):
    """What of a znode needs to be read."""

    STAT = 1
    """Its Stat."""
    DATA = 2
    """Its data and its Stat."""
    NAMES = 3
    """The names of its children, and its Stat."""


class Read(NamedTuple):
    """Something that needs to be read."""

    need: Need
    """What of it."""
    path: str
    """The znode."""


@attrs.define
class Cut:
    """The end of a round, as far as it is known."""

    zxid: int
    """Its moment."""
    news: dict[str, Znode | None]
    """What differs from what was published; None for a znode that is missing."""
    is_whole: bool
    """Whether the news are all there is, no differences."""
    heard: int
    """How many events there had been."""


class Mirror:
    """A copy of a subtree. Ask it for reads, tell it of replies and events in wire order."""

    def __init__(self, *, is_deep: bool, has_data: bool, hidden: str | None = None) -> None:
        self.published = 0
        """How many states were published that differ from the one before; 0 before the first."""
        self.zxid = 0
        """The moment of the published state."""
        self.heard = 0
        """How many events it was told of."""
        self.included = 0
        """How many of these, from the first one on, the published state includes."""
        self.changed: set[str] | None = None
        """Who wants to know which paths the published states differ in puts a set here."""
        self.is_piecemeal = False
        """Whether there is one watch for each znode and one for its children, set by each read,
        instead of one for all."""
        self.era = 0
        """Replies to what was asked for in an earlier era are of no use."""
        self._is_deep = is_deep
        self._has_data = has_data
        self._hidden = hidden
        self._nodes = Nodes()
        self._handed: weakref.WeakValueDictionary[int, Tree] = weakref.WeakValueDictionary()
        self.rest()

    def rest(self) -> None:
        """Know nothing of changes from now on."""
        self.era += 1
        self._is_watching = False
        self._is_visiting = False
        self.is_visited = False
        """Whether a state was published since it knows of changes."""
        self._needs: dict[Read, None] = {}  # of the next round, in order
        self._due: dict[Read, None] = {}  # of this round, the next one last
        self._flying: set[Read] = set()  # asked for
        self._news: dict[str, Znode | None] = {}
        self._is_whole = False
        self._visited: set[str] = set()
        self._cut: Cut | None = None
        self._open: set[Read] = set()  # what the cut lacks
        self._hot: set[Read] = set()
        self._named: set[Read] = set()  # those of the hot ones that events named in this round

    def begin(self) -> None:
        """Visit everything: from now on every change will be told."""
        self.rest()
        self._is_watching = self._is_visiting = self._is_whole = True
        self._visit("/")

    @property
    def is_current(self) -> bool:
        """Whether nothing is known to have changed since what was published."""
        return self._is_watching and not (self._needs or self._due or self._flying)

    @property
    def has_reads(self) -> bool:
        """Whether there is something to ask for now."""
        return bool(self._due) or (bool(self._needs) and not self._flying)

    @property
    def flying(self) -> int:
        """How many reads are under way."""
        return len(self._flying)

    def tree(self) -> Tree:
        """Return the published state."""
        tree = self._handed.get(self.zxid)
        if tree is None:
            tree = self._handed[self.zxid] = Tree(self._nodes, self.zxid)
        return tree

    @property
    def nodes(self) -> Nodes:
        """What the published state consists of; it changes."""
        return self._nodes

    def next_read(self) -> Read | None:
        """Return what to ask for next, in this order on one connection; None: nothing, for now."""
        if not self._due and not self._flying and self._needs:
            # What is hot comes last, so that little happens until the round ends.
            hot = self._hot if self._cut is not None else ()
            self._due = {**dict.fromkeys(sorted(hot)), **self._needs}
            self._needs.clear()
        if not self._due:
            return None
        read, _ = self._due.popitem()
        self._flying.add(read)
        return read

    # Replies.

    def found(
        self, read: Read, zxid: int, stat: Stat, data: bytes | None, names: Sequence[str] | None
    ) -> None:
        """Hear that a znode is there; what was not asked for is None."""
        known = self._known(read.path)
        znode = self._znode(read.path, stat, data)
        if znode is None:
            self._hear(read.path, Need.DATA)
        else:
            self._put(read, znode)
        if names is not None:
            self._find_children(read.path, names)
        elif self.is_piecemeal:
            if known is None or known.stat.czxid != stat.czxid:
                self._ask(Need.NAMES, read.path)  # the watch for children went with the other one
        elif self._is_visiting and self._is_deep and stat.num_children:
            self._visit_with(Need.NAMES, read.path)
        self._landed(read, zxid)

    def missing(self, read: Read, zxid: int) -> None:
        """Hear that there is no such znode, or none that may be read."""
        self._put(read, None)
        if self.is_piecemeal and read.path == "/" and read.need != Need.STAT:
            self._ask(Need.STAT, "/")  # other reads leave no watch where there is nothing
        self._landed(read, zxid)

    def refused(self, read: Read, zxid: int) -> None:
        """Hear that the server was too busy to answer."""
        self._flying.discard(read)
        self._hear(read.path, read.need)
        self._landed(read, zxid)

    def _znode(self, path: str, stat: Stat, data: bytes | None) -> Znode | None:
        """Return what is known now; None when it has other data than those that are held."""
        if not self._has_data:
            return Znode(b"", stat)
        if data is not None:
            return Znode(data, stat)
        held = self._known(path)
        if held is None and self._is_visiting:
            held = self._nodes.znodes.get(path)
        if held is None or (held.stat.czxid, held.stat.mzxid) != (stat.czxid, stat.mzxid):
            return None
        return Znode(held.data, stat)

    def _known(self, path: str) -> Znode | None:
        if path in self._news:
            return self._news[path]
        if self._cut is not None and path in self._cut.news:
            return self._cut.news[path]
        if self._is_whole or (self._cut is not None and self._cut.is_whole):
            return None
        return self._nodes.znodes.get(path)

    def _put(self, read: Read, znode: Znode | None) -> None:
        if self._cut is not None and self.is_piecemeal and read in self._open:
            stat = None if znode is None else znode.stat
            if stat is None or max(stat.czxid, stat.mzxid, stat.pzxid) > self._cut.zxid:
                self._spoil()
        if self._cut is not None and read in self._open:
            self._open.discard(read)
            self._cut.news[read.path] = znode
        else:
            self._news[read.path] = znode

    def _find_children(self, parent: str, names: Sequence[str]) -> None:
        for name in sorted(names):
            path = child_of(parent, name)
            if self._is_visiting:
                if path not in self._visited:
                    self._visit(path)
            elif self._known(path) is None and not self._is_asked(path):
                self._spoil()  # nothing was known of this one at the cut
                self._visit(path)

    def _visit(self, path: str) -> None:
        if path == self._hidden:
            return
        self._visited.add(path)
        if not self._is_deep:
            self._visit_with(Need.DATA if self._has_data else Need.STAT, path)
            return
        is_held = not self._has_data or (self._is_visiting and path in self._nodes.znodes)
        if self.is_piecemeal:
            self._visit_with(Need.STAT if is_held else Need.DATA, path)
            self._visit_with(Need.NAMES, path)
        elif is_held:
            self._visit_with(Need.NAMES, path)
        else:
            self._visit_with(Need.DATA, path)  # which tells whether there are names to read

    def _visit_with(self, need: Need, path: str) -> None:
        if self._is_visiting:
            self._due[Read(need, path)] = None
        else:
            self._ask(need, path)

    def _landed(self, read: Read, zxid: int) -> None:
        self._flying.discard(read)
        if self._flying or self._due:
            return
        if not self._needs:
            self._spoil()  # of no use any more
            self._publish(Cut(zxid, self._news, self._is_whole, self.heard))
            self._news, self._is_whole = {}, False
            self._hot.clear()
        else:
            if self._cut is not None:
                assert not self._open, "4: a cut that was not spoiled lacks nothing after a round"
                self._publish(self._cut)
            self._cut = Cut(zxid, self._news, self._is_whole, self.heard)
            self._open = set(self._needs)
            self._news, self._is_whole = {}, False
            self._hot &= self._named
        self._is_visiting = False
        self._visited.clear()
        self._named.clear()

    # Events.

    def change(self, kind: EventType, path: str) -> None:
        """Hear of a change."""
        self.heard += 1
        if not self._is_watching or self._is_hidden(path):
            return
        if not self._is_deep:
            self._hear(path, Need.DATA)
        elif kind == EventType.NODE_CHILDREN_CHANGED:
            self._hear(path, Need.NAMES)
        elif kind == EventType.NODE_DELETED and path != "/":
            self._hear_of_end(path)
        else:
            self._hear(path, Need.DATA)
            if kind == EventType.NODE_CREATED:
                self._hear_of_beginning(path)
        if len(self._needs) > NEEDS_MAX + len(self._nodes.znodes):
            self.begin()

    def _hear_of_beginning(self, path: str) -> None:
        if self.is_piecemeal:
            self._ask(Need.NAMES, path)
        elif path != "/":
            self._hear(parent_of(path), Need.STAT)

    def _hear_of_end(self, path: str) -> None:
        self._hear(path)
        for need in Need:
            self._needs.pop(Read(need, path), None)
        if self._known(path) is not None:
            self._news[path] = None
        # There is more to it than the Stat of the parent: a round, at whose end it may be shown.
        self._hear(parent_of(path), Need.NAMES if self.is_piecemeal else Need.STAT)

    def _hear(self, path: str, *needs: Need) -> None:
        """Take note that a znode has changed, and of what needs to be read of it."""
        if self._open or self._hot:
            reads = {Read(need, path) for need in Need}
            lost = reads & self._open
            self._hot |= lost
            self._named |= reads & self._hot
            if lost:
                self._spoil()
        for need in needs:
            self._ask(need, path)

    def _ask(self, need: Need, path: str) -> None:
        """Have it read in the next round, if no reply is coming that will say as much."""
        if need == Need.DATA and not self._has_data:
            need = Need.STAT
        read = Read(need, path)
        if read not in self._flying and read not in self._due:
            self._needs[read] = None

    def _spoil(self) -> None:
        """Give up the cut: its moment will never be known in full. What is known remains."""
        if self._cut is not None:
            self._news = {**self._cut.news, **self._news}
            self._is_whole = self._cut.is_whole
            self._cut = None
            self._open.clear()

    def _is_asked(self, path: str) -> bool:
        return any(
            read in self._needs or read in self._flying or read in self._due
            for read in (Read(need, path) for need in Need)
        )

    def _is_hidden(self, path: str) -> bool:
        hidden = self._hidden
        return hidden is not None and (path == hidden or path.startswith(hidden + "/"))

    # What others see.

    def _publish(self, cut: Cut) -> None:
        """Make it the state that others see."""
        news, old = cut.news, self._nodes.znodes
        if cut.is_whole:
            news.update((path, None) for path in old.keys() - news.keys())
        differs = {path: znode for path, znode in news.items() if old.get(path) != znode}
        if differs and self._handed:
            self._nodes = self._nodes.copy()
            self._handed = weakref.WeakValueDictionary()
        for path, znode in differs.items():
            if znode is None:
                self._nodes.remove(path)
            else:
                self._nodes.put(path, znode)
        self.zxid, self.included = cut.zxid, cut.heard
        self.is_visited = True
        if differs or not self.published:
            self.published += 1
        if self.changed is not None:
            self.changed.update(differs)
