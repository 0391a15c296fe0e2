"""Whose promises a candidate counts, and whose history it begins with."""

import random

from coord.consensus.candidate import Candidate
from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.consensus.epochs import make_epoch
from coord.consensus.journal import Journal
from coord.consensus.log import HardState, Point
from coord.consensus.messages import Candidacy, Fetch, History, Mark, Promise, TakeOver
from coord.consensus.recovered import Recovered
from coord.consensus.role import Core, Follow, Lead
from coord.consensus.settings import NodeSettings
from tests.consensus.disk import Disk, Tree

MEMBERS = tuple(Member(n, 100 + n, MemberRole.VOTER, "p:1", "c:1") for n in range(1, 6))
OWN = make_epoch(9, 1)
HELD = make_epoch(3, 2)


def standing(*, is_founded: bool = True, quorums: str = "majority") -> tuple[Candidate, Core]:
    """A candidate in epoch OWN, that holds ten entries in epoch HELD, its promise durable."""
    disk = Disk(101)
    recovered = Recovered()
    if is_founded:
        configuration = Configuration(7, b"", quorums, MEMBERS)
        disk.base = Point(10, HELD, 77)
        disk.hard = HardState(HELD, HELD, 10, 0)
        disk.tree = Tree(disk.base, configuration)
        recovered = disk.recovered()
    settings = NodeSettings(id=1, birth=101, members=MEMBERS, quorums=quorums)
    journal = Journal(recovered, disk, 1000)
    core = Core(settings, journal, random.Random(1).randint, 0)
    journal.promise(OWN)
    candidate = Candidate(core)
    assert journal.collect() is not None
    journal.stored(1)
    assert candidate.stored() is None
    return candidate, core


def promise(
    replica: int, current_epoch: int, last_index: int, birth: int = 0, owed: int = 0
) -> Promise:
    return Promise(
        epoch=OWN,
        round=0,
        birth=birth or 100 + replica,
        current_epoch=current_epoch,
        last_index=last_index,
        marks=(Mark(last_index, 1),),
        owed=owed,
    )


def test_it_asks_only_when_its_own_promise_is_durable() -> None:
    candidate, core = standing()
    asked = [m for _, m in core.outbox.durable_sends if isinstance(m, Candidacy)]
    assert len(asked) == 4
    assert not core.outbox.sends
    assert candidate.epoch == core.journal.durable.promised == OWN


def test_it_leads_with_its_own_history_when_nobody_has_a_better_one() -> None:
    candidate, _ = standing()
    assert candidate.receive(2, promise(2, HELD, 9)) is None
    change = candidate.receive(3, promise(3, make_epoch(2, 5), 50))
    assert isinstance(change, Lead)
    assert change.gathering is None
    assert set(change.promises) == {2, 3}


def test_the_newer_current_epoch_wins_over_the_longer_history() -> None:
    candidate, core = standing()
    candidate.receive(2, promise(2, HELD, 50))
    assert candidate.receive(3, promise(3, make_epoch(4, 2), 8)) is None
    fetches = [(peer, m) for peer, m in core.outbox.sends if isinstance(m, Fetch)]
    assert [peer for peer, _ in fetches] == [3]


def test_of_one_epoch_the_longer_history_wins() -> None:
    candidate, core = standing()
    candidate.receive(2, promise(2, HELD, 12))
    assert candidate.receive(3, promise(3, HELD, 11)) is None
    assert [peer for peer, m in core.outbox.sends if isinstance(m, Fetch)] == [2]


def test_a_promise_of_a_lost_disk_or_a_stranger_or_heard_twice_does_not_count() -> None:
    candidate, _ = standing()
    assert candidate.receive(2, promise(2, HELD, 9)) is None
    assert candidate.receive(2, promise(2, HELD, 9)) is None
    assert candidate.receive(3, promise(3, HELD, 9, birth=999)) is None
    assert candidate.receive(9, promise(9, HELD, 9)) is None
    assert isinstance(candidate.receive(4, promise(4, HELD, 9)), Lead)


def test_four_must_promise_where_four_elect() -> None:
    candidate, _ = standing(quorums="simple L=4 R=2")
    assert candidate.receive(2, promise(2, HELD, 9)) is None
    assert candidate.receive(3, promise(3, HELD, 9)) is None
    assert isinstance(candidate.receive(4, promise(4, HELD, 9)), Lead)


def test_it_founds_with_everybodys_promise_and_only_if_all_are_empty() -> None:
    candidate, _ = standing(is_founded=False)
    for replica in (2, 3, 4):
        assert candidate.receive(replica, promise(replica, 0, 0)) is None
    assert isinstance(candidate.receive(5, promise(5, 0, 0)), Lead)
    candidate, _ = standing(is_founded=False)
    for replica in (2, 3, 4):
        assert candidate.receive(replica, promise(replica, 0, 0)) is None
    assert isinstance(candidate.receive(5, promise(5, HELD, 1)), Follow)


def test_it_lets_the_best_stand_that_has_trimmed_what_is_lacking() -> None:
    candidate, core = standing()
    candidate.receive(2, promise(2, make_epoch(4, 2), 50))
    candidate.receive(3, promise(3, HELD, 9))
    change = candidate.receive(2, History(OWN, Mark(40, 5), 50, ()))
    assert isinstance(change, Follow)
    assert (2, TakeOver(OWN)) in core.outbox.sends


def test_a_promise_that_owes_what_may_be_committed_is_no_witness() -> None:
    """Of five, the lost end may be on it and the two that are silent."""
    candidate, core = standing()
    assert candidate.receive(2, promise(2, HELD, 10)) is None
    assert candidate.receive(3, promise(3, HELD, 8, owed=12)) is None
    assert not [m for _, m in core.outbox.sends if isinstance(m, Fetch)]
    assert isinstance(candidate.receive(4, promise(4, HELD, 10)), Lead), "three never had it"


def test_a_promise_that_owes_no_more_than_others_have_is_as_good_as_any() -> None:
    candidate, _core = standing()
    assert candidate.receive(2, promise(2, HELD, 10)) is None
    assert isinstance(candidate.receive(3, promise(3, HELD, 8, owed=10)), Lead)


def test_what_is_mended_meanwhile_is_fetched() -> None:
    candidate, core = standing()
    assert candidate.receive(2, promise(2, HELD, 10)) is None
    assert candidate.receive(3, promise(3, HELD, 8, owed=12)) is None
    core.now_ms += core.settings.heartbeat_ms
    candidate.tick()
    assert (3, Candidacy(7, OWN, 101)) in core.outbox.sends
    assert candidate.receive(3, promise(3, HELD, 12)) is None
    assert [peer for peer, m in core.outbox.sends if isinstance(m, Fetch)] == [3]


def test_nobody_founds_with_the_promise_of_one_that_lost_everything() -> None:
    candidate, _core = standing(is_founded=False)
    for replica in (2, 3, 4):
        assert candidate.receive(replica, promise(replica, 0, 0)) is None
    assert isinstance(candidate.receive(5, promise(5, 0, 0, owed=3)), Follow)
