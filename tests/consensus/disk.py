"""A disk that forgets what was not synced, and checks what is written to it."""

from collections import deque

import attrs

from coord.consensus.configuration import Configuration
from coord.consensus.effects import Persist
from coord.consensus.log import ORIGIN, Entry, EntryKind, HardState, Point, chain_after, point_of
from coord.consensus.recovered import Recovered


class Violation(Exception):  # noqa: N818 - named for what happened
    """A rule of agreement was broken."""


@attrs.frozen
class Tree:
    """What a replica's state machine has flushed: the state after an entry."""

    point: Point = ORIGIN
    configuration: Configuration | None = None


class Disk:
    """One replica's durable log, hard state and tree; a LogReader."""

    splits_transactions = False
    """A known bug, to be put in: the hard state becomes durable before the entries."""
    checks_epoch = True

    def __init__(self, birth: int) -> None:
        self.birth = birth
        self.hard = HardState()
        self.base = ORIGIN
        self.entries: list[Entry] = []
        self.tree = Tree()
        self.highest = 0
        self.is_short = False
        """Entries at its end were lost."""
        self.under_way: deque[Persist] = deque()

    # LogReader

    @property
    def last_index(self) -> int:
        return self.base.index + len(self.entries)

    def read(self, first: int, last: int, bytes_max: int) -> list[Entry]:
        assert self.base.index < first <= last, (self.base, first, last)
        found = self.entries[first - self.base.index - 1 : last - self.base.index]
        size, count = 0, 0
        for entry in found:
            size += len(entry.payload)
            count += 1
            if size >= bytes_max:
                break
        return found[:count]

    # Writing

    def write(self, persist: Persist) -> None:
        """Take a transaction that is not durable yet."""
        if self.splits_transactions and persist.hard is not None:
            self.under_way.append(Persist(persist.number, persist.hard, None, ()))
            persist = attrs.evolve(persist, hard=None)
        self.under_way.append(persist)

    def sync(self, number: int) -> None:
        """Make all transactions up to a number durable."""
        while self.under_way and self.under_way[0].number <= number:
            self._commit(self.under_way.popleft())

    def crash(self, survivors: int) -> None:
        """Lose what is under way, except its first few transactions."""
        for _ in range(min(survivors, len(self.under_way))):
            self._commit(self.under_way.popleft())
        self.under_way.clear()

    def flush(self, tree: Tree) -> None:
        """Store the tree: of what is committed and durable in this log."""
        assert self.base.index <= tree.point.index <= self.last_index
        self.tree = tree

    def trim(self, index: int) -> None:
        """Drop the log up to an index that the tree covers."""
        index = min(index, self.tree.point.index)
        if index > self.base.index:
            count = index - self.base.index
            self.base = point_of(self.entries[count - 1])
            del self.entries[:count]

    def lose_end(self, count: int) -> None:
        """The last entries cannot be read any more."""
        del self.entries[-count:]
        self.is_short = True

    def recovered(self) -> Recovered:
        """What a replica finds when it starts."""
        if not self.base.index <= self.tree.point.index <= self.last_index:
            raise Violation("the tree is beside the log")
        if self.hard.commit_index > self.last_index and not self.is_short:
            raise Violation("the commit index is beyond the log")
        return Recovered(self.hard, self.tree.point.index, self.tree.configuration)

    def _commit(self, persist: Persist) -> None:
        if persist.snapshot is not None:
            taken = persist.snapshot
            self.base = Point(taken.index, taken.epoch, taken.chain)
            self.entries = []
            self.tree = Tree(self.base, taken.configuration)
        if persist.truncate_after is not None:
            if persist.truncate_after < max(self.hard.commit_index, self.tree.point.index):
                raise Violation("a committed entry is truncated")
            del self.entries[persist.truncate_after - self.base.index :]
        for entry in persist.entries:
            before = point_of(self.entries[-1]) if self.entries else self.base
            chain = chain_after(before.chain, entry.index, entry.epoch, entry.kind, entry.payload)
            if entry.index != before.index + 1 or entry.chain != chain:
                raise Violation("log matching: an entry does not follow the one before")
            self.entries.append(entry)
        self.highest = max(self.highest, self.last_index)
        if persist.hard is not None:
            self._check_hard(persist.hard)
            self.hard = persist.hard
        last = point_of(self.entries[-1]) if self.entries else self.base
        is_committed = last.index <= self.hard.commit_index
        if self.checks_epoch and not is_committed and last.epoch != self.hard.current_epoch:
            raise Violation("current epoch and history are not of one transaction")

    def _check_hard(self, hard: HardState) -> None:
        old = self.hard
        if hard.promised < old.promised or hard.current_epoch < old.current_epoch:
            raise Violation("a durable epoch fell")
        if hard.commit_index < old.commit_index:
            raise Violation("the durable commit index fell")
        if not hard.current_epoch <= hard.promised:
            raise Violation("an epoch is current that was not promised")

    def configuration(self) -> Configuration | None:
        """The newest configuration in the durable log or the tree."""
        for entry in reversed(self.entries):
            if entry.kind == EntryKind.CONFIGURATION:
                return Configuration.decode(entry.payload)
        return self.tree.configuration
