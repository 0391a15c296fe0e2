"""The journal: ahead of the disk, and never wrong about it."""

import random

import pytest

from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.consensus.effects import InstalledSnapshot
from coord.consensus.invariants import BrokenInvariant
from coord.consensus.journal import Journal
from coord.consensus.log import ORIGIN, Entry, EntryKind, HardState, Point, make_entry, point_of
from coord.consensus.recovered import Recovered
from tests.consensus.disk import Disk, Tree

CONFIGURATION = Configuration(
    ensemble=7,
    settings=b"",
    quorums="majority",
    members=(Member(1, 5, MemberRole.VOTER, "peer:1", "client:1"),),
)


def chained(after: Point, epoch: int, count: int, tag: bytes = b"") -> list[Entry]:
    made: list[Entry] = []
    for number in range(count):
        is_first = after.index == 0
        kind = EntryKind.CONFIGURATION if is_first else EntryKind.OPERATIONS
        payload = CONFIGURATION.encode() if is_first else tag + b"%d" % number
        made.append(make_entry(after, epoch, kind, payload))
        after = point_of(made[-1])
    return made


class Bench:
    """A journal and its disk; what is handed over waits until it is stored."""

    def __init__(self, tail_bytes_max: int = 600) -> None:
        self.disk = Disk(birth=1)
        self.disk.checks_epoch = False
        self.journal = Journal(Recovered(), self.disk, tail_bytes_max)

    def collect(self) -> None:
        persist = self.journal.collect()
        if persist is not None:
            self.disk.write(persist)

    def store(self, number: int | None = None) -> None:
        number = self.journal.number if number is None else number
        self.disk.sync(number)
        self.journal.stored(number)

    def lead(self, epoch: int, entries: int = 0) -> list[Entry]:
        self.journal.promise(epoch)
        self.journal.adopt(epoch, (), self.journal.last.index)
        made = chained(self.journal.last, epoch, entries)
        self.journal.append(made)
        return made


def test_what_is_appended_is_read_before_it_is_stored() -> None:
    bench = Bench()
    made = bench.lead(1 << 16, 5)
    assert bench.journal.entries(2, 4, 1 << 20) == tuple(made[1:4])
    assert bench.journal.last == point_of(made[-1])
    assert bench.journal.durable_index == 0
    bench.collect()
    assert bench.journal.durable_index == 0
    bench.store()
    assert bench.journal.durable_index == 5


def test_one_batch_of_changes_is_one_transaction() -> None:
    bench = Bench()
    bench.lead(1 << 16, 3)
    persist = bench.journal.collect()
    assert persist is not None
    assert persist.number == 1
    assert [entry.index for entry in persist.entries] == [1, 2, 3]
    assert persist.hard == HardState(1 << 16, 1 << 16, 0, 1, bench.journal.last)
    assert bench.journal.collect() is None


def test_a_commit_alone_needs_no_transaction_and_goes_with_the_next() -> None:
    bench = Bench()
    bench.lead(1 << 16, 3)
    bench.collect()
    bench.journal.commit(3)
    assert bench.journal.collect() is None
    bench.journal.append(chained(bench.journal.last, 1 << 16, 1))
    persist = bench.journal.collect()
    assert persist is not None
    assert persist.hard is not None
    assert persist.hard.commit_index == 3


def test_the_commit_index_stays_within_the_log() -> None:
    bench = Bench()
    bench.lead(1 << 16, 3)
    bench.journal.commit(9)
    assert bench.journal.commit_index == 3


def test_history_and_epoch_are_adopted_in_one_transaction() -> None:
    bench = Bench()
    shared = bench.lead(1 << 16, 3)
    bench.collect()
    bench.store()
    bench.journal.promise(2 << 16)
    bench.collect()
    other = chained(point_of(shared[1]), 2 << 16, 2, b"other")
    bench.journal.adopt(2 << 16, [shared[1], *other], 4)
    persist = bench.journal.collect()
    assert persist is not None
    assert persist.truncate_after == 2
    assert list(persist.entries) == other
    assert persist.hard is not None
    assert persist.hard.current_epoch == 2 << 16


def test_what_is_committed_is_never_dropped() -> None:
    bench = Bench()
    made = bench.lead(1 << 16, 3)
    bench.journal.commit(3)
    bench.journal.promise(2 << 16)
    other = chained(point_of(made[1]), 2 << 16, 2, b"other")
    with pytest.raises(BrokenInvariant, match="J3"):
        bench.journal.adopt(2 << 16, other, 4)


def test_only_the_promised_epoch_is_adopted_and_promises_only_rise() -> None:
    bench = Bench()
    bench.journal.promise(2 << 16)
    with pytest.raises(BrokenInvariant, match="J2"):
        bench.journal.adopt(1 << 16, (), 0)
    with pytest.raises(BrokenInvariant, match="J2"):
        bench.journal.promise(2 << 16)


def test_nothing_is_appended_between_a_promise_and_its_adoption() -> None:
    bench = Bench()
    bench.lead(1 << 16, 3)
    bench.journal.promise(2 << 16)
    with pytest.raises(BrokenInvariant, match="J4"):
        bench.journal.append(chained(bench.journal.last, 1 << 16, 1))


def test_committed_entries_fill_the_log_ahead_of_the_epoch() -> None:
    bench = Bench()
    made = bench.lead(1 << 16, 3)
    bench.collect()
    bench.journal.promise(2 << 16)
    other = chained(point_of(made[1]), 2 << 16, 2, b"other")
    bench.journal.fill(other)
    assert bench.journal.rank == (1 << 16, 4)
    assert bench.journal.commit_index == 4


def test_a_truncation_under_way_bounds_what_is_durable() -> None:
    bench = Bench()
    made = bench.lead(1 << 16, 5)
    bench.collect()
    bench.journal.promise(2 << 16)
    bench.journal.adopt(2 << 16, (), 2)
    bench.collect()
    bench.store(1)
    assert bench.disk.last_index == 5
    assert bench.journal.durable_index == 2
    bench.journal.append(chained(point_of(made[1]), 2 << 16, 1, b"new"))
    bench.collect()
    bench.store()
    assert bench.journal.durable_index == bench.disk.last_index == 3


def test_a_snapshot_replaces_the_log_once_it_is_stored() -> None:
    bench = Bench()
    made = bench.lead(1 << 16, 2)
    bench.collect()
    bench.store()
    later = chained(point_of(made[-1]), 1 << 16, 8)
    snapshot = InstalledSnapshot(10, 1 << 16, later[-1].chain, "tree.2", CONFIGURATION)
    bench.journal.install(snapshot)
    assert bench.journal.is_installing
    assert bench.journal.commit_index == bench.journal.last.index == 10
    bench.collect()
    bench.disk.sync(bench.journal.number)
    assert bench.journal.stored(bench.journal.number) == snapshot
    assert not bench.journal.is_installing
    assert bench.journal.base == bench.disk.base == point_of(later[-1])


def test_marks_lead_from_the_end_to_the_commit_index() -> None:
    bench = Bench()
    bench.lead(1 << 16, 40)
    bench.journal.commit(9)
    marks = bench.journal.marks()
    assert [mark.index for mark in marks] == [40, 39, 37, 33, 25, 9]
    assert all(bench.journal.holds(mark) for mark in marks)


def test_a_log_without_a_configuration_is_not_taken_for_an_empty_one() -> None:
    disk = Disk(birth=1)
    disk.base = Point(4, 1 << 16, 99)
    disk.tree = Tree(disk.base, None)
    with pytest.raises(BrokenInvariant, match="J1"):
        Journal(Recovered(HardState(1 << 16, 1 << 16, 4, 0), 4, None), disk, 1000)


class Life(Bench):
    """A random life of a journal beside a model that is a list."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(tail_bytes_max=rng.choice((0, 400, 2000)))
        self.random = rng
        self.model = self.lead(1 << 16, 3)
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        self.random.choice(
            (self.append, self.append, self.turn, self.commit, self.collect, self.sync)
        )()

    def made(self, after: Point) -> list[Entry]:
        epoch, count = self.journal.promised, self.random.randint(1, 4)
        return chained(after, epoch, count, b"%d." % self.steps)

    def append(self) -> None:
        if self.journal.current_epoch == self.journal.promised:
            made = self.made(self.journal.last)
            self.journal.append(made)
            self.model += made

    def turn(self) -> None:
        """Take another history, or committed entries, under a new epoch."""
        journal, model = self.journal, self.model
        if journal.current_epoch == journal.promised:
            journal.promise(journal.promised + (1 << 16))
        keep = self.random.randint(journal.commit_index, len(model))
        made = self.made(point_of(model[keep - 1]) if keep else ORIGIN)
        entries = [*model[self.random.randint(journal.commit_index, keep) : keep], *made]
        if self.random.random() < 0.3:
            journal.fill(entries)
        else:
            journal.adopt(journal.promised, entries, made[-1].index)
        self.model = model[:keep] + made

    def commit(self) -> None:
        self.journal.commit(self.random.randint(0, len(self.model)))

    def sync(self) -> None:
        first = self.journal.stored_number + 1
        if first <= self.journal.number:
            self.store(self.random.randint(first, self.journal.number))

    def check(self) -> None:
        journal, model = self.journal, self.model
        assert journal.last == point_of(model[-1])
        first = self.random.randint(1, len(model))
        found = journal.entries(first, len(model), self.random.choice((1, 300, 1 << 20)))
        assert found
        assert list(found) == model[first - 1 : first - 1 + len(found)]
        assert self.disk.entries[: journal.durable_index] == model[: journal.durable_index]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_the_journal_reads_as_if_there_were_no_disk(seed: int) -> None:
    """The disk lags, and little is kept in memory."""
    print(f"seed {seed}")
    life = Life(random.Random(seed))
    for _ in range(200):
        life.step()
        life.check()
    life.collect()
    life.store()
    assert life.disk.entries == life.model
    assert life.journal.durable_index == len(life.model)
