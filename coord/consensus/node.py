"""Node: one replica's part in the agreement on a log. Pure: the driver brings time and chance.

Here is what holds in every role, and every change of role:

N1. A message of an epoch is handled by the role of that epoch; an older epoch's is refused, and the
    promise to a later one ends the role, before anything else.
N2. Only the owner of an epoch is heard as its candidate or leader.
N3. Entries are handed out for applying in order, each once, committed, and never while a snapshot
    is on its way to the disk. After `reapply_after` it is another state that they are for.
"""

from collections.abc import Callable

from coord.consensus import checks
from coord.consensus.candidate import Candidate
from coord.consensus.effects import NOTHING, Effects, InstalledSnapshot
from coord.consensus.epochs import epoch_above
from coord.consensus.follower import Follower
from coord.consensus.invariants import require
from coord.consensus.journal import Journal
from coord.consensus.leader import Leader
from coord.consensus.log import Entry, LogReader
from coord.consensus.mending import Mending
from coord.consensus.messages import (
    Ack,
    Alive,
    Candidacy,
    Canvass,
    CanvassReply,
    Commit,
    Fetch,
    Found,
    Heartbeat,
    History,
    Lost,
    Message,
    Promise,
    Propose,
    Refusal,
    TakeOver,
)
from coord.consensus.recovered import Recovered
from coord.consensus.role import Change, Core, Follow, Lead, Role, Stand
from coord.consensus.settings import NodeSettings
from coord.consensus.view import View


class NotLeading(Exception):  # noqa: N818 - a state, not a fault
    """The replica is not an established leader, or is handing over: ask the one that is."""


class Backlogged(Exception):  # noqa: N818 - a state, not a fault
    """Too many bytes are proposed and not committed or stored: propose again after that."""


class Node(View):
    """The consensus state machine of one replica.

    The driver calls a verb for each input, then `take_effects` until the answer is empty. It calls
    `tick` when `deadline_ms` is reached, and before any other verb when time has passed.
    """

    def __init__(
        self,
        settings: NodeSettings,
        recovered: Recovered,
        log: LogReader,
        draw: Callable[[int, int], int],
        now_ms: int,
    ) -> None:
        """`draw(low, high)` returns a random number of that range, both ends included."""
        self._settings = settings
        self._journal = Journal(recovered, log, settings.limits.tail)
        self._core = Core(settings, self._journal, draw, now_ms)
        self._mending = Mending(self._core)
        self._outbox = self._core.outbox
        self._applied_index = recovered.applied_index
        self._install: InstalledSnapshot | None = None
        is_alone = self._core.membership.voters == (settings.id,)
        wait_ms = 0 if is_alone else draw(settings.heartbeat_ms // 2, settings.heartbeat_ms)
        self._role: Role = Follower(self._core, wait_ms)

    @property
    def deadline_ms(self) -> int:
        """When to call `tick`, if nothing else happens before."""
        return min(self._role.deadline_ms, self._mending.deadline_ms)

    # Verbs

    def tick(self, now_ms: int) -> None:
        """Take note of the time, which is monotonic."""
        core = self._core
        passed_ms = now_ms - core.now_ms
        core.now_ms = now_ms
        if passed_ms > self._settings.election_ms // 2:
            self._role.forgive_pause()
        self._mending.tick()
        self._change(self._role.tick())

    def receive(self, sender: int, message: Message) -> None:
        """Handle a message from a peer."""
        match message:
            case Propose() | Commit() | Fetch() | TakeOver():
                if message.epoch == self._role.epoch and checks.owns_epoch(sender, message.epoch):
                    self._change(self._role.receive(sender, message))
            case Ack() | Alive() | Promise() | History() | Refusal():
                if message.epoch == self._role.epoch:
                    self._change(self._role.receive(sender, message))
            case Heartbeat() | Candidacy():
                self._hear_epoch(sender, message)
            case Canvass():
                self._answer_canvass(sender, message)
            case CanvassReply():
                self._change(self._role.receive(sender, message))
            case Lost() | Found():
                self._mending.receive(sender, message)

    def connected(self, peer: int, birth: int) -> None:
        """Take note of a new connection with a peer, whose disk has this birth number."""
        self._role.connected(peer, birth)

    def disconnected(self, peer: int) -> None:
        """Take note that the connection with a peer is gone: if it leads, an election begins."""
        self._change(self._role.disconnected(peer))

    def propose(self, payload: bytes) -> int:
        """Append a batch of operations and return its index."""
        role = self._role
        if not isinstance(role, Leader) or not role.accepts:
            raise NotLeading
        if not role.has_room:
            raise Backlogged
        return role.propose(payload)

    def barrier(self, token: int) -> None:
        """Ask that this replica's leadership be confirmed after now.

        The token comes back in `Effects.confirmed` or, when it does not lead or leads no more, in
        `Effects.failed`.
        """
        if isinstance(self._role, Leader) and self._role.is_established:
            self._role.barrier(token)
        else:
            self._outbox.failed.append(token)

    def resign(self) -> None:
        """Hand the leadership over to the most caught-up voter, if this replica has it."""
        if isinstance(self._role, Leader):
            self._role.resign()

    def stored(self, number: int) -> None:
        """Take note that a Persist, and all before it, is durable."""
        installed = self._journal.stored(number)
        if installed is not None:
            self._install = installed
            self._applied_index = max(self._applied_index, installed.index)
        self._change(self._role.stored())

    def snapshot_received(self, snapshot: InstalledSnapshot) -> None:
        """Take note of a whole, synced tree that the leader sent."""
        if not self._role.take_snapshot(snapshot):
            self._outbox.discard.append(snapshot.name)

    def transfer_ended(self, peer: int) -> None:
        """Take note that the stream begun for SendSnapshot is over, whole or not."""
        if isinstance(self._role, Leader):
            self._role.transfer_ended(peer)

    def abstain(self, *, abstains: bool) -> None:
        """Do not stand in elections: the state is not to be trusted, so this replica cannot lead.

        It goes on to promise, to store and to acknowledge: all that rests on the log alone.
        """
        self._core.abstains = abstains

    def reapply_after(self, snapshot: InstalledSnapshot) -> None:
        """Hand out again what follows a snapshot that took the place of the state.

        The log stays as it is: `has_stored` was true just now.
        """
        require(self.has_stored(snapshot), "N3: what is handed out again is in the log")
        self._applied_index = snapshot.index

    def take_effects(self) -> Effects:
        """Return what is to be done; empty when nothing is left."""
        self._role.flush()
        journal, outbox = self._journal, self._outbox
        persist = journal.collect()
        apply = self._take_committed()
        if persist is None and not apply and self._install is None and outbox.is_empty:
            return NOTHING
        sends = outbox.sends
        durable_sends: list[tuple[int, int, Message]] = []
        for peer, message in outbox.durable_sends:
            if journal.number == journal.stored_number:
                sends.append((peer, message))
            else:
                durable_sends.append((journal.number, peer, message))
        effects = Effects(
            persist=() if persist is None else (persist,),
            send=tuple(sends),
            send_when_stored=tuple(durable_sends),
            install=self._install,
            apply=apply,
            confirmed=tuple(outbox.confirmed),
            failed=tuple(outbox.failed),
            snapshots=tuple(outbox.snapshots),
            discard=tuple(outbox.discard),
        )
        self._install = None
        self._outbox.clear()
        return effects

    # Epochs and roles

    def _hear_epoch(self, sender: int, message: Heartbeat | Candidacy) -> None:
        """Refuse an epoch that is over; promise one that is new; then let the role answer."""
        core = self._core
        epoch = message.epoch
        if not checks.owns_epoch(sender, epoch) or not self._is_for_us(message.ensemble):
            return
        if epoch < self._journal.promised:
            self._outbox.send(sender, Refusal(epoch, self._journal.promised))
            return
        if isinstance(message, Candidacy) and not core.membership.counts(sender, message.birth):
            return
        if epoch > self._journal.promised:
            self._journal.promise(epoch)
            self._take_role(Follower(core, core.draw_patience_ms()))
        self._change(self._role.receive(sender, message))

    def _answer_canvass(self, sender: int, message: Canvass) -> None:
        is_for_us = self._is_for_us(message.ensemble)
        if not is_for_us or not self._core.membership.counts(sender, message.birth):
            return
        is_called = message.succeeds == self._role.epoch > 0
        has_more = message.empty and (self._journal.last.index > 0 or self.owes)
        reply = CanvassReply(
            nonce=message.nonce,
            birth=self._settings.birth,
            granted=(is_called or not self._role.hears_leader) and not has_more,
            promised=self._journal.promised,
        )
        self._outbox.send(sender, reply)

    def _is_for_us(self, ensemble: int) -> bool:
        """Tell whether a message is not another ensemble's.

        A replica that does not count may hold the first entry of a founding that failed.
        """
        membership = self._core.membership
        is_bound = membership.is_voter or self._journal.commit_index > 0
        return not is_bound or membership.knows(ensemble)

    def _change(self, change: Change | None) -> None:
        """Make the change of role that a role asks for."""
        core = self._core
        match change:
            case None:
                return
            case Follow():
                self._take_role(Follower(core, change.wait_ms))
            case Stand():
                self._journal.promise(
                    epoch_above(max(self._journal.promised, core.seen_epoch), self._settings.id)
                )
                self._take_role(Candidate(core))
            case Lead():
                self._take_role(Leader(core, change))

    def _take_role(self, role: Role) -> None:
        self._role.leave()
        self._role = role

    def _take_committed(self) -> tuple[Entry, ...]:
        """Hand out what is committed and not yet applied (N3)."""
        journal = self._journal
        first = self._applied_index + 1
        if first > journal.commit_index or journal.is_installing:
            return ()
        entries = journal.entries(first, journal.commit_index, self._settings.limits.apply)
        require(entries[0].index == first, "N3: entries are applied in order, each once")
        self._applied_index = entries[-1].index
        return entries
