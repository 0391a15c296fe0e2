"""What one replica lets be seen, and the rules over what all of them let be seen.

1. Log matching: what two logs hold at one index in one epoch is one entry, after one history.
2. Epoch ownership: one life of one replica leads in an epoch, and it is the epoch's owner.
3. Agreement: one entry is committed at an index; it never changes, not even across a restart.
4. Leader completeness: whoever leads has all that was known as committed in an earlier epoch.
5. Replication: what is committed is durable at a replication quorum, and stays there.
6. What is said is durable: promises, candidacies and acknowledgements rest on the sender's disk.
7. Reads: a confirmed barrier covers all that was committed anywhere when it was asked for.

Rules 2, 6 and 7, and that what a disk remembers never goes back, are checked where the replica
acts, as are the consensus modules' own invariants.
"""

from collections.abc import Sequence

import attrs

from coord.consensus.role import RoleName
from coord.quorums import QuorumSystem
from tests.exploration.replica import Replica


@attrs.frozen(cache_hash=True)
class Facts:
    """One replica, as far as the rules look at it."""

    broken: str = ""
    """The rule that it broke by itself; "" for none."""
    log: tuple[tuple[int, int], ...] = ()
    """Its log, durable or not: (epoch, chain) of each entry, from index 1."""
    durable: tuple[int, ...] = ()
    """The chains on its disk, from index 1."""
    decided: tuple[tuple[int, int], ...] = ()
    """What it ever knew as committed: (chain, first epoch in which it knew), from index 1."""
    leads: int = 0
    """The epoch in which it leads; 0 when it does not."""

    @classmethod
    def of(cls, replica: Replica) -> "Facts":
        """Look at a replica."""
        node, disk = replica.node, replica.disk
        journal = node._journal
        entries = [e for e in disk.entries if e.index < journal._tail_first] + journal._tail
        return cls(
            log=tuple((entry.epoch, entry.chain) for entry in entries),
            durable=tuple(entry.chain for entry in disk.entries),
            decided=tuple(replica.decided[index] for index in sorted(replica.decided)),
            leads=node.epoch if node.role is RoleName.LEADER else 0,
        )


def broken_rule(all_facts: Sequence[Facts], system: QuorumSystem) -> str:
    """Return the rule that does not hold among the replicas 1, 2, ...; "" when all do."""
    for one in all_facts:
        if one.broken:
            return one.broken
        if one.decided and not system.is_replication_quorum(_holders(one, all_facts)):
            return f"5: entry {len(one.decided)} is committed and not at a replication quorum"
        for other in all_facts:
            if rule := _broken_between(one, other):
                return rule
    return ""


def _holders(one: Facts, all_facts: Sequence[Facts]) -> set[int]:
    place, chain = len(one.decided) - 1, one.decided[-1][0]
    return {
        number
        for number, facts in enumerate(all_facts, 1)
        if len(facts.durable) > place and facts.durable[place] == chain
    }


def _broken_between(one: Facts, other: Facts) -> str:
    for index, (mine, theirs) in enumerate(zip(one.log, other.log, strict=False), 1):
        if mine[0] == theirs[0] and mine[1] != theirs[1]:
            return f"1: two entries {index} of one epoch"
    for index, (mine, theirs) in enumerate(zip(one.decided, other.decided, strict=False), 1):
        if mine[0] != theirs[0]:
            return f"3: two entries are committed as {index}"
    for index, (chain, epoch) in enumerate(other.decided, 1):
        lacks = len(one.log) < index or one.log[index - 1][1] != chain
        if epoch < one.leads and lacks:
            return f"4: the leader of a later epoch lacks the committed entry {index}"
    return ""
