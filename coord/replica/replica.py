"""One replica: consensus, state machine, clients and links joined. Synchronous, without I/O.

The driver calls the verbs below when something has happened and `advance` after each batch of
happenings; `advance` does all that follows and hands the rest to `Outside`:

    bytes -> Clients -> Origin -> (Forward ->) leader's waiting bundles -> Node.propose
          -> persist, send -> committed -> StateMachine.apply -> Clients -> bytes

Rules:

1. Only what `stored` confirmed is promised to others: see `promises`.
2. The state machine applies committed entries only, in order, each once.
3. Origin bundles go to a leader that is established; a new one gets all that is not applied.
4. A state that is found to be wrong (see `census`), or damaged, is not served any more: the driver
   begins anew without one, see `reload`.
"""

from collections.abc import Callable
from typing import Any, Final

from coord.consensus.effects import Effects, InstalledSnapshot, SendSnapshot
from coord.consensus.log import Entry, EntryKind, Point, point_of
from coord.consensus.node import Node
from coord.operations.batch import count_in, is_bundle
from coord.operations.machine import StateMachine
from coord.replica.batches import Batches
from coord.replica.clients import Clients
from coord.replica.gathering import PLENTY, Gathering
from coord.replica.links import Link, Links
from coord.replica.messages import (
    BarrierReply,
    BarrierRequest,
    Echo,
    Forward,
    PeerMessageError,
    Refusal,
    Report,
    decode,
    encode,
)
from coord.replica.outside import Outside, Setup
from coord.replica.promises import Promises
from coord.replica.reload import Reload
from coord.replica.sessions import Sessions
from coord.replica.transfers import TRANSFER_MESSAGES, Transfers

IN_FLIGHT_MAX: Final = 1
"""Entries proposed and not committed: while one is on its way the next one gathers."""


class Replica:
    """See the module."""

    def __init__(
        self,
        node: Node,
        clients: Clients,
        links: Links,
        transfers: Transfers,
        outside: Outside,
        setup: Setup,
    ) -> None:
        self.node = node
        self.clients = clients
        self.links = links
        self.transfers = transfers
        self.outside = outside
        self.setup = setup
        self.now_ms = 0
        self.applied = setup.applied
        self.configuration = setup.configuration
        self.sessions = Sessions(node, clients, setup.tick_ms // 2, outside.warn)
        self.reload = Reload(node, links, transfers)
        if setup.lacks_state:
            self.reload.begin()
        self._batches = Batches()
        self._promises = Promises(links)
        self._leading_to: tuple[int, int] = (0, 0)
        self._reported_ms = 0
        self._gathering = Gathering()
        self.is_gathering = False
        """Writes wait for others to join them: `advance` is due again within a millisecond."""
        self._forward_now = False
        self._forwarded_ms = 0
        self._awaited = 0
        """The oldest write that was not applied at the last look."""
        self._receivers: dict[type, Callable[[int, Any], None]] = {
            Forward: self._forwarded,
            Report: self._reported,
            Echo: self._echoed,
            BarrierRequest: self._barrier_asked,
            BarrierReply: self._barrier_answered,
        }

    @property
    def id(self) -> int:
        """This replica's id."""
        return self.clients.origin.replica

    @property
    def machine(self) -> StateMachine:
        """The state as applied."""
        return self.clients.machine

    # -------------------------------------------------------------------------- what happens

    def wake(self, now_ms: int) -> None:
        """The driver has woken up at this time of its monotonic clock; call it before all else."""
        if now_ms != self.now_ms:
            self.now_ms = now_ms
            self.clients.now_ms = now_ms
            self.node.tick(now_ms)

    def linked(self, link: Link) -> None:
        """A link has become ready."""
        before = self.links.ready.get(link.peer)
        self.links.ready[link.peer] = link
        if before is not None:
            before.transport.close()
            self.node.disconnected(link.peer)
            self.transfers.peer_lost(link.peer)
        self.sessions.link_renewed(link.peer)
        self.node.connected(link.peer, link.birth)
        if link.peer == self.node.leader:
            self._send_all_again()

    def unlinked(self, link: Link) -> None:
        """A link's socket is gone."""
        if self.links.lost(link):
            self.node.disconnected(link.peer)
            self.transfers.peer_lost(link.peer)

    def received(self, link: Link, frame: bytes) -> None:
        """A frame has come from another replica; raises PeerMessageError when it is none."""
        message = decode(frame)
        if not link.ready:
            ready = self.links.greeted(link, message)
            if ready is not None:
                self.linked(ready)
            return
        if self.links.ready.get(link.peer) is not link:
            return
        receiver = self._receivers.get(type(message))
        if receiver is not None:
            receiver(link.peer, message)
        elif isinstance(message, TRANSFER_MESSAGES):
            self.transfers.received(link.peer, message)
        elif frame[0] < 128:
            self.links.heard(link, message)
            self.node.receive(link.peer, message)
        elif isinstance(message, Refusal):
            self.links.refused(link, message)
        else:
            raise PeerMessageError(f"a {type(message).__name__} has no place here")

    def stored(self, number: int) -> None:
        """The persists up to this number are durable."""
        self._forward_now = True
        self.node.stored(number)
        self._promises.stored(number)

    def tick(self, *, was_away: bool) -> None:
        """Time has passed; at least every half heartbeat, after all waiting input was handled.

        `was_away`: this process did not run for a while (it was stopped, or the machine was).
        """
        if was_away:
            self.sessions.was_away()
        if self.now_ms - self._reported_ms >= self.setup.heartbeat_ms:
            self._reported_ms = self.now_ms
            self._report()
        if self.reload.is_needed:
            self._go_on_reloading()
        self.clients.tick()
        self.sessions.tick(self.outside.wall_ms)
        self._send_lost_again()

    def advance(self) -> None:
        """Do all that follows from what has happened."""
        while True:
            self._note_leader()
            self._propose()
            self._ask_barrier()
            effects = self.node.take_effects()
            if not effects:
                break
            self._carry_out(effects)
        if self.clients.pauses.are_due:
            self.clients.pauses.go_on()

    # ------------------------------------------------------------------------------ consensus

    def _carry_out(self, effects: Effects) -> None:
        """Do what the node asks, in the order that `consensus.effects` fixes."""
        self._promises.send(effects)
        if effects.persist:
            self.outside.persist(effects.persist)
        if effects.install is not None:
            self._install(effects.install)
        if not self.reload.is_needed:
            for entry in effects.apply:
                self._apply(entry)
        for token, index in effects.confirmed:
            self._barrier_confirmed(token, index)
        for snapshot in effects.snapshots:
            self._send_snapshot(snapshot)
        for name in effects.discard:
            self.transfers.discard(name)
        if effects.apply or effects.confirmed:
            for slot, body in self.clients.barriers.passed(self.applied.index):
                self.clients.barrier_passed(slot, body)

    def _apply(self, entry: Entry) -> None:
        assert entry.index == self.applied.index + 1, "entries are applied in order, each once"
        if entry.kind == EntryKind.OPERATIONS:
            before = self.clients.origin.first_pending
            self.machine.apply(entry.payload, self.clients)
            self._note_answers(self.clients.origin.first_pending - before)
        elif entry.kind == EntryKind.CONFIGURATION:
            self.configuration = entry.payload
            self.machine.configure(entry.payload, 0, self.clients)
            self.outside.configured()
        self.applied = point_of(entry)
        self.outside.applied(entry.index, len(entry.payload))
        self.sessions.applied(entry.index)

    def _note_answers(self, own: int) -> None:
        """So many writes of this replica's clients were answered; the leader counts all."""
        waiting = self.clients.origin.unsent + self._batches.operations
        count = self._batches.entry_operations if self._leading_to[0] == self.id else own
        self._gathering.answered(count, waiting, self.now_ms, foreign=count - own)

    def _install(self, snapshot: InstalledSnapshot) -> None:
        """A snapshot replaces the tree: clients re-attach, for a jump would swallow events."""
        self.clients.close_all()
        self.transfers.give_up_receiving()
        self.clients.machine = self.outside.install()
        self.clients.origin.forget(*self.machine.origin(self.id))
        self.applied = Point(snapshot.index, snapshot.epoch, snapshot.chain)
        self.configuration = snapshot.configuration.encode()
        self.sessions.installed(snapshot.index)
        self.reload.end()

    def _go_on_reloading(self) -> None:
        """Nobody is served meanwhile: clients go elsewhere; then all after the tree is applied."""
        self.clients.admission.suspend(self.now_ms)
        snapshot = self.reload.tick(self.now_ms, self._leading_to[0])
        if snapshot is not None:
            self.outside.name_tree(snapshot.name)
            self._install(snapshot)
            self.node.reapply_after(snapshot)

    def _note_leader(self) -> None:
        """Begin and end what belongs to one leader's term."""
        node = self.node
        leading_to = (node.leader or 0, node.epoch) if node.established else (0, 0)
        if leading_to == self._leading_to:
            return
        self._leading_to = leading_to
        self._batches.clear()
        self.sessions.new_term(leads=leading_to[0] == self.id)
        if leading_to[0]:
            self._send_all_again()
            self._report()

    def _send_all_again(self) -> None:
        self.clients.origin.send_again()
        self.clients.barriers.ask_again()
        self._forward_now = True
        self._forwarded_ms = self.now_ms

    def _send_lost_again(self) -> None:
        """A message may be lost without a sign: after a while send again what is unanswered."""
        origin, barriers = self.clients.origin, self.clients.barriers
        since_ms = self.now_ms - 2 * self.setup.election_ms
        if not origin.pending or origin.first_pending != self._awaited:
            self._awaited = origin.first_pending
            self._forwarded_ms = self.now_ms
        elif self._forwarded_ms < since_ms:
            origin.send_again()
            self._forward_now = True
            self._forwarded_ms = self.now_ms
        if barriers.outstanding and barriers.sent_ms < since_ms:
            barriers.ask_again()

    # --------------------------------------------------------------------------------- writes

    def _propose(self) -> None:
        self.is_gathering = False
        leader = self._leading_to[0]
        if not leader:
            return
        origin = self.clients.origin
        if leader != self.id:
            self._forward(leader)
            return
        node, batches = self.node, self._batches
        while node.can_propose and node.last_index - node.commit_index < IN_FLIGHT_MAX:
            waiting = batches.operations + origin.unsent
            if not waiting or not self._gathered(waiting):
                return
            if (bundle := origin.take_bundle()) is not None:
                batches.add(bundle, count_in(bundle))
            node.propose(batches.take_entry(self.outside.wall_ms()))

    def _forward(self, leader: int) -> None:
        """Give the leader what it has not had, together with the ack of the entry under way.

        While an entry is under way the leader proposes no other one: more messages before that
        would only wake it up.
        """
        node, origin = self.node, self.clients.origin
        if not origin.unsent:
            return
        is_under_way = node.last_index > node.commit_index
        if not self._forward_now and (is_under_way or not self._gathered(origin.unsent)):
            return
        self._forward_now = False
        while (bundle := origin.take_bundle()) is not None:
            self.links.send(leader, encode(Forward(bundle)))

    def _gathered(self, waiting: int) -> bool:
        """Whether so many writes are enough to be sent on; what can be answered goes first."""
        if waiting < PLENTY and self.node.commit_index > self.applied.index:
            return False
        self.is_gathering = not self._gathering.suffices(waiting, self.now_ms)
        return not self.is_gathering

    def _forwarded(self, peer: int, message: Forward) -> None:
        bundle = message.bundle or b""
        if not is_bundle(bundle, peer):
            raise PeerMessageError("a Forward without a bundle of its sender")
        if self._leading_to[0] == self.id:
            self._batches.add(bundle, count_in(bundle))

    # ------------------------------------------------------------------- leases and expiry

    def _report(self) -> None:
        """Tell the leader which sessions were heard; the leader tells itself."""
        leader = self._leading_to[0]
        if not leader:
            return
        report = self.sessions.take_report()
        if leader == self.id:
            self._reported(self.id, report)
        else:
            self.links.send(leader, encode(report))

    def _reported(self, peer: int, message: Report) -> None:
        echo = self.sessions.reported(peer, message)
        if echo is None:
            return
        if peer == self.id:
            self.sessions.echoed(echo)
        else:
            self.links.send(peer, encode(echo))

    def _echoed(self, peer: int, message: Echo) -> None:
        if peer == self._leading_to[0] and not self.reload.is_needed:
            self.sessions.echoed(message)

    # -------------------------------------------------------------------------- read barriers

    def _ask_barrier(self) -> None:
        leader = self._leading_to[0]
        if not leader:
            return
        token = self.clients.barriers.ask(self.now_ms)
        if token is None:
            return
        if leader == self.id:
            self.node.barrier(_barrier_token(self.id, token))
        else:
            self.links.send(leader, encode(BarrierRequest(token)))

    def _barrier_asked(self, peer: int, message: BarrierRequest) -> None:
        # A message just before this one may have ended the term; who leads now is asked again.
        if self.node.established and self.node.leader == self.id:
            self.node.barrier(_barrier_token(peer, message.token))

    def _barrier_confirmed(self, token: int, index: int) -> None:
        peer, number = token & 0xFF, token >> 8
        if peer == self.id:
            self.clients.barriers.confirmed(number, index)
        else:
            self.links.send(peer, encode(BarrierReply(number, index)))

    def _barrier_answered(self, peer: int, message: BarrierReply) -> None:
        if peer == self._leading_to[0]:
            self.clients.barriers.confirmed(message.token, message.index)
            for slot, body in self.clients.barriers.passed(self.applied.index):
                self.clients.barrier_passed(slot, body)

    def _send_snapshot(self, request: SendSnapshot) -> None:
        self.transfers.send(request.peer, request.epoch)


def _barrier_token(peer: int, number: int) -> int:
    return number << 8 | peer
