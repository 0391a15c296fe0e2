"""A simulated client: a session over changing connections, by ZooKeeper's wire protocol."""

from collections import deque
from typing import TYPE_CHECKING

from coord import jute
from coord.wire.connection import ClientConnection, Notification, Reply
from coord.wire.numbers import OpCode, Xid
from coord.wire.records import ConnectRequest, ConnectResponse
from coord.wire.requests import SetWatchesRequest
from tests.simulation.answers import check_read
from tests.simulation.clock import MS
from tests.simulation.history import DRIFT_SHARE
from tests.simulation.invariants import Violation, require
from tests.simulation.pipe import Pipe
from tests.simulation.sent import Request, Sent
from tests.simulation.watches import Watches

if TYPE_CHECKING:
    from tests.simulation.world import World

WATCHING = {OpCode.GET_DATA: "data", OpCode.EXISTS: "data", OpCode.GET_CHILDREN2: "child"}
HOLDING = frozenset({OpCode.PING, OpCode.SYNC})
"""Besides writes: requests whose answers show that the session lives."""


class Client:
    """One client; it works until it is told to rest, or dies."""

    def __init__(self, world: "World", number: int) -> None:
        self.number = number
        self.is_working = True
        self.is_dead = False
        self.answered = 0
        """Requests answered, pings and setWatches aside."""
        self._world = world
        self._pipe: Pipe | None = None
        self._protocol = ClientConnection()
        self._is_open = False
        self._sent = Sent(number)
        self._outstanding: deque[Request] = deque()
        self._pings: deque[Request] = deque()
        self._xid = 0
        self._heard_us = self._spoke_us = 0
        self.pace = world.random.choice((1, 1, 1, 30))
        """Some think long: their sessions live by pings."""
        self._away_until = 0
        self._new_session()
        self._timer()
        self._work()

    def _new_session(self) -> None:
        world = self._world
        self.session = 0
        self._password = bytes(16)
        self._asked_ms = world.plan.tick_ms * world.random.choice((2, 2, 3, 5))
        self._timeout_ms = self._asked_ms
        self._zxid = 0
        self.watches = Watches(world.history.model, world.counts)
        self.holds_lock = False
        self._held_until_us = 0

    @property
    def is_connected(self) -> bool:
        """It has a session, over a connection that is open."""
        return self._is_open

    @property
    def is_idle(self) -> bool:
        """Nothing that it asked for is open."""
        return self._is_open and not self._outstanding

    def believes_in_lock(self, now_us: int) -> bool:
        """Whether it may act as the holder of the lock."""
        return self.holds_lock and not self.is_dead and now_us < self._held_until_us

    # ------------------------------------------------------------------------- connections

    def _connect(self) -> None:
        world = self._world
        running = [p for p in world.processes.values() if p.life is not None]
        if not running:
            return
        process = world.random.choice(running)
        assert process.life is not None
        self._sent = Sent(self.number)
        world.pipes_made += 1
        self._pipe = world.pipe_class(self, process.life, world.pipes_made, self._sent)
        self._protocol = ClientConnection()
        self._outstanding.clear()
        self._pings.clear()
        self._heard_us = world.timeline.now
        world.trace("client", self.number, "connects to", process.id, self.session)
        self._pipe.send(
            self._protocol.connect_frame(
                ConnectRequest(0, self._zxid, self._asked_ms, self.session, self._password)
            )
        )

    def disconnected(self, pipe: Pipe) -> None:
        """The other side has closed the connection."""
        if self._pipe is pipe:
            self._drop(is_silent=False)

    def cut(self) -> None:
        """The network breaks the connection."""
        if self._pipe is not None:
            self._world.counts["fault client cut"] += 1
            self._drop(is_silent=self._world.chance(0.3))

    def die(self) -> None:
        """The client is gone, without a word."""
        self._world.trace("client", self.number, "dies")
        self.is_dead = True
        if self._pipe is not None:
            self._drop(is_silent=self._world.chance(0.5))

    def _drop(self, *, is_silent: bool) -> None:
        pipe, self._pipe = self._pipe, None
        self._is_open = False
        if pipe is not None:
            pipe.close(is_silent=is_silent)
        if self.is_working and self._world.chance(0.1):
            away_us = self._world.random.randrange(2 * self._timeout_ms * MS)
            self._away_until = self._world.timeline.now + away_us
        self.watches.lost()
        self._world.counts["request lost"] += len(self._outstanding)
        self._outstanding.clear()

    def _timer(self) -> None:
        """Connect, ping, give up a silent connection."""
        if self.is_dead:
            return
        now = self._world.timeline.now
        timeout_us = self._timeout_ms * MS
        if self._pipe is None:
            if now >= self._away_until:
                self._connect()
        elif now - self._heard_us > timeout_us * 2 // 3:
            self._world.counts["client gave a connection up"] += 1
            self._drop(is_silent=False)
        elif self._is_open and now - self._spoke_us > timeout_us // 3 and not self._pings:
            self._pings.append(self._request(OpCode.PING, None, xid=Xid.PING))
        self._world.timeline.at(timeout_us // 8, self._timer)

    # ----------------------------------------------------------------------------- sending

    def _request(
        self, opcode: OpCode, record: object, *, tag: str = "", xid: int | None = None
    ) -> Request:
        if xid is None:
            self._xid += 1
            xid = self._xid
        world = self._world
        now = self._spoke_us = world.timeline.now
        body = b"" if record is None else jute.encode(record)
        request = Request(xid, opcode, record, body, now, world.history.seen_zxid, tag)
        assert self._pipe is not None
        self._pipe.send(self._protocol.encode_request(xid, opcode, record))
        return request

    def _send(self, opcode: OpCode, record: object, tag: str = "") -> None:
        request = self._request(opcode, record, tag=tag)
        self._outstanding.append(request)
        if request.is_write:
            self._sent.writes.append(request)

    def _work(self) -> None:
        """Ask for some things at once, then think."""
        if self.is_dead:
            return
        world = self._world
        if self.is_working and self._is_open and len(self._outstanding) < 2 * world.plan.burst:
            for _ in range(world.random.randint(1, world.plan.burst)):
                self._send(*world.workload.draw())
            self._work_on_lock()
            if world.chance(0.01):
                self._is_open = self.holds_lock = False
                self._send(OpCode.CLOSE_SESSION, None)
        think_us = int(world.random.expovariate(1 / world.plan.think_us)) * self.pace
        world.timeline.at(think_us, self._work)

    def _work_on_lock(self) -> None:
        world = self._world
        if self.holds_lock:
            if world.chance(0.4):
                self.holds_lock = False
                self._send(*world.workload.unlock())
        elif world.chance(0.3):
            self._send(*world.workload.lock(), tag="lock")

    def probe(self) -> None:
        """One write and one sync, to see that it works."""
        self._send(*self._world.workload.lock(), tag="lock")
        self._send(*self._world.workload._sync())

    # ---------------------------------------------------------------------------- receiving

    def receive(self, pipe: Pipe, data: bytes) -> None:
        """Bytes have come."""
        if self._pipe is not pipe:
            return
        self._heard_us = self._world.timeline.now
        for event in self._protocol.receive(data):
            if isinstance(event, ConnectResponse):
                self._greeted(event)
            elif isinstance(event, Notification):
                self.watches.told(event)
                self._world.counts["event"] += 1
            elif event.xid == Xid.PING:
                self._answered(self._pings.popleft(), event)
            else:
                require(bool(self._outstanding), "30: nobody asked for a reply")
                request = self._outstanding.popleft()
                if request.xid != event.xid:
                    raise Violation(f"30: {event} answers {request}")
                self._answered(request, event)
            if self._pipe is not pipe:
                return

    def _greeted(self, response: ConnectResponse) -> None:
        world = self._world
        if response.timeout_ms <= 0:
            world.trace("client", self.number, "has lost session", self.session)
            known = self.session in world.history.sessions
            require(not known, "24: a session that lives was refused")
            self._drop(is_silent=False)
            self._new_session()
            return
        world.counts["attach"] += 1
        self.session = response.session_id
        self._password = response.password or b""
        self._timeout_ms = response.timeout_ms
        self._is_open = True
        kinds = self.watches.to_set_again()
        if any(kinds.values()):
            record = SetWatchesRequest(self._zxid, kinds["data"], kinds["exist"], kinds["child"])
            request = self._request(OpCode.SET_WATCHES, record, xid=Xid.SET_WATCHES)
            self._outstanding.append(request)

    def _answered(self, request: Request, reply: Reply) -> None:
        world, history = self._world, self._world.history
        if world.is_traced:
            world.trace("reply", self.number, request.opcode.name, request.xid, reply)
        require(reply.zxid >= self._zxid, f"24: {reply.zxid} came after {self._zxid}")
        world.counts["premise 24"] += 1
        if request.opcode == OpCode.SET_WATCHES:
            require(reply.error == 0, "28: setWatches failed")
            self.watches.set_again(request.record.relative_zxid, reply.zxid)
        self.watches.check_told(reply.zxid)
        self.watches.check_nothing_caught_up()
        self._zxid = reply.zxid
        history.seen(reply.zxid)
        if request.opcode not in (OpCode.PING, OpCode.SET_WATCHES):
            self.answered += 1
            world.answered += 1
        if request.is_write or request.opcode in HOLDING:
            self._hold(request)
        if request.is_write:
            history.check_write(request, reply.zxid, reply.error, reply.body)
            self._wrote(request, reply)
        elif request.opcode == OpCode.SYNC:
            require(reply.zxid >= request.floor, "22: a sync shows less than was seen before it")
            world.counts["premise 22"] += 1
        elif request.opcode in WATCHING:
            check_read(history.model, request, reply)
            world.counts["premise 23"] += 1
            self._watch(request, reply)

    def _hold(self, request: Request) -> None:
        self._world.history.answered(self.session, request, self._timeout_ms)
        until_us = request.sent_us + int(self._timeout_ms * MS * DRIFT_SHARE)
        self._held_until_us = max(self._held_until_us, until_us)

    def _watch(self, request: Request, reply: Reply) -> None:
        if not request.record.watch:
            return
        if reply.error == 0:
            self.watches.add(WATCHING[request.opcode], request.record.path, reply.zxid)
        elif request.opcode == OpCode.EXISTS:
            self.watches.add("exist", request.record.path, reply.zxid)

    def _wrote(self, request: Request, reply: Reply) -> None:
        world = self._world
        if request.opcode == OpCode.CLOSE_SESSION:
            world.counts["session closed"] += 1
            self._drop(is_silent=False)
            self._new_session()
        elif request.tag == "lock" and reply.error == 0 and self._is_open:
            now = world.timeline.now
            others = [each for each in world.clients if each is not self]
            holders = [each.number for each in others if each.believes_in_lock(now)]
            require(not holders, f"31: {self.number} and {holders} hold the lock")
            world.counts["premise 31"] += 1
            self.holds_lock = True
