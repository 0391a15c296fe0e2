"""What clients saw, checked against the log as it was applied first anywhere.

20. The writes of one attachment are applied as its connection sent them: each once, in order, none
    left out, none that nobody sent; and none under an attachment that was overtaken.
21. The reply to a write tells what it did: its zxid, its error, its result.
22. Real time: a write sent after anybody saw zxid Z gets one above it; a sync answers with Z or
    more, and so does every later reply of that session.
23. A reply with zxid Z tells the state right after operation Z, no other one.
24. No session sees zxids go back, whichever replica serves it.
25. Watches, ordered: an event comes before any reply that shows its change, or a later state.
26. Watches, reliable: what is watched and changes is told, and told as what it was.
27. Watches, unique: a one-shot watch tells once, and only who watches is told.
28. Watches, resumable: setWatches tells what has changed since the zxid that it names.
29. A session lives T after the sending of each ping, write or sync that was answered, give or take
    what clocks drift.
30. Replies come in the order of requests.
31. At no time do two clients have reason to believe that they hold the lock.
32. In the end every replica holds the model's tree, and no session of a client that is gone.
"""

from typing import TYPE_CHECKING

from coord import jute
from coord.consensus.log import Entry, EntryKind
from coord.operations import batch
from coord.operations.internal import AttachRequest, ExpireRequest, Internal, ReapRequest
from coord.wire.numbers import OpCode
from tests.simulation.clock import MS
from tests.simulation.invariants import Violation, require
from tests.simulation.model import Model

if TYPE_CHECKING:
    from tests.simulation.sent import Request, Sent
    from tests.simulation.world import World

SESSION_EXPIRED, SESSION_MOVED = -112, -118
DRIFT_SHARE = 0.97
"""Of a timeout, so much is certain however clocks drift."""


class History:
    """The log as operations, the model that follows it, and the sessions."""

    def __init__(self, world: "World") -> None:
        self.model = Model()
        self.seen_zxid = 0
        """The greatest zxid that any client has seen."""
        self.sessions: dict[int, tuple[int, int]] = {}
        """Those that live: (attachment, timeout in ms)."""
        self.ended_us: dict[int, int] = {}
        """Those that expired: when that was applied first anywhere."""
        self.held_until_us: dict[int, int] = {}
        """By session: until when it may not expire, by what its client was told."""
        self._world = world
        self._origins: dict[int, tuple[int, int]] = {}
        self._last_session = 0
        self._writers: dict[tuple[int, int], Sent] = {}

    def _met(self, number: int) -> None:
        self._world.counts[f"premise {number}"] += 1

    def attached(self, session: int, attachment: int, sent: "Sent") -> None:
        """A replica has attached a connection."""
        self._writers[session, attachment] = sent

    # --------------------------------------------------------------------------- the log

    def apply(self, entry: Entry) -> None:
        """An entry was applied for the first time."""
        if entry.kind == EntryKind.CONFIGURATION:
            self.model.found()
            return
        if entry.kind != EntryKind.OPERATIONS:
            return
        payload, model = entry.payload, self.model
        model.time_ms = max(model.time_ms, batch.time_of(payload))
        for bundle in batch.bundles_of(payload):
            n, end = bundle.first, bundle.at
            while end < bundle.end:
                operation = batch.operation_at(payload, end)
                end = operation[-1]
                if self._is_next(bundle.replica, bundle.start, n):
                    model.zxid += 1
                    self._apply(payload, operation)
                else:
                    self._world.counts["write seen again"] += 1
                n += 1

    def _is_next(self, replica: int, start: int, n: int) -> bool:
        """Whether a write of an origin is applied; then it was."""
        known_start, last = self._origins.get(replica, (0, 0))
        if start < known_start or n != (last + 1 if start == known_start else 1):
            return False
        self._origins[replica] = start, n
        return True

    def _apply(self, payload: bytes, operation: batch.Operation) -> None:
        session, attachment, _identities, opcode, at, _end = operation
        if opcode in Internal.__members__.values():
            self._apply_internal(payload, opcode, at)
            return
        sent = self._writers.get((session, attachment))
        require(sent is not None, "20: a write of nobody is applied")
        assert sent is not None
        require(sent.applied < len(sent.writes), "20: a write is applied that was not sent")
        write = sent.writes[sent.applied]
        sent.applied += 1
        same = write.opcode == opcode and payload.startswith(write.body, at)
        if not same:
            raise Violation(f"20: not the next write of client {sent.client}: {write}")
        write.zxid = self.model.zxid
        self._met(20)
        known = self.sessions.get(session)
        if known is None:
            write.error = SESSION_EXPIRED
        elif known[0] != attachment:
            write.error = SESSION_MOVED
            self._world.counts["write refused under an old attachment"] += 1
        elif opcode == OpCode.CLOSE_SESSION:
            del self.sessions[session]
            self.model.end_session(session)
        else:
            outcome = self.model.apply(write.opcode, write.record, session)
            write.error, write.result = outcome

    def _apply_internal(self, payload: bytes, opcode: int, at: int) -> None:
        if opcode == Internal.ATTACH:
            self._attach(jute.decode(AttachRequest, payload, at)[0])
        elif opcode == Internal.EXPIRE:
            self._expire(jute.decode(ExpireRequest, payload, at)[0])
        else:
            reap = jute.decode(ReapRequest, payload, at)[0]
            self._world.counts["reap"] += 1
            self.model.reap(reap.path.decode(), reap.mzxid, reap.pzxid)

    def _attach(self, request: AttachRequest) -> None:
        session = request.session_id
        if session == 0:
            self._last_session += 1
            self.sessions[self._last_session] = (1, request.timeout_ms)
        elif session in self.sessions:
            self.sessions[session] = (self.sessions[session][0] + 1, request.timeout_ms)
            self._world.counts["session resumed"] += 1

    def _expire(self, request: ExpireRequest) -> None:
        session = request.session_id
        known = self.sessions.get(session)
        if known is None or known[0] != request.attachment:
            self._world.counts["expiry refused"] += 1
            return
        now_us = self._world.timeline.now
        self._world.counts["session expired"] += 1
        self._world.trace("expired", session)
        self.ended_us[session] = now_us
        self._check_expiry(session)
        del self.sessions[session]
        self.model.end_session(session)

    def _check_expiry(self, session: int) -> None:
        held_until_us = self.held_until_us.get(session)
        if held_until_us is None:
            return
        ended_us = self.ended_us[session]
        require(
            ended_us >= held_until_us,
            f"29: session {session} expired {held_until_us - ended_us} us too early",
        )
        self._met(29)

    # ------------------------------------------------------------------- what clients are told

    def seen(self, zxid: int) -> None:
        """A client was told of a state."""
        self.seen_zxid = max(self.seen_zxid, zxid)

    def answered(self, session: int, request: "Request", timeout_ms: int) -> None:
        """A ping, a write or a sync was answered: the session is held from its sending on."""
        until_us = request.sent_us + int(timeout_ms * MS * DRIFT_SHARE)
        if until_us > self.held_until_us.get(session, 0):
            self.held_until_us[session] = until_us
            if session in self.ended_us:
                self._check_expiry(session)

    def check_write(self, request: "Request", zxid: int, error: int, body: bytes) -> None:
        """A write was answered."""
        require(request.zxid > 0, "21: a write is answered that was never applied")
        told = (zxid, error, body)
        expected = (request.zxid, request.error, request.result)
        if told != expected:
            raise Violation(f"21: {request} was answered with {told}, not {expected}")
        require(zxid > request.floor, "22: a write is older than what was seen before it")
        self._met(21)
        self._met(22)
