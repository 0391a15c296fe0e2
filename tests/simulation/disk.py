"""A replica's disk: the log with its hard state, and trees; sealed bytes that can rot.

It keeps the contract of the durable log: `stage` fills one transaction, `commit` makes it durable
as a whole, `finish` shows it. What is on the platter outlives the process; a `Log` is the view of
one life. A crash keeps a transaction under way whole, or loses it whole.
"""

import random
from struct import Struct

import attrs

from coord.consensus.effects import InstalledSnapshot, Persist
from coord.consensus.log import ORIGIN, Entry, HardState, Point, chain_after
from coord.storage.errors import DamagedEntry, DamagedTree, DiskFull
from coord.storage.seal import seal, unseal
from tests.simulation.invariants import require
from tests.simulation.tree import Image

_INDEX = Struct(">Q")
_ENTRY = Struct(">qBQ")


@attrs.define
class Transaction:
    """What one durable write will do."""

    persists: list[Persist]
    base: Point
    """Up to here the log is trimmed."""
    configuration: bytes
    is_durable: bool = False


class Disk:
    """What outlives the processes of one machine."""

    def __init__(self, birth: int, first_start: int) -> None:
        self.birth = birth
        self.start = first_start
        self.hard = HardState()
        self.base = ORIGIN
        self.records: dict[int, bytes] = {}
        self.last_index = 0
        self.chain = 0
        """That of the last entry, or of the base."""
        self._chains: dict[int, int] = {}
        """What was written, by index: what stands there may have been damaged since."""
        self.highest = 0
        """The greatest last index that this disk ever had."""
        self.tree = "tree.1"
        self.images: dict[str, Image] = {"tree.1": Image()}
        self.distrust = False
        """The named tree must not be used: another one has to come from the leader."""
        self.configuration = b""
        """A configuration in force at the base or later; b"" when none had to be kept."""
        self.written_last = 0
        """The last entry, as the transactions alone have made it."""
        self.staged: Transaction | None = None
        self.is_full = self.is_damaged = False
        self.new_chains: list[int] = []
        """Entries that became durable and were not yet reported."""
        self._trees_made = 1

    # ------------------------------------------------------------------- one life of a process

    def open(self) -> None:
        """A process starts: raise the start counter, drop trees which the log does not name."""
        if self.is_full:
            raise DiskFull("no room for the number of this start")
        self._check()
        require(self.last_index == self.written_last, "14: entries that were stored are gone")
        self.start += 1
        self.images = {self.tree: self.images[self.tree]}

    def new_tree(self) -> str:
        """The name of a tree that is to be received."""
        self._trees_made += 1
        return f"tree.{self._trees_made}"

    def stage(self, persists: list[Persist], trim_to: int, configuration: bytes) -> None:
        """Fill the next transaction; raises DamagedEntry."""
        require(self.staged is None, "10: one transaction at a time")
        base = self.base
        last = min(trim_to, self.last_index)
        if last > base.index:
            entry = self.entry(last)
            base = Point(last, entry.epoch, entry.chain)
        self.staged = Transaction(persists, base, configuration)

    def commit(self) -> None:
        """What was staged is durable."""
        if self.is_full:
            raise DiskFull("no room")
        if self.staged is not None:
            self.staged.is_durable = True

    def finish(self) -> None:
        """Show what was committed."""
        staged, self.staged = self.staged, None
        if staged is not None:
            require(staged.is_durable, "10: what is shown is durable")
            self._apply(staged)

    def crash(self, rng: random.Random) -> str:
        """The process stops: what is under way survives as a whole, or not at all; say which."""
        staged, self.staged = self.staged, None
        if staged is None:
            return ""
        if staged.is_durable or rng.random() < 0.4:
            self._apply(staged)
            return "a write was done, untold"
        if rng.random() < 0.5:
            return "unsynced data lost"
        # Part of the pages were written; but the page that names them was not, so they are free.
        self.records[self.last_index + 1] = rng.randbytes(20)
        return "torn write"

    # ----------------------------------------------------------------------------- transactions

    def _apply(self, staged: Transaction) -> None:
        for persist in staged.persists:
            self._apply_one(persist)
        if staged.base.index > self.base.index:
            for index in range(self.base.index + 1, staged.base.index + 1):
                del self.records[index]
            self.base = staged.base
            self.configuration = staged.configuration or self.configuration
        self.written_last = self.last_index
        self._check()

    def _apply_one(self, persist: Persist) -> None:
        if persist.snapshot is not None:
            self._replace_all(persist.snapshot)
        if persist.truncate_after is not None:
            floor = self.hard.commit_index
            if not self.distrust:
                floor = max(floor, self.images[self.tree].point.index)
            require(persist.truncate_after >= floor, "9: a committed entry is truncated")
            for index in range(persist.truncate_after + 1, self.last_index + 1):
                del self.records[index]
            if persist.truncate_after < self.last_index:
                self.last_index = persist.truncate_after
                self.chain = self._last_chain()
        for entry in persist.entries:
            self._append(entry)
        self.highest = max(self.highest, self.last_index)
        if persist.hard is not None:
            self._raise(persist.hard)

    def _append(self, entry: Entry) -> None:
        index = self.last_index + 1
        chain = chain_after(self.chain, entry.index, entry.epoch, entry.kind, entry.payload)
        require(entry.index == index, f"1: entry {entry.index} leaves a gap at {index}")
        require(entry.chain == chain, f"1: entry {index} does not follow the one before")
        value = _ENTRY.pack(entry.epoch, entry.kind, entry.chain) + entry.payload
        self.records[index] = seal(_INDEX.pack(index), value)
        self._chains[index] = entry.chain
        self.last_index, self.chain = index, entry.chain
        self.new_chains.append(chain)

    def _raise(self, hard: HardState) -> None:
        old = self.hard
        require(hard.promised >= old.promised, "9: a durable promise fell")
        require(hard.current_epoch >= old.current_epoch, "9: a durable epoch fell")
        require(hard.commit_index >= old.commit_index, "9: a durable commit index fell")
        require(hard.current_epoch <= hard.promised, "9: an epoch is current, not promised")
        self.hard = hard

    def _replace_all(self, snapshot: InstalledSnapshot) -> None:
        self.base = Point(snapshot.index, snapshot.epoch, snapshot.chain)
        self.records = {}
        self.last_index, self.chain = snapshot.index, snapshot.chain
        self.name_tree(snapshot.name)
        self.configuration = snapshot.configuration.encode()
        require(self.images[self.tree].point == self.base, "10: a named tree is the snapshot")

    def _check(self) -> None:
        point = self.images[self.tree].point
        fits = self.distrust or self.base.index <= point.index <= self.last_index
        require(fits, f"10: base {self.base.index}, tree {point.index}, last {self.last_index}")
        if self.last_index > max(self.hard.commit_index, self.base.index):
            last_epoch = _ENTRY.unpack_from(self.records[self.last_index])[0]
            is_one = self.is_damaged or last_epoch == self.hard.current_epoch
            require(is_one, "13: the current epoch and the history are not of one transaction")

    def name_tree(self, name: str) -> None:
        """Another tree counts, and is to be trusted."""
        self.tree, self.distrust = name, False

    def distrust_tree(self) -> None:
        """The tree must not be used any more, until another one is named."""
        self.configuration = self.images[self.tree].configuration or self.configuration
        self.distrust = True

    @property
    def may_lack_tree(self) -> bool:
        """Whether the log is whole without it."""
        return self.base.index == 0 or bool(self.configuration)

    def flush(self, name: str, image: Image) -> None:
        """A tree is flushed: of what is committed, and durable in this log."""
        if name != self.tree:
            return
        point = image.point
        known = self.base.index <= point.index <= self.last_index
        require(known, "11: a tree is flushed that is beside the log")
        self.images[name] = image

    # ------------------------------------------------------------------------------- reading

    def entry(self, index: int) -> Entry:
        """Read an entry; raises DamagedEntry."""
        stored = self.records.get(index)
        value = None if stored is None else unseal(_INDEX.pack(index), stored)
        if value is None:
            raise DamagedEntry(index)
        epoch, kind, chain = _ENTRY.unpack_from(value)
        return Entry(index, epoch, kind, chain, value[_ENTRY.size :])

    def _last_chain(self) -> int:
        if self.last_index == self.base.index:
            return self.base.chain
        return self._chains[self.last_index]

    # -------------------------------------------------------------------------------- faults

    def rot(self, rng: random.Random) -> bool:
        """A bit flips in a random entry, or in the tree."""
        self.is_damaged = True
        image = self.images[self.tree]
        if image.nodes and rng.random() < 0.3:
            image.rot(rng)
            return True
        index = self._any_entry(rng)
        if index is None:
            return False
        stored = bytearray(self.records[index])
        stored[rng.randrange(len(stored))] ^= 1 << rng.randrange(8)
        self.records[index] = bytes(stored)
        return True

    def misdirect(self, rng: random.Random) -> bool:
        """One entry is written to the place of another one."""
        here, there = self._any_entry(rng), self._any_entry(rng)
        if here is None or there is None or here == there:
            return False
        self.records[there] = self.records[here]
        self.is_damaged = True
        return True

    def _any_entry(self, rng: random.Random) -> int | None:
        if self.last_index == self.base.index:
            return None
        # Mostly among the newest, for the old ones are seldom read again.
        newest = min(3, self.last_index - self.base.index)
        if rng.random() < 0.6:
            return self.last_index - rng.randrange(newest)
        return rng.randint(self.base.index + 1, self.last_index)


class Log:
    """What one life of a replica sees of its disk; a `LogReader`."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    @property
    def base(self) -> Point:
        return self._disk.base

    @property
    def last_index(self) -> int:
        return self._disk.last_index

    def read(self, first: int, last: int, bytes_max: int) -> list[Entry]:
        disk = self._disk
        inside = disk.base.index < first <= last <= disk.last_index
        require(inside, f"10: entries {first}..{last} are not all in the log")
        found: list[Entry] = []
        size = 0
        for index in range(first, last + 1):
            entry = disk.entry(index)
            size += len(entry.payload)
            if found and size > bytes_max:
                break
            found.append(entry)
        return found


def check_fit(disk: Disk, image: Image) -> None:
    """Log and tree meet, as at every start."""
    point = image.point
    require(disk.base.index <= point.index <= disk.last_index, "10: the tree is beside the log")
    if point.index > disk.base.index:
        known = disk.entry(point.index)
        same = (known.epoch, known.chain) == (point.epoch, point.chain)
        require(same, "10: the tree and the log differ")
    elif point != disk.base:
        raise DamagedTree("the tree and the log differ")
