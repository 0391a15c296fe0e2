"""Journal: the log and the hard state as the protocol sees them, ahead of the disk.

Every change is made here in memory at once and handed to the driver as a `Persist` by `collect`;
`stored` says what of it is durable. So the protocol reads its own writes, and what it says to
others about them waits for the disk.

Invariants, checked:

J1. Entries are consecutive, and each one's chain follows from the one before.
J2. `promised` rises; the log is adopted for the epoch that is promised and for no other.
J3. What is committed is never dropped: truncation and snapshots stay above the commit index.
J4. History and current epoch change together, so in one Persist: see `adopt`. While the promised
    epoch is not adopted, nothing enters the log but what is committed: see `fill`.
J5. What is not durable, or stands where the disk holds something else, is in memory.
J6. A log that ends before what was stored says so (`owed`), now and on the disk, until it is as
    long again or another history takes its place.
"""

from collections import deque
from collections.abc import Sequence

from coord.consensus.configuration import Configuration
from coord.consensus.effects import InstalledSnapshot, Persist
from coord.consensus.handed import Handed
from coord.consensus.invariants import require
from coord.consensus.log import (
    Entry,
    EntryKind,
    HardState,
    LogReader,
    Point,
    make_entry,
    point_of,
)
from coord.consensus.messages import Mark
from coord.consensus.recovered import Recovered

ENTRY_OVERHEAD = 200
"""What an entry costs beside its payload: about this much in memory, less on the wire."""


class Journal:
    """The log and the hard state of one replica."""

    def __init__(self, recovered: Recovered, reader: LogReader, tail_bytes_max: int) -> None:
        hard = recovered.hard
        self.promised = hard.promised
        self.current_epoch = hard.current_epoch
        self.number = 0
        self.stored_number = 0
        self.durable = hard
        self._recovered_epoch = hard.current_epoch
        self.durable_index = reader.last_index
        self._unhanded_bytes = 0
        self._handed_bytes = 0
        self._reader = reader
        self._tail_bytes_max = tail_bytes_max
        self._base: Point | None = None
        self._tail: list[Entry] = []
        self._tail_first = reader.last_index + 1
        self._tail_bytes = 0
        self._under_way: deque[Handed] = deque()
        self._handed_hard = hard
        self._handed_index = reader.last_index
        self._truncate_after: int | None = None
        self._snapshot: InstalledSnapshot | None = None
        self.last = self.point_at(reader.last_index)
        is_short = reader.last_index < hard.reach.index
        self._lost_end = hard.reach if is_short else None
        self._stored_commit = max(hard.commit_index, recovered.applied_index)
        self.commit_index = self._stored_commit
        if self.owed is not None:
            self.commit_index = min(self._stored_commit, self.last.index)
        self._recovered_configuration = hard.configuration_index
        self._configurations = self._recover_configurations(recovered)
        require(hard.current_epoch <= hard.promised, "J2: the adopted epoch was promised")
        require(self.commit_index <= self.last.index, "J3: what is committed is in the log")
        require(
            self.configuration is not None or self.last.index == 0,
            "J1: a log begins with a configuration, which the tree holds once it is applied",
        )

    # Reading

    @property
    def base(self) -> Point:
        """The place just below the first entry that can be read."""
        return self._base or self._reader.base

    @property
    def rank(self) -> tuple[int, int]:
        """What histories are compared by: (current epoch, last index)."""
        return (self.current_epoch, self.last.index)

    @property
    def owed(self) -> Point | None:
        """Where the log ended before its end was lost, in the current epoch; None: it is whole."""
        lost = self._lost_end
        if lost is None or lost.index <= self.last.index:
            return None
        return lost if self.current_epoch == self._recovered_epoch else None

    @property
    def configuration(self) -> Configuration | None:
        """The newest configuration in the log, committed or not; None when there is none."""
        return self._configurations[-1][1] if self._configurations else None

    @property
    def is_installing(self) -> bool:
        """A snapshot is on its way to the disk: the tree must be switched before the next apply."""
        return self._base is not None

    @property
    def unstored_bytes(self) -> int:
        """Size of the entries that wait for the disk, those included that were dropped since."""
        return self._handed_bytes + self._unhanded_bytes

    def point_at(self, index: int) -> Point:
        """Return the place after an entry that can be read, or the base."""
        base = self.base
        if index == base.index:
            return base
        return point_of(self._read(index, index, 1)[0])

    def chain_at(self, index: int) -> int:
        """Return the chain at an index between the base and the end."""
        if index == self.last.index:
            return self.last.chain
        if index >= self._tail_first:
            return self._tail[index - self._tail_first].chain
        return self.point_at(index).chain

    def holds(self, mark: Mark) -> bool:
        """Tell whether this log and the one that the mark is of agree up to the mark."""
        return (
            self.base.index <= mark.index <= self.last.index
            and self.chain_at(mark.index) == mark.chain
        )

    def marks(self) -> tuple[Mark, ...]:
        """Return places from the end down to the commit index, ever further apart.

        A later leader's log holds all that is committed, so the last mark is common ground.
        """
        lowest = max(self.base.index, min(self.commit_index, self.last.index))
        indexes = [self.last.index]
        step = 1
        while indexes[-1] > lowest:
            indexes.append(max(lowest, indexes[-1] - step))
            step *= 2
        return tuple(Mark(index, self.chain_at(index)) for index in indexes)

    def entries(self, first: int, last: int, bytes_max: int) -> tuple[Entry, ...]:
        """Return entries from `first` on, at least one, until `last` or until the size is met."""
        if first < self._tail_first:
            return tuple(self._read(first, min(last, self._tail_first - 1), bytes_max))
        start = first - self._tail_first
        stop = last - self._tail_first + 1
        size = 0
        for place in range(start, stop):
            size += len(self._tail[place].payload) + ENTRY_OVERHEAD
            if size >= bytes_max:
                stop = place + 1
                break
        return tuple(self._tail[start:stop])

    # Changing

    def in_memory(self, count: int) -> Sequence[Entry]:
        """Return so many of the last entries, or fewer; asks no disk."""
        return self._tail[-count:]

    def append_new(self, kind: int, payload: bytes) -> Entry:
        """Append an entry of the current epoch; only its leader does."""
        entry = make_entry(self.last, self.current_epoch, kind, payload)
        self._append(entry)
        return entry

    def append(self, entries: Sequence[Entry]) -> None:
        """Append entries that follow the last one and were verified."""
        require(self.current_epoch == self.promised, "J4: the log grows in its own epoch")
        self._extend(entries)

    def adopt(self, epoch: int, entries: Sequence[Entry], end: int) -> None:
        """Make the history of the promised epoch ours, and that epoch the current one.

        The history is what our log shares with it, then `entries`, verified, of which the first may
        be there already; it ends at `end`.
        """
        require(self.current_epoch < epoch == self.promised, "J2: what is adopted is promised")
        self._merge(entries)
        self._truncate(end)
        require(self.last.index == end, "J4: the whole history is adopted")
        self.current_epoch = epoch

    def fill(self, entries: Sequence[Entry]) -> None:
        """Store committed entries ahead of the history they belong to.

        They change nothing in any election. Where an entry is committed, each election quorum has
        someone whose current epoch is not below the one in which it was; a log that holds entries
        committed later than its own current epoch is never the greatest, and one that holds
        entries committed in it is what it was, or further.
        """
        self._merge(entries)
        self.commit(entries[-1].index)

    def restore(self, entries: Sequence[Entry]) -> None:
        """Put back verified entries that end where the log did: it is what it was (J6)."""
        owed = self.owed
        require(owed == point_of(entries[-1]), "J6: what is put back is what was lost")
        self._extend(entries)

    def install(self, snapshot: InstalledSnapshot) -> None:
        """Replace the log by a snapshot of what is committed, as `fill` does with entries."""
        require(
            not self.holds(Mark(snapshot.index, snapshot.chain)),
            "J3: a log that holds the snapshot's last entry is not replaced by it",
        )
        require(
            self.current_epoch < self.promised or snapshot.index > self.last.index,
            "J3: an adopted log holds all that is committed, as far as it goes",
        )
        require(snapshot.index > self.commit_index, "J3: a snapshot holds all that is committed")
        self.last = Point(snapshot.index, snapshot.epoch, snapshot.chain)
        self._base = self.last
        self._tail = []
        self._tail_first = snapshot.index + 1
        self._tail_bytes = 0
        self._handed_index = snapshot.index
        self._truncate_after = None
        self.durable_index = min(self.durable_index, self.commit_index)
        self._snapshot = snapshot
        self.commit_index = snapshot.index
        self._configurations = [(0, snapshot.configuration)]

    def promise(self, epoch: int) -> None:
        """Promise an epoch: no leader of an earlier one is listened to from now on."""
        require(epoch > self.promised, "J2: a promise is above all before")
        self.promised = epoch

    def commit(self, index: int) -> None:
        """Raise the commit index, as far as the log goes."""
        self.commit_index = max(self.commit_index, min(index, self.last.index))

    def _merge(self, entries: Sequence[Entry]) -> None:
        """Put verified entries in place; those that differ from ours, and all after, give way."""
        count = 0
        for entry in entries:
            if entry.index > self.last.index or self.chain_at(entry.index) != entry.chain:
                break
            count += 1
        fresh = entries[count:]
        if fresh:
            self._truncate(fresh[0].index - 1)
        self._extend(fresh)

    def _truncate(self, after: int) -> None:
        require(after >= self.commit_index, "J3: what is committed is never dropped")
        if after >= self.last.index:
            return
        self.last = self.point_at(after)
        keep = max(0, after + 1 - self._tail_first)
        self._tail_bytes -= sum(len(e.payload) + ENTRY_OVERHEAD for e in self._tail[keep:])
        del self._tail[keep:]
        self._tail_first = min(self._tail_first, after + 1)
        if after < self._handed_index:
            self._handed_index = after
            self._truncate_after = after
        self.durable_index = min(self.durable_index, after)
        while self._configurations and self._configurations[-1][0] > after:
            self._configurations.pop()

    # To the disk

    def collect(self) -> Persist | None:
        """Return what changed since the last call; None when nothing needs the disk.

        A commit index that rose needs none: it goes with the next change.
        """
        snapshot, truncate_after = self._snapshot, self._truncate_after
        has_entries = self.last.index > self._handed_index
        if not (has_entries or snapshot or truncate_after is not None or self._is_urgent()):
            return None
        hard = self._hard()
        entries: tuple[Entry, ...] = ()
        if has_entries:
            entries = tuple(self._tail[self._handed_index + 1 - self._tail_first :])
        self.number += 1
        persist = Persist(
            number=self.number,
            hard=None if hard == self._handed_hard else hard,
            truncate_after=truncate_after,
            entries=entries,
            snapshot=snapshot,
        )
        self._under_way.append(
            Handed(
                number=self.number,
                last_index=self.last.index,
                hard=hard,
                truncate_after=truncate_after,
                snapshot=snapshot,
                unstored_bytes=self._unhanded_bytes,
            )
        )
        self._handed_bytes += self._unhanded_bytes
        self._unhanded_bytes = 0
        self._handed_hard = hard
        self._handed_index = self.last.index
        self._truncate_after = None
        self._snapshot = None
        return persist

    def stored(self, number: int) -> InstalledSnapshot | None:
        """Note that all up to a number is durable; return the newest snapshot that thereby is."""
        require(self.stored_number <= number <= self.number, "a Persist is stored once handed out")
        self.stored_number = number
        installed: InstalledSnapshot | None = None
        last_index = self.durable_index
        while self._under_way and self._under_way[0].number <= number:
            handed = self._under_way.popleft()
            self.durable = handed.hard
            last_index = handed.last_index
            installed = handed.snapshot or installed
            self._handed_bytes -= handed.unstored_bytes
        cuts = [h.truncate_after for h in self._under_way if h.truncate_after is not None]
        if self._truncate_after is not None:
            cuts.append(self._truncate_after)
        pending = self._snapshot is not None or any(h.snapshot for h in self._under_way)
        if pending:
            cuts.append(self.durable_index)
        self.durable_index = min([last_index, *cuts])
        if installed is not None and not pending:
            self._base = None
        self._forget_stored()
        return installed

    def _extend(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            require(entry.index == self.last.index + 1, "J1: entries are consecutive")
            self._append(entry)

    def _append(self, entry: Entry) -> None:
        size = len(entry.payload) + ENTRY_OVERHEAD
        self._tail.append(entry)
        self._tail_bytes += size
        self._unhanded_bytes += size
        self.last = Point(entry.index, entry.epoch, entry.chain)
        if entry.kind == EntryKind.CONFIGURATION:
            self._configurations.append((entry.index, Configuration.decode(entry.payload)))

    def _read(self, first: int, last: int, bytes_max: int) -> list[Entry]:
        if first >= self._tail_first:
            return [self._tail[first - self._tail_first]]
        require(first > self.base.index, "J5: what was trimmed is not asked for")
        require(first <= self.durable_index, "J5: what is not durable is in memory")
        entries = self._reader.read(first, last, bytes_max)
        require(bool(entries) and entries[0].index == first, "J1: entries are consecutive")
        return entries

    def _hard(self) -> HardState:
        index = self._configurations[-1][0] if self._configurations else 0
        self._lost_end = self.owed
        if self._lost_end is not None and self._recovered_configuration > self.last.index:
            index = self._recovered_configuration  # among what was lost: what is mended may be read
        commit_index = max(self.commit_index, self._stored_commit)
        reach = self._lost_end or self.last
        return HardState(self.promised, self.current_epoch, commit_index, index, reach)

    def _is_urgent(self) -> bool:
        handed = self._handed_hard
        return self.promised != handed.promised or self.current_epoch != handed.current_epoch

    def _forget_stored(self) -> None:
        if self._tail_bytes <= 2 * self._tail_bytes_max:
            return
        count = 0
        for entry in self._tail:
            if self._tail_bytes <= self._tail_bytes_max or entry.index > self.durable_index:
                break
            self._tail_bytes -= len(entry.payload) + ENTRY_OVERHEAD
            count += 1
        del self._tail[:count]
        self._tail_first += count

    def _recover_configurations(self, recovered: Recovered) -> list[tuple[int, Configuration]]:
        found: list[tuple[int, Configuration]] = []
        index = recovered.hard.configuration_index
        lowest = max(recovered.applied_index, self.base.index)
        if recovered.configuration is not None:
            # Its place is kept: a start without the tree needs the entry.
            found.append((index if index <= lowest else 0, recovered.configuration))
        if lowest < index <= self.last.index:
            entry = self._read(index, index, 1)[0]
            require(entry.kind == EntryKind.CONFIGURATION, "J1: the configuration is where it was")
            found.append((index, Configuration.decode(entry.payload)))
        return found
