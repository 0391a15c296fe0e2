"""What must hold of the whole ensemble after every step, by number.

 1. Log matching: (epoch, index) names one entry, with one chain behind it.
 2. An epoch is led by its owner, in one life of it.
 3. Agreement: what replicas apply is one sequence, each entry once and in order.
 4. A newly established leader's log holds all that was ever applied anywhere.
 5. An entry is applied only after a replication quorum of voters has stored it.
 6. What a replica says of its promise, its epoch and its entries is durable on its disk.
 7. Replicas have the same state after the same entry, by its digest.
 8. While a leader is certain that it was alone at some time, nobody else had begun to lead.
 9. promised, current epoch, commit index and applied index never fall in a life, nor the first
    three on a disk; and current <= promised, applied <= commit <= last.
10. Log and tree of a disk meet: base <= tree <= last, and they agree where both know an entry.
11. What is flushed to a tree is committed, and durable in the log beside it.
12. A snapshot, installed or opened at a start, is the state that everybody had at that entry.
13. The current epoch and its history are of one transaction: a last entry that is not committed is
    of the current epoch.
14. After a restart a disk holds all that was stored on it; where it cannot be read, the replica
    stands in no election, until it was mended or has another history.
15. No link is refused, but to a process that has ended meanwhile: what a replica shows of its disk
    is not less than anybody has heard of it.

What clients see has numbers from 20 on: see `history`.
"""

from collections import Counter
from struct import Struct
from typing import TYPE_CHECKING

from coord.consensus.epochs import owner_of
from coord.consensus.log import Entry, EntryKind, Point
from coord.consensus.messages import Ack, Alive, Candidacy, Heartbeat, Promise
from coord.consensus.role import RoleName
from coord.quorums import QuorumSystem

if TYPE_CHECKING:
    from tests.simulation.disk import Disk
    from tests.simulation.life import Life

_ACK = Struct(">qqqq")  # epoch, birth, stored, gathered
_ALIVE = Struct(">qqqqqq")  # epoch, round, sent_ms, birth, stored, gathered
_CANDIDACY = Struct(">qqq")  # ensemble, epoch, birth
_PROMISE = Struct(">qqqqq")  # epoch, round, birth, current_epoch, last_index
_HEARTBEAT = Struct(">8xq33xqq")  # ensemble, epoch, five more fields, birth, stored
SAID = frozenset({Promise.TAG, Candidacy.TAG, Ack.TAG, Alive.TAG, Heartbeat.TAG})
"""Tags of the messages that a disk must bear out."""
SLACK_US = 3000
"""Clocks show whole milliseconds."""


class Violation(Exception):  # noqa: N818 - named for what happened
    """A rule was broken."""


def require(condition: bool, rule: str) -> None:
    if not condition:
        raise Violation(rule)


class Invariants:
    """What was seen of the whole ensemble."""

    def __init__(self, counts: Counter[str], system: QuorumSystem) -> None:
        self.entries: dict[int, Entry] = {}
        """Every entry ever handed to a disk, by its chain."""
        self.sequence: list[Point] = []
        """What was applied anywhere: `sequence[i]` is the place after entry i + 1."""
        self.digests: list[int] = []
        self._counts = counts
        self._system = system
        self._named: dict[tuple[int, int], int] = {}
        self._holders: dict[int, set[int]] = {}
        self._leaders: dict[int, object] = {}
        self._began_us: dict[int, int] = {}
        self._established: set[int] = set()
        self._seen: dict[object, tuple[int, int, int, int]] = {}

    def _met(self, number: int) -> None:
        self._counts[f"premise {number:02}"] += 1

    # ------------------------------------------------------------------------------ the log

    def written(self, entries: tuple[Entry, ...]) -> None:
        """A replica gives entries to its disk."""
        for entry in entries:
            if entry.chain not in self.entries:
                self.entries[entry.chain] = entry
            chain = self._named.setdefault((entry.epoch, entry.index), entry.chain)
            require(chain == entry.chain, "1: two entries have one epoch and index")
            self._met(1)

    def durable(self, voter: int, chains: list[int]) -> None:
        """A voter's disk holds these entries now, as it did when the ensemble was founded."""
        for chain in chains:
            self._holders.setdefault(chain, set()).add(voter)

    def applied(self, point: Point, digest: int) -> Entry | None:
        """A replica has applied an entry; return it when it is the first one to do so."""
        index = point.index
        if index <= len(self.sequence):
            require(self.sequence[index - 1] == point, f"3: two entries were applied as {index}")
            self._met(3)
            require(self.digests[index - 1] == digest, f"7: two states after entry {index}")
            self._met(7)
            return None
        require(index == len(self.sequence) + 1, "3: no entry is skipped")
        self.sequence.append(point)
        self.digests.append(digest)
        entry = self.entries[point.chain]
        if entry.kind == EntryKind.OPERATIONS:
            holders = self._holders.get(point.chain, set())
            stored = self._system.is_replication_quorum(holders)
            require(stored, f"5: entry {index} is applied, but stored only by {sorted(holders)}")
            self._met(5)
        return entry

    def opened(self, point: Point, digest: int) -> None:
        """A tree is served that was read from a disk."""
        if point.index:
            require(point.index <= len(self.sequence), "12: a tree knows what nobody applied")
            require(self.sequence[point.index - 1] == point, "12: a tree is of another history")
            require(self.digests[point.index - 1] == digest, "12: a tree is not that state")
            self._met(12)

    # ---------------------------------------------------------------------------- what is said

    def said(self, disk: "Disk", frame: bytes) -> None:
        """A replica sends a consensus message, which its disk must bear out."""
        tag = frame[0]
        if tag == Promise.TAG:
            epoch, _round, _birth, _current, last_index = _PROMISE.unpack_from(frame, 1)
            require(disk.hard.promised >= epoch, "6: a promise is durable")
            require(disk.highest >= last_index, "6: a promised history is durable")
            self._met(6)
            return
        if tag == Candidacy.TAG:
            _ensemble, epoch, _birth = _CANDIDACY.unpack_from(frame, 1)
            require(disk.hard.promised >= epoch, "6: a candidate's own promise is durable")
            require(not disk.owes, "14: one that lost entries stands in no election")
            self._met(6)
            return
        if tag == Ack.TAG:
            epoch, _birth, stored, _gathered = _ACK.unpack_from(frame, 1)
        elif tag == Heartbeat.TAG:
            epoch, _birth, stored = _HEARTBEAT.unpack_from(frame, 1)
            require(disk.hard.promised >= epoch, "6: a leader's own promise is durable")
        else:
            epoch, _round, _sent_ms, _birth, stored, _gathered = _ALIVE.unpack_from(frame, 1)
        if stored >= 0:
            require(disk.hard.current_epoch >= epoch, "6: an adopted epoch is durable")
            if disk.hard.current_epoch == epoch:
                require(disk.last_index >= stored, "6: an acknowledged entry is durable")
            self._met(6)

    # ----------------------------------------------------------------------------- replicas

    def observe(self, life: "Life", now_us: int) -> None:
        """A replica has done a step."""
        node, replica = life.node, life.replica
        journal = node._journal
        now = (journal.promised, journal.current_epoch, node.commit_index, replica.applied.index)
        before = self._seen.get(life)
        if now != before:
            self._seen[life] = now
            if before is not None:
                fell = any(new < old for new, old in zip(now, before, strict=True))
                require(not fell, f"9: {before} became {now}")
            require(now[1] <= now[0], "9: an epoch is current that was not promised")
            require(now[3] <= now[2] <= node.last_index, "9: applied <= commit <= last")
            self._met(9)
        if node.role is RoleName.LEADER:
            self._observe_leader(life, now_us)

    def ended(self, life: "Life") -> None:
        """A life is over."""
        self._seen.pop(life, None)

    def _observe_leader(self, life: "Life", now_us: int) -> None:
        node = life.node
        epoch = node.epoch
        if self._leaders.get(epoch) is not life:
            # An epoch without an owner is judged by what it leads to.
            require(owner_of(epoch) in (0, life.id), "2: an epoch is led by its owner")
            require(epoch not in self._leaders, "2: two lives lead in one epoch")
            self._leaders[epoch] = life
            self._began_us[epoch] = now_us
            self._counts["role leader"] += 1
            self._met(2)
        if not node.established:
            return
        if epoch not in self._established:
            self._established.add(epoch)
            self._counts["role established"] += 1
            if epoch == max(self._established):
                self._check_log(life)
        contact_us = life.process.clock.true_us(node.contact_ms) - SLACK_US
        for other, began_us in self._began_us.items():
            if other > epoch:
                require(began_us >= contact_us, f"8: the leader of {other:x} had begun")
                self._met(8)

    def _check_log(self, life: "Life") -> None:
        count, journal = len(self.sequence), life.node._journal
        require(journal.last.index >= count, "4: an established leader lacks what was applied")
        if count > journal.base.index:
            chain = journal.chain_at(count)
            require(chain == self.sequence[-1].chain, "4: an established leader has another log")
        self._met(4)
