"""Leader: replicates its history, then commits, confirms reads, and knows when to stop.

Rules:

L1. It begins with promises of an election quorum and the best history among them; its first own
    entry ends the initial history. History, that entry and the epoch are stored in one transaction.
L2. It is established once a replication quorum has stored the initial history together with the
    epoch; before that nothing is committed, proposed or confirmed.
L3. An entry is committed when a replication quorum has stored it in this epoch, and all before it.
    The leader's own disk counts after its own write only, and need not be in the quorum.
L4. It serves as long as it hears a replication quorum. Without one it stops, and says so in its
    heartbeats, so that others stop waiting for it; but it keeps its epoch, and goes on when it
    hears a replication quorum again before another was elected. That no election quorum is left
    is no reason to stop: nobody could take over.
L5. A member that promised a later epoch can never follow this one. The leader then seeks an epoch
    of its own above it, if a pre-vote shows that it would be elected.
L6. A read is confirmed by answers, to a heartbeat sent after it, of a set that meets every
    election quorum.
"""

from collections import deque
from collections.abc import Mapping
from typing import ClassVar

import attrs

from coord.consensus import checks
from coord.consensus.configuration import Configuration
from coord.consensus.invariants import require
from coord.consensus.journal import ENTRY_OVERHEAD
from coord.consensus.log import EntryKind
from coord.consensus.messages import (
    Ack,
    Alive,
    CanvassReply,
    Heartbeat,
    Message,
    Promise,
    Refusal,
    TakeOver,
)
from coord.consensus.poll import Poll
from coord.consensus.progress import Flow, PeerStatus, Progress
from coord.consensus.reads import Barriers
from coord.consensus.replication import Replication
from coord.consensus.role import Change, Core, Lead, Role, RoleName, Stand

ENSEMBLE_MAX = (1 << 62) - 1
"""Ensemble numbers are drawn from 1 to this."""


class Leader(Role):
    """The owner of an epoch, with the promises to lead in it."""

    name: ClassVar[RoleName] = RoleName.LEADER

    def __init__(self, core: Core, lead: Lead) -> None:
        self._core = core
        self._journal = core.journal
        self.epoch = core.journal.promised
        self.is_resigning = False
        self._is_established = False
        self._is_quorate = True
        self._begin_history(lead)
        self._initial = self._journal.last.index
        self._replication = Replication(core, self.epoch, self._initial)
        self._progress = self._replication.progress
        self._births = {core.settings.id: core.settings.birth}
        self._stored: dict[int, int] = {}
        self._contact_ms: dict[int, int] = {}
        self._answered: dict[int, int] = {}
        self._uncommitted: deque[tuple[int, int]] = deque()
        self._uncommitted_bytes = 0
        self._round = 0
        self._barriers = Barriers()
        self._renewal: Poll | None = None
        self._lenient_ms = core.now_ms
        self._resign_ms = core.now_ms
        self._catch_up_ms = core.now_ms
        for peer, promise in lead.promises.items():
            self.receive(peer, promise)
        self._heartbeat()

    def _begin_history(self, lead: Lead) -> None:
        """Adopt the best history and end it with an entry of our own (L1)."""
        core, journal = self._core, self._journal
        births = {peer: promise.birth for peer, promise in lead.promises.items()}
        births[core.settings.id] = core.settings.birth
        is_founding = core.membership.is_founding
        if lead.gathering is None:
            journal.adopt(self.epoch, (), journal.last.index)
        else:
            journal.adopt(self.epoch, lead.gathering.entries, lead.gathering.tip.index)
        if is_founding:
            journal.append_new(EntryKind.CONFIGURATION, self._genesis(births).encode())
        else:
            journal.append_new(EntryKind.EMPTY, b"")
        promisers = {p for p, birth in births.items() if core.membership.counts(p, birth)}
        require(
            checks.promise_suffices(core.membership, promisers),
            "L1: an election quorum promised, by the configuration in the history too",
        )

    def _genesis(self, births: Mapping[int, int]) -> Configuration:
        settings = self._core.settings
        members = sorted(settings.members, key=lambda member: member.id)
        return Configuration(
            ensemble=self._core.draw(1, ENSEMBLE_MAX),
            settings=settings.genesis,
            quorums=settings.quorums,
            members=tuple(attrs.evolve(m, birth=births.get(m.id, 0)) for m in members),
        )

    # What the driver sees

    @property
    def leader(self) -> int | None:
        """Ourselves."""
        return self._core.settings.id

    @property
    def is_established(self) -> bool:
        """The initial history is committed (L2), and a replication quorum is in contact (L4)."""
        return self._is_established and self._is_quorate

    @property
    def hears_leader(self) -> bool:
        """It is one, as long as it can commit."""
        return self._is_quorate

    @property
    def contact_ms(self) -> int:
        """When it is certain that nobody else had begun to lead; -1 when at no time."""
        positions = {**self._contact_ms, self._core.settings.id: self._core.now_ms}
        return checks.read_confirmation_reaches(self._core.membership, positions)

    @property
    def accepts(self) -> bool:
        """Proposals are welcome."""
        return self.is_established and not self.is_resigning

    @property
    def peers(self) -> tuple[PeerStatus, ...]:
        """What is known of the other members."""
        membership = self._core.membership
        return tuple(
            PeerStatus(
                peer=peer,
                stored=progress.stored,
                flow=progress.flow,
                contact_ms=progress.contact_ms,
                counts=membership.counts(peer, self._births.get(peer, -1)),
            )
            for peer, progress in self._progress.items()
        )

    @property
    def has_room(self) -> bool:
        """More may be proposed: others commit without this disk, but its queue is in memory."""
        limit = self._core.settings.limits.uncommitted
        return self._uncommitted_bytes < limit and self._journal.unstored_bytes < limit

    def propose(self, payload: bytes) -> int:
        """Append a batch of operations and return its index."""
        require(self.is_established, "L2: nothing is proposed before the leader is established")
        entry = self._journal.append_new(EntryKind.OPERATIONS, payload)
        size = len(payload) + ENTRY_OVERHEAD
        self._uncommitted.append((entry.index, size))
        self._uncommitted_bytes += size
        return entry.index

    def barrier(self, token: int) -> None:
        """Confirm a read (L6)."""
        require(self.is_established, "L2: no read is confirmed before the leader is established")
        self._barriers.add(token, self._journal.commit_index)

    def resign(self) -> None:
        """Propose nothing more, and tell the most caught-up voter to stand; give up in the end."""
        if self._core.membership.other_voters and not self.is_resigning:
            self.is_resigning = True
            self._resign_ms = self._core.now_ms
            self._catch_up_ms = self._core.now_ms + self._core.settings.election_ms

    # Messages

    def receive(self, sender: int, message: Message) -> Change | None:
        """Handle a message of the leader's epoch."""
        progress = self._progress.get(sender)
        if progress is None:
            return None
        match message:
            case Ack():
                if self._is_of_this_disk(progress, message.birth):
                    progress.report(message.stored, message.gathered)
                    self._count(progress, message.birth)
            case Alive():
                self._take_answer(progress, message)
            case Promise():
                self._take_promise(progress, message)
            case Refusal():
                self._core.see(message.promised)
                progress.is_fenced = True
            case CanvassReply() if self._renewal is not None:
                self._renewal.take(sender, message)
                return Stand() if self._renewal.is_won else None
            case _:
                pass
        return None

    def _is_of_this_disk(self, progress: Progress, birth: int) -> bool:
        """Tell whether a report speaks of the member's present disk; a lost disk takes all back."""
        known = self._births.setdefault(progress.peer, birth)
        if birth == known:
            return True
        if self._core.membership.counts(progress.peer, birth):
            return False  # from before the loss
        self._births[progress.peer] = birth
        for position in (self._stored, self._contact_ms, self._answered):
            position.pop(progress.peer, None)
        progress.forget()
        return True

    def _count(self, progress: Progress, birth: int) -> None:
        """Count what a voter stored, and commit what thereby is (L2, L3)."""
        peer = progress.peer
        if self._core.membership.counts(peer, birth) and progress.stored > self._stored.get(
            peer, -1
        ):
            self._stored[peer] = progress.stored
            self._advance()

    def _take_answer(self, progress: Progress, message: Alive) -> None:
        if not self._is_of_this_disk(progress, message.birth):
            return
        progress.answer(message)
        base = self._journal.base.index
        may_begin = progress.flow is Flow.UNKNOWN or message.gathered >= base
        if progress.flow is not Flow.ENTRIES and message.gathered >= 0 and may_begin:
            progress.begin(min(message.gathered, self._journal.last.index), message.round)
        if self._core.membership.counts(progress.peer, message.birth):
            self._contact_ms[progress.peer] = progress.contact_ms
            self._answered[progress.peer] = progress.answered_round
        self._count(progress, message.birth)

    def _take_promise(self, progress: Progress, promise: Promise) -> None:
        """Send a member that has not adopted our epoch what it lacks of our history."""
        if not self._is_of_this_disk(progress, promise.birth):
            return
        if progress.is_adopted or progress.has_begun_since(promise):
            return
        self._replication.begin(progress, promise)

    def _advance(self) -> None:
        membership = self._core.membership
        if not self._is_established:
            if not checks.synchronisation_suffices(membership, self._stored, self._initial):
                return
            self._is_established = True
        self._journal.commit(checks.commit_reaches(membership, self._stored))
        queue = self._uncommitted
        while queue and queue[0][0] <= self._journal.commit_index:
            self._uncommitted_bytes -= queue.popleft()[1]

    def stored(self) -> Change | None:
        """Count our own disk, once it holds the epoch (L3)."""
        if self._journal.durable.current_epoch == self.epoch:
            self._stored[self._core.settings.id] = self._journal.durable_index
            self._advance()
        return None

    # Time and connections

    def tick(self) -> Change | None:
        """Send heartbeats; see whether a replication quorum answers them (L4)."""
        core = self._core
        if core.now_ms < self.deadline_ms:
            return None
        self._judge_contact()
        if self.is_resigning and core.now_ms >= self._catch_up_ms + core.settings.election_ms:
            self.is_resigning = False
        if not self.is_resigning and any(p.is_fenced for p in self._progress.values()):
            self._renew()
        self._heartbeat()
        return None

    def forgive_pause(self) -> None:
        """Read the inbox before judging who is in contact."""
        if self._is_quorate:
            self._lenient_ms = self._core.now_ms

    def connected(self, peer: int, birth: int) -> None:
        """Ask a member what it has."""
        if peer in self._progress and self._is_of_this_disk(self._progress[peer], birth):
            self._progress[peer].pause()
            self._core.outbox.send(peer, self._heartbeat_message())

    def disconnected(self, peer: int) -> Change | None:
        """Send a member no entries until it is back."""
        if peer in self._progress:
            self._progress[peer].pause()
        return None

    def transfer_ended(self, peer: int) -> None:
        """Learn from the member what it has, now that its snapshot came or failed."""
        if peer in self._progress and self._progress[peer].flow is Flow.SNAPSHOT:
            self._progress[peer].pause()

    def leave(self) -> None:
        """Fail the reads that wait."""
        self._core.outbox.failed.extend(self._barriers.fail())

    def _judge_contact(self) -> None:
        core = self._core
        since_ms = core.now_ms - core.settings.election_ms
        in_contact = {core.settings.id}
        in_contact.update(peer for peer, at in self._contact_ms.items() if at > since_ms)
        is_lenient = self._lenient_ms > since_ms
        self._is_quorate = is_lenient or checks.keeps_leading(core.membership, in_contact)
        if not self._is_quorate:
            core.outbox.failed.extend(self._barriers.fail())

    def _renew(self) -> None:
        for progress in self._progress.values():
            progress.is_fenced = False
        self._renewal = Poll(self._core, succeeds=self.epoch)
        self._renewal.send()

    def _heartbeat(self) -> None:
        self._round += 1
        self._barriers.ask(self._round)
        message = self._heartbeat_message()
        for progress in self._progress.values():
            progress.mark(self._round)
            self._core.outbox.send(progress.peer, message)
        self.deadline_ms = self._core.now_ms + self._core.settings.heartbeat_ms

    def _heartbeat_message(self) -> Heartbeat:
        return Heartbeat(
            ensemble=self._core.membership.ensemble,
            epoch=self.epoch,
            round=self._round,
            sent_ms=self._core.now_ms,
            initial=self._initial,
            commit_index=self._journal.commit_index,
            is_quorate=self._is_quorate,
            birth=self._core.settings.birth,
            stored=self._stored.get(self._core.settings.id, -1),
        )

    # Sending

    def flush(self) -> None:
        """Send what is new to whoever has room, tell of commits, confirm reads, hand over."""
        if self._barriers.needs_round:
            self._heartbeat()
        if self._barriers.is_waiting:
            answered = {**self._answered, self._core.settings.id: self._round}
            reached = checks.read_confirmation_reaches(self._core.membership, answered)
            self._core.outbox.confirmed.extend(self._barriers.confirm(reached))
        self._replication.send()
        if self.is_resigning and self._core.now_ms >= self._resign_ms:
            self._hand_over()

    def _hand_over(self) -> None:
        """Tell the voter that has most of our log to stand; wait a while for one that has all."""
        now_ms, settings = self._core.now_ms, self._core.settings
        since_ms = now_ms - settings.election_ms
        others = [v for v in self._core.membership.other_voters if v in self._stored]
        near = [v for v in others if self._contact_ms.get(v, -1) > since_ms]
        best = max(near, key=lambda voter: self._stored[voter], default=None)
        if best is None:
            return
        if self._stored[best] == self._journal.last.index or now_ms >= self._catch_up_ms:
            self._core.outbox.send(best, TakeOver(self.epoch))
            self._resign_ms = now_ms + 2 * settings.heartbeat_ms
