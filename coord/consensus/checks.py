"""Which check uses which quorum: one function a row, the heart of flexible quorums.

| check                       | needs a set that     | because                               |
|-----------------------------|----------------------|---------------------------------------|
| promise                     | contains a Q1        | it shuts out older leaders, and finds |
|                             |                      | what they may have committed          |
| pre-vote                    | contains a Q1        | who cannot win must not raise epochs  |
| synchronisation             | contains a Q2        | it replicates the initial history     |
| commit                      | contains a Q2        | every later Q1 finds the entry        |
| the leader keeps leading    | contains a Q2        | it can commit; that no Q1 is left is  |
|                             |                      | no reason to stop                     |
| read confirmation           | meets every Q1       | no later leader had all its promises  |
| read without a leader       | meets every Q2       | one of it has all that is committed   |
| writes are welcome          | contains a Q2        | the disks that have room can commit   |
|                             |                      | them without the others               |
| discard an unreadable entry | meets every Q2       | no Q2 can have held it                |
| an epoch has one leader     | no quorum            | epochs carry their owner's id         |

Only voters whose disk is the one they were admitted with are ever in these sets; see
`Membership.counts`. While an ensemble is to be founded, every configured voter must promise.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from coord.consensus.epochs import owner_of
from coord.consensus.membership import Membership


def promise_suffices(membership: Membership, promisers: AbstractSet[int]) -> bool:
    """Tell whether a candidate may lead with these promises."""
    if membership.is_founding:
        return promisers >= set(membership.voters)
    return membership.system.is_election_quorum(promisers)


def pre_vote_suffices(membership: Membership, granters: AbstractSet[int]) -> bool:
    """Tell whether a replica may stand that these would promise an epoch."""
    if membership.is_founding:
        return granters >= set(membership.voters)
    return membership.system.is_election_quorum(granters)


def synchronisation_suffices(
    membership: Membership, stored: Mapping[int, int], initial: int
) -> bool:
    """Tell whether a leader is established: its initial history is durable at a quorum."""
    return membership.system.highest_replicated(stored) >= initial


def commit_reaches(membership: Membership, stored: Mapping[int, int]) -> int:
    """Return up to where the log is committed, by what each voter stored in the leader's epoch."""
    return membership.system.highest_replicated(stored)


def keeps_leading(membership: Membership, in_contact: AbstractSet[int]) -> bool:
    """Tell whether a leader that hears these goes on."""
    return membership.system.is_replication_quorum(in_contact)


def read_confirmation_reaches(membership: Membership, answered: Mapping[int, int]) -> int:
    """Return the greatest round, or time, since which no other leader can have begun."""
    return membership.system.highest_confirmed(answered)


def leaderless_read_suffices(membership: Membership, answered: AbstractSet[int]) -> bool:
    """Tell whether one of these replicas must know all that is committed."""
    return membership.system.meets_every_replication_quorum(answered)


def has_room(membership: Membership, with_room: AbstractSet[int]) -> bool:
    """Tell whether writes can be committed on the disks that are not nearly full."""
    return membership.system.is_replication_quorum(with_room)


def discard_suffices(membership: Membership, never_had_it: AbstractSet[int]) -> bool:
    """Tell whether an entry cannot be committed which these replicas never had."""
    return membership.system.meets_every_replication_quorum(never_had_it)


def owns_epoch(replica: int, epoch: int) -> bool:
    """Tell whether a replica may act as the candidate or leader of an epoch."""
    return owner_of(epoch) == replica
