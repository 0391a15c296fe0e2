"""Bugs of counting: too small quorums, the wrong quorum, the wrong votes."""

from collections.abc import Mapping

import pytest

from coord.consensus import checks
from coord.consensus import node as node_module
from coord.consensus.leader import Leader
from coord.consensus.membership import Membership
from coord.consensus.messages import Promise
from coord.consensus.progress import Progress


def election_quorum_one_short(patch: pytest.MonkeyPatch) -> None:
    def suffices(membership: Membership, replicas: set[int]) -> bool:
        if membership.is_founding:
            return replicas >= set(membership.voters)
        elects = membership.system.is_election_quorum
        return any(elects({*replicas, voter}) for voter in membership.voters)

    patch.setattr(checks, "promise_suffices", suffices)
    patch.setattr(checks, "pre_vote_suffices", suffices)


def _one_short(membership: Membership, stored: Mapping[int, int]) -> int:
    """As if one more voter had stored everything."""
    top = max(stored.values(), default=-1)
    reach = membership.system.highest_replicated
    return max(reach({**stored, voter: top}) for voter in membership.voters)


def replication_quorum_one_short(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checks, "commit_reaches", _one_short)
    patch.setattr(
        checks, "synchronisation_suffices", lambda m, stored, first: _one_short(m, stored) >= first
    )


def replication_quorum_of_those_in_contact(patch: pytest.MonkeyPatch) -> None:
    """A leader that lost its replication quorum makes do with those that are left."""

    def advance(leader: Leader) -> None:
        now_ms, election_ms = leader._core.now_ms, leader._core.settings.election_ms
        near = [p for p, at in leader._contact_ms.items() if at > now_ms - election_ms]
        own = leader._core.settings.id
        leader._is_established = leader._is_established or own in leader._stored
        reached = [leader._stored.get(p, -1) for p in (own, *near)]
        leader._journal.commit(min(reached))

    patch.setattr(Leader, "_advance", advance)
    patch.setattr(checks, "keeps_leading", lambda membership, in_contact: True)


def old_entries_committed_by_counting(patch: pytest.MonkeyPatch) -> None:
    """The leader takes a promiser's old entries for acknowledgements in its own epoch."""
    kept = Leader._take_promise

    def take_promise(leader: Leader, progress: Progress, promise: Promise) -> None:
        kept(leader, progress, promise)
        if leader._core.membership.counts(progress.peer, promise.birth):
            reached = max(leader._stored.get(progress.peer, -1), progress.next - 1)
            leader._stored[progress.peer] = reached
            leader._stored[leader._core.settings.id] = leader._journal.durable_index
            leader._advance()

    patch.setattr(Leader, "_take_promise", take_promise)
    patch.setattr(checks, "synchronisation_suffices", lambda m, stored, first: True)


def reads_confirmed_by_a_majority(patch: pytest.MonkeyPatch) -> None:
    """Wrong where fewer than a majority elect."""

    def reaches(membership: Membership, answered: Mapping[int, int]) -> int:
        positions = sorted(answered.get(v, -1) for v in membership.voters)
        return positions[-(len(positions) // 2 + 1)]

    patch.setattr(checks, "read_confirmation_reaches", reaches)


def epochs_that_nobody_owns(patch: pytest.MonkeyPatch) -> None:
    """A plain number: wrong where two election quorums miss each other, as in a grid."""
    patch.setattr(node_module, "epoch_above", lambda seen, _replica: ((seen >> 16) + 1) << 16)
    patch.setattr(checks, "owns_epoch", lambda _replica, _epoch: True)


def a_wiped_replica_votes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Membership, "counts", lambda membership, replica, _birth: replica in membership._births
    )


BUGS = (
    election_quorum_one_short,
    replication_quorum_one_short,
    replication_quorum_of_those_in_contact,
    old_entries_committed_by_counting,
    reads_confirmed_by_a_majority,
    epochs_that_nobody_owns,
    a_wiped_replica_votes,
)
