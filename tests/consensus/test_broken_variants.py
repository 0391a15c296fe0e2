"""Known bugs put back in: the ordinary checkers must find each on ordinary seeds."""

from collections.abc import Callable, Sequence

import attrs
import pytest

from coord.consensus import checks
from coord.consensus.effects import Persist
from coord.consensus.invariants import BrokenInvariant
from coord.consensus.journal import Journal
from coord.consensus.membership import Membership
from coord.quorums import parse
from tests.consensus.chaos import SYSTEMS, Run
from tests.consensus.checkers import Checkers
from tests.consensus.disk import Disk, Violation
from tests.consensus.scenario import newest_history_wins, started
from tests.simulation.bank.disks import ack_before_the_sync
from tests.simulation.bank.quorums import (
    old_entries_committed_by_counting,
    reads_confirmed_by_a_majority,
)

SEEDS_MAX = 150
FIRST_SEED = {old_entries_committed_by_counting: 9, reads_confirmed_by_a_majority: 13}
"""Where the hunt begins for those that hide for long."""

Patch = Callable[[pytest.MonkeyPatch], None]


def election_quorum_one_short(patch: pytest.MonkeyPatch) -> None:
    def suffices(membership: Membership, replicas: set[int]) -> bool:
        if membership.is_founding:
            return replicas >= set(membership.voters)
        system = membership.system
        return any(system.is_election_quorum(replicas | {voter}) for voter in membership.voters)

    patch.setattr(checks, "promise_suffices", suffices)
    patch.setattr(checks, "pre_vote_suffices", suffices)


def replication_quorum_one_short(patch: pytest.MonkeyPatch) -> None:
    def reaches(membership: Membership, stored: dict[int, int]) -> int:
        highest = max(stored.values(), default=-1)
        with_one_more = [{**stored, voter: highest} for voter in membership.voters]
        return max(map(membership.system.highest_replicated, with_one_more))

    patch.setattr(checks, "commit_reaches", reaches)
    patch.setattr(
        checks, "synchronisation_suffices", lambda m, stored, first: reaches(m, stored) >= first
    )


def promise_not_persisted(patch: pytest.MonkeyPatch) -> None:
    kept = Disk.write

    def write(disk: Disk, persist: Persist) -> None:
        if persist.hard is not None:
            forgetful = attrs.evolve(persist.hard, promised=persist.hard.current_epoch)
            persist = attrs.evolve(persist, hard=forgetful)
        kept(disk, persist)

    patch.setattr(Disk, "write", write)


def current_epoch_before_the_history(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Disk, "splits_transactions", True)


def histories_compared_by_the_last_entry(patch: pytest.MonkeyPatch) -> None:

    def rank(journal: Journal) -> tuple[int, int]:
        return (journal.last.epoch, journal.last.index)

    patch.setattr(Journal, "rank", property(rank))
    patch.setattr(Journal, "append_new", _without_empty_entries(Journal.append_new))


def _without_empty_entries(kept: Callable[..., object]) -> Callable[..., object]:
    def append_new(journal: Journal, kind: int, payload: bytes) -> object:
        return kept(journal, kind, payload) if payload else None

    return append_new


def trust_senders_and_disks(patch: pytest.MonkeyPatch) -> None:
    """Leave it to the outcome: do not check what is durable when something is said or stored."""
    patch.setattr(Checkers, "say", lambda checkers, disk, message: None)
    patch.setattr(Disk, "checks_epoch", False)


VARIANTS: tuple[Patch, ...] = (
    election_quorum_one_short,
    replication_quorum_one_short,
    promise_not_persisted,
    ack_before_the_sync,
    current_epoch_before_the_history,
    old_entries_committed_by_counting,
)


def first_violation(
    seeds: range, systems: Sequence[tuple[int, str]] = SYSTEMS
) -> tuple[int, str] | None:
    """Run seeds until the checkers find something; return the seed and what it was."""
    for seed in seeds:
        try:
            Run(seed, systems).to_the_end()
        except Violation as violation:
            if "no progress" not in str(violation):
                return seed, str(violation)
        except BrokenInvariant as violation:  # the nodes check themselves
            return seed, str(violation)
    return None


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_a_known_bug_is_found(variant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    """AT-6: quorums one short; AT-2: an early ack; AT-21: two transactions instead of one."""
    variant(monkeypatch)
    found = first_violation(range(FIRST_SEED.get(variant, 0), SEEDS_MAX))
    print(f"found by seed and rule: {found}")
    assert found is not None


def test_reads_confirmed_by_a_majority_are_stale_where_two_of_five_elect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AT-30: the known bug, found by ordinary seeds."""
    reads_confirmed_by_a_majority(monkeypatch)
    seeds = range(FIRST_SEED[reads_confirmed_by_a_majority], SEEDS_MAX)
    found = first_violation(seeds, [(5, "simple L=2 R=4")])
    print(f"found by seed and rule: {found}")
    assert found is not None
    assert found[1].startswith(("7", "8"))


def test_a_grid_with_two_members_swapped_on_one_side_loses_an_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AT-9: rows elect and columns replicate; with 2 and 3 swapped the columns are the rows."""
    swapped = parse("replication=1*2+3*4", range(1, 5)).highest_replicated
    monkeypatch.setattr(checks, "commit_reaches", lambda _membership, stored: swapped(stored))
    monkeypatch.setattr(
        checks, "synchronisation_suffices", lambda _m, stored, first: swapped(stored) >= first
    )
    grid = (4, "replication=1*3+2*4 election=1*2+3*4")
    found = first_violation(range(SEEDS_MAX), [grid])
    print(f"found by seed and rule: {found}")
    assert found is not None


@pytest.mark.parametrize("variant", [promise_not_persisted, current_epoch_before_the_history])
def test_a_known_bug_is_found_by_what_it_does_to_the_log(
    variant: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the checks that look at disks: only what replicas apply, and who leads, counts."""
    variant(monkeypatch)
    trust_senders_and_disks(monkeypatch)
    found = first_violation(range(SEEDS_MAX), [(3, "majority")])
    print(f"found by seed and rule: {found}")
    assert found is not None


def test_histories_compared_by_the_last_entry_lose_an_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A first entry in every epoch makes this rule right by chance, so it is left out as well."""
    histories_compared_by_the_last_entry(monkeypatch)
    trust_senders_and_disks(monkeypatch)
    with pytest.raises((Violation, BrokenInvariant)) as caught:
        newest_history_wins(started(3))
    assert "no progress" not in str(caught.value)
