"""One replica: a real Node, a fake disk, and what the driver holds back until a write is durable.

Time stands still, for nothing that is to be shown may rest on it: where something waits for a
deadline, the deadline is moved to now. Chance always draws the lowest number.
"""

import attrs

from coord.consensus.candidate import Candidate
from coord.consensus.configuration import Member
from coord.consensus.effects import Effects
from coord.consensus.log import Entry
from coord.consensus.messages import (
    Canvass,
    CanvassReply,
    Message,
    Refusal,
)
from coord.consensus.node import Node
from coord.consensus.role import RoleName
from coord.consensus.settings import NodeSettings
from tests.consensus.checkers import Checkers, require
from tests.consensus.disk import Disk
from tests.exploration.bounds import Cost

Letter = tuple[int, Message]
"""(receiver, message)"""

UNHEARD = (Canvass, CanvassReply, Refusal)
"""What is said for the sake of progress: it binds nobody. See `Replica.stand`."""


def lowest(low: int, high: int) -> int:
    """Chance, of which safety is independent."""
    return low


class Replica:
    """One replica at one moment; a verb takes it to another."""

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self.disk = Disk(settings.birth)
        self.life = 0
        self.waiting: list[tuple[int, int, Message]] = []
        self.letters: list[Letter] = []
        self.decided: dict[int, tuple[int, int]] = {}
        """What it ever knew as committed: (chain, first epoch in which it knew) by index."""
        self.led: dict[int, int] = {}
        """The life in which it led, by epoch."""
        self.applied = 0
        self.asked: dict[int, int] = {}
        """Read barriers: what was committed anywhere when it was asked for, by token."""
        self.cost = Cost()
        self._start()

    @property
    def id(self) -> int:
        return self.settings.id

    # Verbs

    def hear(self, sender: int, message: Message) -> None:
        """A message arrives."""
        self.node.receive(sender, message)
        self._perform()

    def sync(self) -> None:
        """The oldest write that is under way becomes durable."""
        number = self.disk.under_way[0].number
        self.disk.sync(number)
        self.node.stored(number)
        while self.waiting and self.waiting[0][0] <= number:
            _, peer, message = self.waiting.pop(0)
            self._send(peer, message)
        self._perform()

    def drain(self) -> None:
        """All writes become durable."""
        while self.disk.under_way:
            self.sync()

    def crash(self, survivors: int) -> None:
        """Stop, and start with what was durable and the first few of the writes under way."""
        self.disk.crash(survivors)
        self.cost = attrs.evolve(self.cost, crashes=self.cost.crashes + 1)
        self._start()

    def stand(self, seen: int) -> None:
        """Stand above an epoch that was heard of, whatever the others think of it.

        A pre-vote hinders elections that cannot succeed or are not needed, and nothing else may
        rest on it: so it is won here whenever one likes, and what is said in it is not explored.
        """
        node = self.node
        node._core.see(seen)
        self.cost = attrs.evolve(self.cost, elections=self.cost.elections + 1)
        if node.role is RoleName.LEADER:
            peer = node.membership.other_voters[0]
            node.receive(peer, Refusal(node.epoch, seen))
        self._time_is_up()
        if node.role is RoleName.FOLLOWER:
            self._time_is_up()
        for voter in node.membership.other_voters:
            birth = self._birth_of(voter)
            node.receive(voter, CanvassReply(nonce=1, birth=birth, granted=True, promised=seen))
        require(node.role is RoleName.CANDIDATE, "a pre-vote that is won makes a candidate")
        node._core.outbox.sends.clear()
        self._perform()

    def propose(self, payload: bytes) -> None:
        """Take a batch of operations."""
        self.cost = attrs.evolve(self.cost, proposals=self.cost.proposals + 1)
        self.node.propose(payload)
        self._perform()

    def read(self, committed: int) -> None:
        """Ask for a read barrier; so much was committed anywhere by then."""
        self.cost = attrs.evolve(self.cost, reads=self.cost.reads + 1)
        token = self.cost.reads
        self.asked[token] = committed
        self.node.barrier(token)
        self._perform()

    def forget_cost(self) -> None:
        """Begin to count."""
        self.cost = Cost()

    def _start(self) -> None:
        self.life += 1
        self.waiting.clear()
        self.asked.clear()
        self.applied = 0
        self.node = Node(self.settings, self.disk.recovered(), self.disk, lowest, 0)
        self._perform()

    def _time_is_up(self) -> None:
        role = self.node._role
        role.deadline_ms = 0
        if isinstance(role, Candidate):
            role._give_up_ms = 0
        self.node.tick(0)

    def _birth_of(self, voter: int) -> int:
        configuration = self.node.configuration
        member: Member | None = configuration.member(voter) if configuration else None
        return member.birth if member else 1

    # The driver

    def _perform(self) -> None:
        """Do what the node asks for, until it asks for nothing."""
        self._observe()
        while effects := self.node.take_effects():
            for persist in effects.persist:
                self.disk.write(persist)
            for peer, message in effects.send:
                self._send(peer, message)
            for late in effects.send_when_stored:
                if late not in self.waiting:
                    self.waiting.append(late)
            for entry in effects.apply:
                self._apply(entry)
            self._answer_reads(effects)
            self._observe()

    def _send(self, peer: int, message: Message) -> None:
        Checkers().say(self.disk, message)
        if not isinstance(message, UNHEARD):
            self.letters.append((peer, message))

    def _apply(self, entry: Entry) -> None:
        require(entry.index == self.applied + 1, "3: entries are applied in order")
        self.applied = entry.index
        chain, epoch = self.decided.get(entry.index, (entry.chain, self.node.epoch))
        require(chain == entry.chain, f"3: two entries were applied as {entry.index}")
        self.decided[entry.index] = (chain, min(epoch, self.node.epoch))

    def _answer_reads(self, effects: Effects) -> None:
        for token in effects.failed:
            self.asked.pop(token, None)
        for token, index in effects.confirmed:
            needed = self.asked.pop(token)
            require(index >= needed, "7: a confirmed read misses what was committed before it")

    def _observe(self) -> None:
        node = self.node
        if node.role is RoleName.LEADER:
            require(node.epoch >> 8 & 0xFF == self.id, "2: an epoch is led by its owner")
            life = self.led.setdefault(node.epoch, self.life)
            require(life == self.life, "2: two lives lead in one epoch")
