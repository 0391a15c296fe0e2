"""Candidate: asks for promises, then fetches the best history among those who gave them.

Rules:

C1. The candidate's own promise is durable before it asks, and the epoch is above all it has
    promised; so no epoch is used twice, not even across a restart.
C2. It leads only with promises of an election quorum, counted by `checks.promise_suffices`.
C3. Its initial history is the one with the greatest (current epoch, last index) of those who
    promised: never compared by the epoch of the last entry. If another's is greater it is fetched,
    and stored in one transaction with the new current epoch.
C4. The promise of one that owes entries (`mending`) shuts out older leaders like any other, but it
    is no witness. So either the best history of the others is not less than the lost one was, or
    they are so many that nothing was committed without one of them: `checks.discard_suffices`.
C5. To found an ensemble, all voters promise, and all of them are empty.
"""

from typing import ClassVar

from coord.consensus import checks
from coord.consensus.gathering import Gathering
from coord.consensus.messages import (
    Candidacy,
    Fetch,
    History,
    Message,
    Promise,
    Refusal,
    TakeOver,
)
from coord.consensus.role import Change, Core, Follow, Lead, Role, RoleName


class Candidate(Role):
    """A replica that stands in an epoch of its own."""

    name: ClassVar[RoleName] = RoleName.CANDIDATE

    def __init__(self, core: Core) -> None:
        self._core = core
        self.epoch = core.journal.promised
        self._give_up_ms = core.now_ms + core.draw_patience_ms()
        self._promises: dict[int, Promise] = {}
        self._has_own_promise = False
        self._best: tuple[int, Promise] | None = None
        self._gathering: Gathering | None = None
        self._schedule()
        self._candidacy = Candidacy(
            ensemble=core.membership.ensemble, epoch=self.epoch, birth=core.settings.birth
        )
        for peer in core.membership.other_voters:
            core.outbox.send_when_durable(peer, self._candidacy)

    def receive(self, sender: int, message: Message) -> Change | None:
        """Handle a message of the candidate's epoch."""
        match message:
            case Promise():
                return self._take_promise(sender, message)
            case History():
                return self._take_history(sender, message)
            case Refusal():
                self._core.see(message.promised)
                return self._give_up()
            case _:
                return None

    def stored(self) -> Change | None:
        """Count our own promise once it is durable (C1)."""
        if self._has_own_promise or self._core.journal.durable.promised != self.epoch:
            return None
        self._has_own_promise = True
        return self._evaluate()

    def tick(self) -> Change | None:
        """Ask again those who are silent; give up after the time of an election."""
        if self._core.now_ms < self.deadline_ms:
            return None
        if self._core.now_ms >= self._give_up_ms:
            return self._give_up()
        self._schedule()
        if self._best is not None:
            self._fetch()
        elif self._has_own_promise:
            for peer in self._core.membership.other_voters:
                self._ask_again(peer)
        return None

    def connected(self, peer: int, birth: int) -> None:  # noqa: ARG002 - its promise tells
        """Ask a voter that was out of reach."""
        self._ask_again(peer)

    def disconnected(self, peer: int) -> Change | None:
        """Give up when the one whose history we need is gone."""
        if self._best is not None and peer == self._best[0]:
            return self._give_up()
        return None

    def forgive_pause(self) -> None:
        """Read the inbox before giving up."""
        self._give_up_ms = max(
            self._give_up_ms, self._core.now_ms + 2 * self._core.settings.heartbeat_ms
        )

    def _schedule(self) -> None:
        resend_ms = self._core.now_ms + self._core.settings.heartbeat_ms
        self.deadline_ms = min(resend_ms, self._give_up_ms)

    def _ask_again(self, peer: int) -> None:
        is_voter = peer in self._core.membership.other_voters
        promise = self._promises.get(peer)
        if self._has_own_promise and is_voter and (promise is None or not promise.is_whole):
            self._core.outbox.send(peer, self._candidacy)

    def _give_up(self) -> Follow:
        heartbeat_ms = self._core.settings.heartbeat_ms
        return Follow(wait_ms=self._core.draw(heartbeat_ms // 2, 2 * heartbeat_ms))

    def _take_promise(self, sender: int, promise: Promise) -> Change | None:
        if not self._core.membership.counts(sender, promise.birth):
            return None
        known = self._promises.get(sender)
        if known is None or not known.is_whole:
            self._promises[sender] = promise
        return self._evaluate()

    def _evaluate(self) -> Change | None:
        """Lead, or fetch first, once the promises suffice (C2, C3, C4)."""
        membership = self._core.membership
        promises, own_id = dict(sorted(self._promises.items())), self._core.settings.id
        if self._best is not None or not self._has_own_promise:
            return None
        if not checks.promise_suffices(membership, {own_id, *promises}):
            return None
        ranks = {p: (m.current_epoch, m.last_index) for p, m in promises.items() if m.is_whole}
        lost = [(m.current_epoch, m.owed) for m in promises.values() if not m.is_whole]
        own = self._core.journal.rank
        if membership.is_founding and any(rank != (0, 0) for rank in (own, *ranks.values(), *lost)):
            return self._give_up()
        highest = max(own, *ranks.values()) if ranks else own
        may_be_greater = max(lost, default=highest) > highest
        if may_be_greater and not checks.discard_suffices(membership, {own_id, *ranks}):
            return None
        if own == highest:
            return self._lead()
        best = max(ranks, key=lambda peer: ranks[peer])
        self._best = (best, promises[best])
        self._fetch()
        return None

    def _fetch(self) -> None:
        if self._best is None:
            return
        marks = self._core.journal.marks()
        if self._gathering is not None:
            marks = (self._gathering.tip,)
        self._core.outbox.send(self._best[0], Fetch(self.epoch, marks))

    def _take_history(self, sender: int, message: History) -> Change | None:
        if self._best is None or sender != self._best[0]:
            return None
        if not message.entries and message.before.index < message.last_index:
            return self._yield_to(sender)
        if self._gathering is None:
            if not self._core.journal.holds(message.before):
                return None
            self._gathering = Gathering(message.before)
        reached = self._gathering.tip.index
        self._gathering.offer(message.before, message.entries)
        if self._gathering.tip.index == self._best[1].last_index:
            return self._lead()
        if self._gathering.size > self._core.settings.limits.history:
            return self._yield_to(sender)
        if self._gathering.tip.index > reached:
            self._fetch()
        return None

    def _yield_to(self, best: int) -> Follow:
        """Let the one stand whose history is too far from ours to be fetched."""
        self._core.outbox.send(best, TakeOver(self.epoch))
        return Follow(wait_ms=self._core.draw_patience_ms())

    def _lead(self) -> Lead:
        return Lead(self._gathering, dict(sorted(self._promises.items())))
