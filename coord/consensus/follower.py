"""Follower: promises, adopts a leader's history, stores and applies what it proposes.

An observer is a follower that neither stands nor counts; so is a voter whose disk is a new one.

Rules:

F1. Proposals of epoch e are appended only while promised == current == e.
F2. Until epoch e is adopted, its entries are gathered in memory; when they reach the end of the
    leader's initial history, they and the epoch are stored in one transaction, and acknowledged
    only then. Before that, only what is committed is stored.
F3. What is acknowledged is durable, and a promise is durable before it is answered.
F4. While epoch e is promised and its owner is a candidate, the log stays as was promised.
F5. A follower says no to a pre-vote while it hears a leader, and stands only after winning one.
F6. One that abstains, or owes entries (`mending`), does all this but stand.
"""

from typing import ClassVar

from coord.consensus.effects import InstalledSnapshot
from coord.consensus.epochs import owner_of
from coord.consensus.gathering import Gathering, whole_run
from coord.consensus.invariants import require
from coord.consensus.log import Entry
from coord.consensus.messages import (
    Ack,
    Alive,
    Candidacy,
    CanvassReply,
    Commit,
    Fetch,
    Heartbeat,
    History,
    Mark,
    Message,
    Promise,
    Propose,
    TakeOver,
)
from coord.consensus.poll import Poll
from coord.consensus.role import Change, Core, Role, RoleName, Stand

STAGGER_MS_MAX = 20
"""Spread of the first pre-votes after a leader's connection is lost, so that they seldom meet."""


class Follower(Role):
    """A replica that has promised an epoch and waits for, or follows, its owner."""

    name: ClassVar[RoleName] = RoleName.FOLLOWER

    def __init__(self, core: Core, wait_ms: int) -> None:
        self._core = core
        self._journal = core.journal
        self.epoch = core.journal.promised
        self.deadline_ms = core.now_ms + wait_ms
        self._leader: int | None = None
        self._heard_ms = core.now_ms - core.settings.election_ms
        self._patience_ms = core.draw_patience_ms()
        self._poll: Poll | None = None
        self._retry_ms = core.settings.heartbeat_ms
        self._gathering: Gathering | None = None
        self._initial = -1
        self._leader_commit = 0
        self._owes_ack = False

    @property
    def leader(self) -> int | None:
        """The owner of the epoch, once it has spoken and until it falls silent."""
        return self._leader

    @property
    def is_established(self) -> bool:
        """The leader has committed its initial history, and it is ours."""
        is_followed = self._is_adopted and self.hears_leader
        return is_followed and self._leader_commit >= self._initial >= 0

    @property
    def hears_leader(self) -> bool:
        """The leader was heard, and said that it can commit, within the time of an election."""
        silence_ms = self._core.now_ms - self._heard_ms
        return self._leader is not None and silence_ms < self._core.settings.election_ms

    @property
    def _is_adopted(self) -> bool:
        return self._journal.current_epoch == self.epoch

    # Messages

    def receive(self, sender: int, message: Message) -> Change | None:
        """Handle a message of the promised epoch."""
        match message:
            case Propose():
                self._take_proposal(sender, message)
            case Commit():
                self._leader = sender
                self._learn_commit(message.index)
            case Heartbeat():
                self._answer_heartbeat(sender, message)
            case Candidacy():
                self.answer_candidacy(sender)
            case Fetch():
                self._answer_fetch(sender, message)
            case CanvassReply():
                return self._take_reply(sender, message)
            case TakeOver():
                return self._canvass(succeeds=message.epoch)
            case _:
                pass
        return None

    def answer_candidacy(self, candidate: int) -> None:
        """Promise the candidate its epoch, which is promised already in the journal."""
        if not self._is_adopted:
            self._core.outbox.send_when_durable(candidate, self._promise(answered_round=0))

    def _take_proposal(self, sender: int, message: Propose) -> None:
        self._leader = sender
        self._initial = message.initial
        if self._journal.unstored_bytes > 2 * self._core.settings.limits.window:
            return  # a slow disk: the leader will send it again
        if self._is_adopted:
            self._append(message)
        else:
            self._gather(message)
        self._learn_commit(message.commit_index)
        self._owes_ack = True

    def _append(self, message: Propose) -> None:
        journal = self._journal
        last, before = journal.last, message.before
        if before.index > last.index:
            return
        if before.index >= journal.base.index:
            require(journal.holds(before), "F1: logs of one epoch are prefixes of one")
        entries = message.entries[last.index - before.index :]
        if entries:
            journal.append(whole_run(Mark(last.index, last.chain), entries))

    def _gather(self, message: Propose) -> None:
        gathering = self._gathering
        if gathering is None:
            if not self._journal.holds(message.before):
                return
            gathering = self._gathering = Gathering(message.before)
        gathering.offer(message.before, message.entries)
        if gathering.tip.index >= message.initial:
            self._gathering = None
            self._journal.adopt(self.epoch, gathering.entries, gathering.tip.index)
        elif committed := gathering.take_until(message.commit_index):
            self._journal.fill(committed)

    def _learn_commit(self, index: int) -> None:
        self._leader_commit = max(self._leader_commit, index)
        if self._is_adopted:
            self._journal.commit(self._leader_commit)

    def _answer_heartbeat(self, sender: int, message: Heartbeat) -> None:
        self._leader = sender
        self._initial = message.initial
        if message.is_quorate:
            self._heard_ms = self._core.now_ms
            self.deadline_ms = self._heard_ms + self._patience_ms
            self._poll = None
        self._learn_commit(message.commit_index)
        reply = Alive(
            epoch=self.epoch,
            round=message.round,
            sent_ms=message.sent_ms,
            birth=self._core.settings.birth,
            stored=self._stored_index,
            gathered=self._gathered_index,
        )
        self._core.outbox.send(sender, reply)
        if not self._is_adopted and self._gathering is None:
            promise = self._promise(answered_round=message.round)
            self._core.outbox.send_when_durable(sender, promise)

    def _answer_fetch(self, sender: int, message: Fetch) -> None:
        """Give a candidate what it lacks of our history, which does not change meanwhile (F4)."""
        journal = self._journal
        if self._is_adopted:
            return
        shared = next((mark for mark in message.marks if journal.holds(mark)), None)
        entries: tuple[Entry, ...] = ()
        if shared is not None and shared.index < journal.last.index:
            bytes_max = self._core.settings.limits.message
            entries = journal.entries(shared.index + 1, journal.last.index, bytes_max)
        before = shared or Mark(journal.base.index, journal.base.chain)
        self._core.outbox.send(sender, History(self.epoch, before, journal.last.index, entries))

    def _promise(self, answered_round: int) -> Promise:
        current_epoch, last_index = self._journal.rank
        return Promise(
            epoch=self.epoch,
            round=answered_round,
            birth=self._core.settings.birth,
            current_epoch=current_epoch,
            last_index=last_index,
            marks=self._journal.marks(),
            owed=0 if self._journal.owed is None else self._journal.owed.index,
        )

    @property
    def _stored_index(self) -> int:
        adopted = self._journal.durable.current_epoch == self.epoch
        return self._journal.durable_index if adopted else -1

    @property
    def _gathered_index(self) -> int:
        if self._is_adopted:
            return self._journal.last.index
        return -1 if self._gathering is None else self._gathering.tip.index

    # Time and connections

    def tick(self) -> Change | None:
        """Stand for election when the leader has been silent for long."""
        if self._core.now_ms < self.deadline_ms:
            return None
        self._leader = None
        return self._canvass(succeeds=0 if self._poll is None else self._poll.message.succeeds)

    def forgive_pause(self) -> None:
        """Read the inbox before judging the leader."""
        grace_ms = 2 * self._core.settings.heartbeat_ms
        self.deadline_ms = max(self.deadline_ms, self._core.now_ms + grace_ms)

    def connected(self, peer: int, birth: int) -> None:  # noqa: ARG002 - its replies tell
        """Ask a voter that was out of reach."""
        if self._poll is not None:
            self._poll.send_to(peer)

    def disconnected(self, peer: int) -> Change | None:
        """Stand soon when the connection to the leader is gone."""
        if peer == owner_of(self.epoch):
            self._leader = None
            stagger_ms = min(STAGGER_MS_MAX, self._core.settings.heartbeat_ms)
            soon_ms = self._core.now_ms + self._core.draw(0, stagger_ms)
            self.deadline_ms = min(self.deadline_ms, soon_ms)
        return None

    def take_snapshot(self, snapshot: InstalledSnapshot) -> bool:
        """Use a received snapshot, unless the log goes that far without it."""
        journal = self._journal
        if snapshot.index <= journal.commit_index:
            return False
        is_needed = not journal.holds(Mark(snapshot.index, snapshot.chain))
        if is_needed:
            journal.install(snapshot)
        journal.commit(snapshot.index)
        self._gathering = None
        self._owes_ack = True
        if not self._is_adopted and self._leader is not None:
            promise = self._promise(answered_round=0)
            self._core.outbox.send_when_durable(self._leader, promise)
        return is_needed

    def flush(self) -> None:
        """Acknowledge what this batch of input brought, once it is durable (F3)."""
        if not self._owes_ack:
            return
        self._owes_ack = False
        if self._leader is None:
            return
        birth = self._core.settings.birth
        gathered = self._gathered_index
        if self._is_adopted:
            ack = Ack(self.epoch, birth, self._journal.last.index, gathered)
            self._core.outbox.send_when_durable(self._leader, ack)
        else:
            self._core.outbox.send(self._leader, Ack(self.epoch, birth, -1, gathered))

    def _canvass(self, succeeds: int) -> Change | None:
        """Hold a pre-vote; a new one replaces the last, whose replies may be out of date."""
        core = self._core
        if not core.membership.is_voter or core.abstains or core.journal.owed is not None:
            self.deadline_ms = core.now_ms + core.settings.election_ms
            return None
        if self._poll is None:
            self._patience_ms = core.draw_patience_ms()
            self._retry_ms = core.settings.heartbeat_ms
        self._poll = Poll(core, succeeds)
        if self._poll.is_won:
            return Stand()
        self._poll.send()
        self.deadline_ms = core.now_ms + core.draw(self._retry_ms // 2, self._retry_ms)
        self._retry_ms = min(2 * self._retry_ms, core.settings.election_ms)
        return None

    def _take_reply(self, sender: int, reply: CanvassReply) -> Change | None:
        if self._poll is None:
            return None
        self._poll.take(sender, reply)
        return Stand() if self._poll.is_won else None
