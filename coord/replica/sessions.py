"""Which sessions live: what every replica reports, and what the leader makes of it.

See `leases` for when pings are answered, and `expiry` for when a session is overdue. The leader
reports to itself, by the same rules. It also looks for containers and TTL nodes to be reaped.
"""

from collections.abc import Callable
from typing import Final

from coord import jute
from coord.consensus import checks
from coord.consensus.node import Node
from coord.operations.batch import encode_operation, encode_request, operation_head
from coord.operations.internal import ExpireRequest, Internal, ReapRequest
from coord.replica.census import Census
from coord.replica.clients import Clients
from coord.replica.expiry import Expiry
from coord.replica.messages import Echo, Report

REAP_EVERY_MS: Final = 1000
"""Between two looks for containers and TTL nodes whose time has come."""
REAPED_AT_ONCE: Final = 1000
"""Of those, so many in one look."""
NO_SESSION: Final = operation_head(0, 0, ())
DIGESTS_KEPT: Final = 4096
"""Entries whose digest is remembered, to be compared with the leader's."""


class StateDiffersError(Exception):
    """The applied state is not the leader's: this replica must not serve it."""


class Sessions:
    """One replica's reports and, while it leads, its watch over all sessions."""

    def __init__(
        self, node: Node, clients: Clients, lease_ms: int, warn: Callable[[str], None]
    ) -> None:
        self._node = node
        self._warn = warn
        self._clients = clients
        self._lease_ms = lease_ms
        self._expiry: Expiry | None = None
        self._digests: dict[int, int] = {}
        self._applied_index = 0
        self._reaped_ms = 0
        self._unechoed: dict[int, int] = {}
        """Session -> when the first report that shows it was sent, until the leader echoes that."""
        self._term_began_ms = 0
        self._reports: dict[int, tuple[int, Report]] = {}
        """Leader: when each replica was heard last, and with what."""
        self._census = Census()

    def applied(self, index: int) -> None:
        """An entry was applied: remember the digest of the state after it."""
        self._applied_index = index
        self._digests[index] = self._clients.machine.digest
        self._digests.pop(index - DIGESTS_KEPT, None)

    def installed(self, index: int) -> None:
        """The state is another one now."""
        self._applied_index = index
        self._digests.clear()

    def new_term(self, *, leads: bool) -> None:
        """There is another leader: this replica, or not."""
        self._expiry = Expiry(self._clients.now_ms, self._lease_ms) if leads else None
        self._clients.resumed.clear()
        self._term_began_ms = self._clients.now_ms
        self._reports.clear()
        self._census = Census()

    def link_renewed(self, peer: int) -> None:
        """A peer's clock may have begun anew, and its state may be another one."""
        self._census.forget(peer)
        if self._expiry is not None:
            self._expiry.restarted(peer)

    def was_away(self) -> None:
        """This process did not run for a while."""
        if self._expiry is not None:
            self._expiry.was_away(self._clients.now_ms)

    def take_report(self) -> Report:
        """The report that is due.

        It shows the sessions heard since the one before, and again those of reports that were not
        echoed: they may be lost, and then a session would be overdue too early.
        """
        clients = self._clients
        for session in clients.touched:
            self._unechoed.setdefault(session, clients.now_ms)
        clients.touched.clear()
        return Report(
            clients.now_ms,
            tuple(self._unechoed),
            index=self._applied_index,
            digest=_signed(clients.machine.digest),
            is_short=clients.room.is_short,
        )

    def reported(self, peer: int, report: Report) -> Echo | None:
        """Leader: a report has come; the echo to send back, if this leader is confirmed.

        Raises StateDiffersError when it is the leader whose state is wrong.
        """
        if self._expiry is None:
            return None
        now_ms = self._clients.now_ms
        self._expiry.reported(peer, report.sent_ms, report.sessions or (), now_ms)
        self._reports[peer] = now_ms, report
        self._compare(peer, report)
        if self._node.contact_ms < now_ms - self._lease_ms:
            return None
        return Echo(
            report.sent_ms,
            differs_at=self._census.wrong.get(peer, 0),
            is_short=self._is_ensemble_short(now_ms),
        )

    def _compare(self, peer: int, report: Report) -> None:
        """Compare a reported state with the leader's own."""
        now_ms, own = self._clients.now_ms, self._digests.get(report.index)
        if peer == self._clients.origin.replica:
            return
        if not report.index:
            self._census.forget(peer)
        elif own is not None:
            agrees = _signed(own) == report.digest
            self._census.compared(peer, report.index, agrees=agrees)
        in_contact = {
            other
            for other, (at_ms, last) in self._reports.items()
            if at_ms >= now_ms - self._lease_ms and last.index
        }
        in_contact.discard(self._clients.origin.replica)
        if index := self._census.judge(in_contact, now_ms):
            raise StateDiffersError(
                f"the state of replica {self._clients.origin.replica}, the leader, differs from "
                f"those of most others after entry {index}"
            )

    def _is_ensemble_short(self, now_ms: int) -> bool:
        """Whether the disks that are not short, of voters heard lately, are too few to commit on.

        In a new term, all have been heard. That some are silent is no matter of disks.
        """
        since_ms = now_ms - self._lease_ms
        short = 0
        with_room: set[int] = set()
        for voter in self._node.membership.voters:
            at_ms, report = self._reports.get(voter, (self._term_began_ms, None))
            if at_ms < since_ms:
                continue
            if report is not None and report.is_short:
                short += 1
            else:
                with_room.add(voter)
        return short > 0 and not checks.has_room(self._node.membership, with_room)

    def echoed(self, echo: Echo) -> None:
        """The leader has given a report back; raises StateDiffersError."""
        self._clients.lease.echo(echo.sent_ms)
        if news := self._clients.room.told(is_ensemble_short=echo.is_short):
            self._warn(news)
        self._unechoed = {
            session: first_ms
            for session, first_ms in self._unechoed.items()
            if first_ms > echo.sent_ms
        }
        if echo.differs_at:
            raise StateDiffersError(
                f"the state of replica {self._clients.origin.replica} differs from the leader's "
                f"after entry {echo.differs_at}"
            )

    def tick(self, wall_ms: Callable[[], int]) -> None:
        """Leader: expire what is overdue, reap what is due."""
        expiry = self._expiry
        if expiry is None:
            self._clients.over.clear()
            self._clients.resumed.clear()
            return
        now_ms, machine = self._clients.now_ms, self._clients.machine
        self._watch_all(expiry)
        for session in expiry.overdue(now_ms):
            known = machine.session(session)
            if known is None:
                expiry.ended(session)
            else:
                self._submit(Internal.EXPIRE, ExpireRequest(session, known.attachment))
        if now_ms - self._reaped_ms >= REAP_EVERY_MS:
            self._reaped_ms = now_ms
            for path, mzxid, pzxid in machine.reapable(wall_ms(), REAPED_AT_ONCE):
                self._submit(Internal.REAP, ReapRequest(path, mzxid, pzxid))

    def _watch_all(self, expiry: Expiry) -> None:
        """Let the expiry know of sessions that began, moved or ended."""
        machine = self._clients.machine
        over, self._clients.over = self._clients.over, set()
        for session in over:
            expiry.ended(session)
        renewed, self._clients.resumed = self._clients.resumed, set()
        if len(expiry) != machine.session_count:
            renewed.update(session for session in machine.sessions() if session not in expiry)
        for session in renewed:
            known = machine.session(session)
            if known is not None:
                expiry.attached(session, known.timeout_ms, 0, self._clients.now_ms)

    def _submit(self, opcode: Internal, request: object) -> None:
        """An operation of the leader itself: nobody waits for its reply."""
        operation = encode_operation(NO_SESSION, encode_request(opcode, jute.encode(request)))
        self._clients.origin.add(operation, None)


def _signed(digest: int) -> int:
    return digest - (1 << 64) if digest >> 63 else digest
