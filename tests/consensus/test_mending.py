"""Entries that were stored and cannot be read any more: they are mended, and never denied."""

import random

import pytest

from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.consensus.journal import Journal
from coord.consensus.log import ORIGIN, Entry, EntryKind, Point, make_entry, point_of
from coord.consensus.mending import Mending
from coord.consensus.messages import Found, Mark
from coord.consensus.role import Core
from coord.consensus.settings import NodeSettings
from tests.consensus.cluster import Cluster
from tests.consensus.disk import Disk
from tests.consensus.scenario import followers_of, started, stays_without_leader

LOST = 2


def agreed(count: int, *, entries: int) -> Cluster:
    """So many replicas that all have so many entries."""
    cluster = started(count)
    for _ in range(entries):
        cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    return cluster


def crash_all(cluster: Cluster) -> None:
    for number in cluster.numbers:
        cluster.crash(number)


def test_another_one_sends_what_was_lost_though_there_is_no_leader() -> None:
    cluster = agreed(3, entries=5)
    damaged, other = followers_of(cluster)
    crash_all(cluster)
    cluster.replicas[damaged].disk.lose_end(LOST)
    cluster.start(damaged)
    cluster.run(1000.0)
    assert cluster.node(damaged).owes
    cluster.start(other)  # a quorum of two, which needs the damaged one
    cluster.await_leader()
    assert not cluster.node(damaged).owes
    cluster.commit()
    cluster.demand_progress()


def test_a_leader_sends_what_was_lost_like_anything_that_a_follower_lacks() -> None:
    cluster = agreed(3, entries=5)
    damaged, _other = followers_of(cluster)
    cluster.crash(damaged)
    cluster.replicas[damaged].disk.lose_end(LOST)
    cluster.start(damaged)
    cluster.run_until(cluster.is_level, 2000.0)
    assert not cluster.node(damaged).owes
    cluster.demand_progress()


def test_a_committed_entry_that_cannot_be_read_is_not_voted_away() -> None:
    """The third never had it: these two are a quorum, and must not lead without it."""
    cluster = agreed(3, entries=1)
    leader = cluster.await_leader()
    damaged, late = followers_of(cluster)
    cluster.crash(late)
    payload = cluster.commit()
    cluster.run_until(cluster.is_level, 2000.0)
    cluster.crash(leader)
    cluster.crash(damaged)
    cluster.replicas[damaged].disk.lose_end(1)
    cluster.start(damaged, late)
    assert stays_without_leader(cluster)
    assert cluster.node(damaged).owes
    cluster.start(leader)
    cluster.commit()
    assert payload in cluster.checkers.positions
    cluster.demand_progress()
    assert not cluster.node(damaged).owes


@pytest.mark.parametrize("lost", [1, 2])
def test_what_nobody_else_has_gives_way_to_the_history_of_the_next_leader(lost: int) -> None:
    cluster = agreed(3, entries=1)
    first = cluster.await_leader()
    cluster.isolate(first)
    cluster.propose(first)
    cluster.propose(first)
    cluster.run(20.0)
    cluster.crash(first)
    cluster.replicas[first].disk.lose_end(lost)
    cluster.heal()
    cluster.await_leader()
    cluster.start(first)
    cluster.demand_progress()
    assert not cluster.node(first).owes


def test_what_is_still_owed_is_known_after_the_next_start() -> None:
    cluster = agreed(3, entries=4)
    damaged, _other = followers_of(cluster)
    crash_all(cluster)
    cluster.replicas[damaged].disk.lose_end(LOST)
    for _ in range(3):
        cluster.start(damaged)
        cluster.run(500.0)
        assert cluster.node(damaged).owes
        cluster.crash(damaged)
    cluster.demand_progress()


@pytest.mark.parametrize("count", [2, 4])
def test_what_cannot_have_been_committed_stops_nobody(count: int) -> None:
    """Half of them never had it: no majority can have stored it, and none is without the owing."""
    cluster = agreed(count, entries=1)
    first = cluster.await_leader()
    others = followers_of(cluster)
    for other in others:
        cluster.crash(other)
    cluster.propose(first)
    cluster.run(20.0)
    cluster.crash(first)
    cluster.replicas[first].disk.lose_end(1)
    cluster.start(first, *others[: count // 2])
    cluster.await_leader()
    cluster.commit()
    assert not cluster.node(first).owes
    cluster.demand_progress()


def test_one_whose_log_begins_behind_the_damage_leads_and_sends_its_tree() -> None:
    """The other has all of it, but not as entries."""
    cluster = agreed(2, entries=6)
    damaged = cluster.await_leader()
    (other,) = followers_of(cluster)
    cluster.replicas[other].flush(0)
    crash_all(cluster)
    cluster.replicas[damaged].disk.lose_end(LOST)
    cluster.demand_progress()
    assert not cluster.node(damaged).owes


MEMBERS = tuple(Member(n, 100 + n, MemberRole.VOTER, "p:1", "c:1") for n in (1, 2, 3))
GENESIS = Configuration(7, b"", "majority", MEMBERS).encode()


def after(point: Point, epoch: int, count: int) -> list[Entry]:
    made: list[Entry] = []
    for _ in range(count):
        kind = EntryKind.OPERATIONS if point.index else EntryKind.CONFIGURATION
        made.append(make_entry(point, epoch, kind, b"" if point.index else GENESIS))
        point = point_of(made[-1])
    return made


def stored(entries: list[Entry], epoch: int) -> Disk:
    """A disk that holds entries, adopted in an epoch."""
    disk = Disk(101)
    journal = Journal(disk.recovered(), disk, 1000)
    journal.promise(epoch)
    journal.adopt(epoch, entries, len(entries))
    persist = journal.collect()
    assert persist is not None
    disk.write(persist)
    disk.sync(1)
    return disk


def test_what_was_lost_is_not_put_behind_another_history() -> None:
    """It was asked for; before it came, a later leader's history replaced the entry before it."""
    entries = after(ORIGIN, 1 << 16, 5)
    disk = stored(entries, 1 << 16)
    disk.lose_end(2)
    journal = Journal(disk.recovered(), disk, 1000)
    settings = NodeSettings(id=1, birth=101, members=MEMBERS, quorums="majority")
    core = Core(settings, journal, random.Random(1).randint, 0)
    mending = Mending(core)
    mending.tick()
    journal.promise(2 << 16)
    other = after(point_of(entries[1]), 2 << 16, 1)
    journal.fill(other)
    mending.receive(2, Found(Mark(3, entries[2].chain), tuple(entries[3:])))
    assert journal.last == point_of(other[-1])
    assert journal.owed == point_of(entries[-1])


def test_a_configuration_among_what_was_lost_is_known_when_it_can_be_read_again() -> None:
    entries = after(ORIGIN, 1 << 16, 3)
    disk = stored(entries, 1 << 16)
    disk.lose_end(3)
    journal = Journal(disk.recovered(), disk, 1000)
    assert journal.configuration is None
    journal.promise(2 << 16)
    persist = journal.collect()
    assert persist is not None
    disk.write(persist)
    disk.sync(1)
    disk.entries = list(entries)
    journal = Journal(disk.recovered(), disk, 1000)
    assert journal.owed is None
    assert journal.configuration is not None
