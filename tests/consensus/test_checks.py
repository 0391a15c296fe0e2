"""Which check uses which quorum: the table, row by row, where the sizes differ."""

from itertools import combinations, product

import attrs
import pytest

from coord.consensus import checks
from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.consensus.membership import Membership
from coord.consensus.settings import NodeSettings

MEMBERS = tuple(
    Member(n, 100 + n, MemberRole.VOTER if n < 6 else MemberRole.OBSERVER, "peer:1", "client:1")
    for n in range(1, 7)
)
ONE, TWO, THREE, FOUR, FIVE = ({*range(1, count + 1)} for count in range(1, 6))


def ruled_by(quorums: str | None, birth: int = 101, replica: int = 1) -> Membership:
    """The membership of five voters and an observer; not founded yet without a quorum system."""
    settings = NodeSettings(id=replica, birth=birth, members=MEMBERS, quorums="majority")
    if quorums is None:
        return Membership(None, settings)
    return Membership(Configuration(7, b"", quorums, MEMBERS), settings)


FEW_REPLICATE = ruled_by("simple L=4 R=2")
FEW_ELECT = ruled_by("simple L=2 R=4")


@pytest.mark.parametrize(
    ("membership", "replicas", "suffices"),
    [
        (FEW_REPLICATE, THREE, False),
        (FEW_REPLICATE, FOUR, True),
        (FEW_ELECT, ONE, False),
        (FEW_ELECT, TWO, True),
        (ruled_by(None), FOUR, False),
        (ruled_by(None), FIVE, True),
    ],
)
def test_promises_and_pre_votes_need_an_election_quorum_or_everybody_to_found(
    membership: Membership, replicas: set[int], suffices: bool
) -> None:
    assert checks.promise_suffices(membership, replicas) == suffices
    assert checks.pre_vote_suffices(membership, replicas) == suffices
    assert not checks.promise_suffices(membership, {6, 7, 8, 9, 10})


@pytest.mark.parametrize(
    ("membership", "few", "enough"), [(FEW_REPLICATE, ONE, TWO), (FEW_ELECT, THREE, FOUR)]
)
def test_synchronisation_commit_and_leading_need_a_replication_quorum(
    membership: Membership, few: set[int], enough: set[int]
) -> None:
    assert not checks.synchronisation_suffices(membership, dict.fromkeys(few, 9), 9)
    assert checks.synchronisation_suffices(membership, dict.fromkeys(enough, 9), 9)
    assert checks.commit_reaches(membership, dict.fromkeys(few, 9)) < 9
    assert checks.commit_reaches(membership, dict.fromkeys(enough, 9)) == 9
    assert not checks.keeps_leading(membership, few)
    assert checks.keeps_leading(membership, enough)


@pytest.mark.parametrize(
    ("membership", "few", "enough"), [(FEW_REPLICATE, ONE, TWO), (FEW_ELECT, THREE, FOUR)]
)
def test_a_read_is_confirmed_by_who_meets_every_election_quorum(
    membership: Membership, few: set[int], enough: set[int]
) -> None:
    assert checks.read_confirmation_reaches(membership, dict.fromkeys(few, 3)) < 3
    assert checks.read_confirmation_reaches(membership, dict.fromkeys(enough, 3)) == 3


@pytest.mark.parametrize(
    ("membership", "few", "enough"), [(FEW_REPLICATE, THREE, FOUR), (FEW_ELECT, ONE, TWO)]
)
def test_what_a_set_that_meets_every_replication_quorum_never_had_was_never_committed(
    membership: Membership, few: set[int], enough: set[int]
) -> None:
    assert not checks.discard_suffices(membership, few)
    assert checks.discard_suffices(membership, enough)
    assert not checks.leaderless_read_suffices(membership, few)
    assert checks.leaderless_read_suffices(membership, enough)


SHAPES = [
    "replication=1*3+2*4",  # a grid beside which replica 5 only listens
    "grid [[1,2,3,4,5]]",
    "weighted 1=3 2=1 3=1 4=1 5=0 R=3",
    "hierarchical [1,2,3] [4,5]",
    "hierarchical [1,2] [3] [4,5] groups=2 members=1",
    "replication=(1+2)*(3+4+5) election=1*2*5+3*4*5+1*2*3*4",
    "simple L=2 R=4",
]


@pytest.mark.parametrize("quorums", SHAPES)
def test_every_check_is_what_the_table_says_for_quorums_of_any_shape(quorums: str) -> None:
    """Against the definitions, over all sets of voters; nothing about sizes is assumed."""
    membership = ruled_by(quorums)
    everything = [set(chosen) for size in range(6) for chosen in combinations(range(1, 6), size)]
    system = membership.system
    elects = [chosen for chosen in everything if system.is_election_quorum(chosen)]
    replicates = [chosen for chosen in everything if system.is_replication_quorum(chosen)]
    assert all(one & other for one in elects for other in replicates)
    for chosen in everything:
        positions = dict.fromkeys(chosen, 9)
        elected, replicated = chosen in elects, chosen in replicates
        meets_elections = all(chosen & quorum for quorum in elects)
        meets_replications = all(chosen & quorum for quorum in replicates)
        assert checks.promise_suffices(membership, chosen) == elected
        assert checks.pre_vote_suffices(membership, {*chosen, 6, 7}) == elected
        assert checks.keeps_leading(membership, {*chosen, 6, 7}) == replicated
        assert checks.synchronisation_suffices(membership, positions, 9) == replicated
        assert (checks.commit_reaches(membership, {**positions, 6: 9}) == 9) == replicated
        reached = checks.read_confirmation_reaches(membership, {**positions, 6: 9})
        assert (reached == 9) == meets_elections
        assert checks.leaderless_read_suffices(membership, {*chosen, 6}) == meets_replications
        assert checks.discard_suffices(membership, chosen) == meets_replications


@pytest.mark.parametrize("quorums", SHAPES)
def test_the_commit_index_is_the_highest_that_a_replication_quorum_has_stored(
    quorums: str,
) -> None:
    membership = ruled_by(quorums)
    for stored in product(range(3), repeat=5):
        positions = {voter: index for voter, index in enumerate(stored, 1) if index}
        by_hand = [
            index
            for index in (-1, 1, 2)
            if membership.system.is_replication_quorum(
                {voter for voter in range(1, 6) if positions.get(voter, -1) >= index}
            )
        ]
        assert checks.commit_reaches(membership, positions) == max(by_hand)


def test_an_epoch_is_its_owners_alone() -> None:
    epoch = (9 << 16) | (3 << 8)
    assert checks.owns_epoch(3, epoch)
    assert not checks.owns_epoch(2, epoch)


def test_a_voter_counts_only_with_the_disk_it_was_admitted_with() -> None:
    membership = ruled_by("majority")
    assert membership.counts(2, 102)
    assert not membership.counts(2, 999)
    assert not membership.counts(6, 106)  # an observer
    assert not membership.counts(7, 107)  # a stranger
    assert membership.is_voter
    assert not ruled_by("majority", birth=999).is_voter
    assert not ruled_by("majority", birth=106, replica=6).is_voter


def test_before_the_founding_the_configured_voters_count_with_any_disk() -> None:
    membership = ruled_by(None, birth=55)
    assert membership.is_voter
    assert membership.counts(2, 999)
    assert not membership.counts(6, 106)
    assert membership.ensemble == 0
    assert membership.knows(1234)


def test_another_ensembles_messages_are_told_apart() -> None:
    membership = ruled_by("majority")
    assert membership.knows(7)
    assert membership.knows(0)
    assert not membership.knows(8)


@pytest.mark.parametrize(
    "change", [{"id": 0}, {"id": 256}, {"birth": 0}, {"heartbeat_ms": 0}, {"election_ms": 0}]
)
def test_settings_that_cannot_be_are_refused(change: dict[str, int]) -> None:
    settings = NodeSettings(id=1, birth=1, members=MEMBERS, quorums="majority")
    with pytest.raises(ValueError, match="must be"):
        attrs.evolve(settings, **change)
