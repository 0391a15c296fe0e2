"""Where a search begins: empty disks, or an ensemble that was founded a moment ago."""

from coord.consensus.configuration import Member, MemberRole
from coord.consensus.settings import NodeSettings
from tests.exploration.replica import Replica


def started(quorums: str, count: int) -> list[Replica]:
    """Return replicas with empty disks."""
    numbers = range(1, count + 1)
    members = tuple(Member(n, 0, MemberRole.VOTER, "", "") for n in numbers)
    return [Replica(NodeSettings(id=n, birth=n, members=members, quorums=quorums)) for n in numbers]


def founded(quorums: str, count: int) -> list[Replica]:
    """Return an ensemble that 1 has founded and leads; nothing is under way."""
    replicas = started(quorums, count)
    replicas[0].stand(0)
    while any(replica.disk.under_way or replica.letters for replica in replicas):
        for replica in replicas:
            while replica.disk.under_way:
                replica.sync()
            letters = list(replica.letters)
            replica.letters.clear()
            for peer, message in letters:
                replicas[peer - 1].hear(replica.id, message)
    for replica in replicas:
        replica.forget_cost()
    return replicas
