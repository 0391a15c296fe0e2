"""The disk of a replica, in memory: the log from its first entry on.

Nothing is ever trimmed and no tree is flushed: a restarted replica applies its log from the
beginning, and nobody is ever so far behind that he needs a snapshot.
"""

from coord.consensus.effects import Persist
from coord.consensus.log import NOTHING_STORED, ORIGIN, Entry, HardState, Point
from coord.replica.transfers import Export, Import


class Disk:
    """What outlives the process of one replica; a `LogReader`."""

    def __init__(self, birth: int) -> None:
        self.birth = birth
        self.start = 0
        """How often the process was started."""
        self.hard: HardState = NOTHING_STORED
        self._entries: list[Entry] = []

    @property
    def base(self) -> Point:
        """Part of `LogReader`: the log begins at its beginning."""
        return ORIGIN

    @property
    def last_index(self) -> int:
        """Part of `LogReader`."""
        return len(self._entries)

    def read(self, first: int, last: int, bytes_max: int) -> list[Entry]:
        """Part of `LogReader`."""
        assert 0 < first <= last <= self.last_index, "only what is in the log is read"
        found: list[Entry] = []
        size = 0
        for entry in self._entries[first - 1 : last]:
            size += len(entry.payload)
            if found and size > bytes_max:
                break
            found.append(entry)
        return found

    def store(self, persist: Persist) -> None:
        """Make one transaction durable."""
        assert persist.snapshot is None, "nobody sends snapshots"
        if persist.truncate_after is not None:
            assert persist.truncate_after >= self.hard.commit_index, "what is committed stays"
            del self._entries[persist.truncate_after :]
        for entry in persist.entries:
            assert entry.index == self.last_index + 1, "the log has no holes"
            self._entries.append(entry)
        if persist.hard is not None:
            self.hard = persist.hard


class NoTrees:
    """The trees that a replica without flushed ones can send and receive; a `TreeStock`."""

    def export(self, least_index: int) -> Export | None:  # noqa: ARG002 - part of a protocol
        """There is none."""
        return None

    def receive(self) -> Import:
        """Nobody sends one."""
        raise AssertionError("a snapshot was offered, though every log is whole")

    def discard(self, name: str) -> None:
        """There is none."""
