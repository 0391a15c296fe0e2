"""What must hold after every step of a simulated ensemble.

1. Log matching: (epoch, index) names one entry with one predecessor.
2. Epoch ownership: one life of one replica leads in an epoch, and it is the epoch's owner.
3. Agreement: what replicas apply is one sequence; each applies each index once, in order.
4. Durability: an established leader's log holds all that was ever applied anywhere.
5. Exactly once: no proposal stands twice in the sequence.
6. What is said is durable: promises and acknowledgements rest on the sender's disk.
7. Reads: a confirmed barrier covers all that had been applied anywhere when it was asked for.
8. Contact: while a leader says that it was alone at some time, nobody else had begun to lead.
(The disk itself checks that its epochs, its commit index and its chain never go back.)
"""

from coord.consensus.epochs import owner_of
from coord.consensus.log import Entry, EntryKind
from coord.consensus.messages import Ack, Alive, Candidacy, Message, Promise
from coord.consensus.node import Node
from coord.consensus.role import RoleName
from tests.consensus.disk import Disk, Violation


def require(condition: bool, rule: str) -> None:
    if not condition:
        raise Violation(rule)


class Checkers:
    """What the simulation has seen of the whole ensemble."""

    def __init__(self) -> None:
        self.applied: list[Entry] = []
        self.positions: dict[bytes, int] = {}
        self.barriers_confirmed = 0
        self._entries: dict[tuple[int, int], int] = {}
        self._leaders: dict[int, tuple[int, int]] = {}
        self._began: dict[int, float] = {}
        self._established: set[int] = set()

    def written(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            chain = self._entries.setdefault((entry.epoch, entry.index), entry.chain)
            require(chain == entry.chain, "1: two entries have one epoch and index")

    def apply(self, applied_index: int, entry: Entry) -> None:
        require(entry.index == applied_index + 1, "3: entries are applied in order")
        if entry.index <= len(self.applied):
            known = self.applied[entry.index - 1]
            require(known.chain == entry.chain, f"3: two entries were applied as {entry.index}")
            return
        require(entry.index == len(self.applied) + 1, "3: no entry is skipped")
        self.applied.append(entry)
        if entry.kind == EntryKind.OPERATIONS:
            require(entry.payload not in self.positions, "5: a proposal is applied twice")
            self.positions[entry.payload] = entry.index

    def say(self, disk: Disk, message: Message) -> None:
        if isinstance(message, Promise | Candidacy):
            require(disk.hard.promised >= message.epoch, "6: a promise is durable")
        if isinstance(message, Promise):
            require(disk.highest >= message.last_index, "6: a promised history is durable")
        if isinstance(message, Ack | Alive) and message.stored >= 0:
            require(disk.hard.current_epoch >= message.epoch, "6: an adopted epoch is durable")
            if disk.hard.current_epoch == message.epoch:
                require(disk.last_index >= message.stored, "6: an acknowledged entry is durable")

    def barrier_confirmed(self, index: int, needed: int) -> None:
        self.barriers_confirmed += 1
        require(index >= needed, "7: a confirmed read misses what was acknowledged before it")

    def observe(self, node: Node, identity: tuple[int, int], now: float, contact: float) -> None:
        if node.role is not RoleName.LEADER:
            return
        epoch = node.epoch
        require(owner_of(epoch) == identity[0], "2: an epoch is led by its owner")
        if epoch not in self._leaders:
            self._leaders[epoch] = identity
            self._began[epoch] = now
        require(self._leaders[epoch] == identity, "2: two lives lead in one epoch")
        if not node.established:
            return
        if epoch not in self._established:
            self._established.add(epoch)
            if epoch == max(self._established):
                self._check_log(node)
        for other, began in self._began.items():
            require(other <= epoch or began >= contact, "8: another leader had begun")

    def _check_log(self, node: Node) -> None:
        count = len(self.applied)
        journal = node._journal
        require(journal.last.index >= count, "4: an established leader lacks what was applied")
        if count > journal.base.index:
            chain = journal.chain_at(count)
            require(chain == self.applied[-1].chain, "4: an established leader has another log")
