"""A replica reduced to its state machine, for tests: requests in, replies and events out."""

from collections.abc import Iterable

from coord import jute
from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.operations import batch
from coord.operations.context import Audience, Caller
from coord.operations.internal import (
    Attached,
    AttachRequest,
    ExpireRequest,
    Internal,
    ReapRequest,
)
from coord.operations.machine import StateMachine
from coord.operations.table import Kind, kind_of
from coord.state.permissions import may_read
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.wire.errors import ZooKeeperError, error_for
from coord.wire.opcodes import EXCHANGES, OpCode
from coord.wire.records import Id
from tests.state.stores import StrictStore

ADDRESS = Id("ip", "127.0.0.1")
SETTINGS = Settings(
    FORMAT_LEVEL,
    password_key=b"p" * 32,
    path_key=b"k" * 16,
    super_digest="super:D/InIHSb7yEEbrWz8b9l71RjZJU=",  # super:test
    ttl_nodes=True,
)
TIME_MS = 1_700_000_000_000


def configuration(settings: Settings = SETTINGS, ids: Iterable[int] = (1, 2, 3)) -> bytes:
    """The payload of entry 1."""
    members = tuple(
        Member(i, 100 + i, MemberRole.VOTER, f"10.0.0.{i}:2888", f"10.0.0.{i}:2181") for i in ids
    )
    return Configuration(7, jute.encode(settings), "majority", members).encode()


def founded(settings: Settings = SETTINGS) -> StateMachine:
    machine = StateMachine(StrictStore())
    machine.configure(configuration(settings), TIME_MS)
    return machine


class Recorder(Audience):
    """An audience that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple] = []

    def changed(self, event: int, path: bytes, zxid: int, acl: bytes) -> None:
        self.heard.append(("changed", event, path.decode(), zxid))

    def ended(self, session_id: int) -> None:
        self.heard.append(("ended", session_id))

    def moved(self, session_id: int, attachment: int) -> None:
        self.heard.append(("moved", session_id, attachment))

    def settled(self, replica, start, n, zxid, error, body) -> None:
        self.heard.append(("settled", replica, start, n, zxid, error, body))

    @property
    def changes(self) -> list[tuple[int, str]]:
        return [(each[1], each[2]) for each in self.heard if each[0] == "changed"]


class Connection:
    """A client's connection; raises what its requests answer as errors."""

    def __init__(self, server: "Server", attached: Attached) -> None:
        self.server = server
        self.session_id = attached.session_id
        self.attachment = attached.attachment
        self.password = attached.password
        self.events: list[tuple[int, str]] = []
        self.event_zxids: list[int] = []
        self.caller = Caller(self.session_id, (ADDRESS,), self, self.deliver)
        server.connections.append(self)

    def deliver(self, event: int, path: bytes, zxid: int) -> None:
        self.events.append((int(event), path.decode()))
        self.event_zxids.append(zxid)

    def take_events(self) -> list[tuple[int, str]]:
        events, self.events = self.events, []
        return events

    def ask(self, opcode: int, request: object) -> object:
        """Send a request; return the reply, or None where it has no body."""
        body = self.ask_bytes(opcode, jute.encode(request))
        reply = EXCHANGES[OpCode(opcode)][1]
        if reply is None:
            assert body == b""
            return None
        return jute.decode_all(reply, body)

    def ask_bytes(self, opcode: int, body: bytes) -> bytes:
        frame = (7).to_bytes(4) + opcode.to_bytes(4, signed=True) + body
        machine = self.server.machine
        if kind_of(opcode) is Kind.READ:
            return machine.answer(self.caller, opcode, frame)
        machine.check(opcode, frame)
        head = batch.operation_head(self.session_id, self.attachment, self.caller.identities)
        return self.server.write(batch.encode_operation(head, frame[4:]))


class Server:
    """One replica that is an ensemble by itself; each write is an entry."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.machine = founded(settings)
        self.connections: list[Connection] = []
        self.audience = Recorder()
        self.time_ms = TIME_MS
        self.n = 0

    def connect(self, timeout_ms: int = 4000) -> Connection:
        return Connection(self, self.attach(AttachRequest(0, b"", timeout_ms)))

    def attach(self, request: AttachRequest) -> Attached:
        return jute.decode_all(Attached, self.internal(Internal.ATTACH, request))

    def expire(self, session_id: int, attachment: int) -> None:
        assert self.internal(Internal.EXPIRE, ExpireRequest(session_id, attachment)) == b""

    def reap(self, path: bytes, mzxid: int, pzxid: int) -> None:
        assert self.internal(Internal.REAP, ReapRequest(path, mzxid, pzxid)) == b""

    def internal(self, opcode: Internal, request: object) -> bytes:
        head = batch.operation_head(0, 0, ())
        body = batch.encode_request(opcode, jute.encode(request))
        return self.write(batch.encode_operation(head, body))

    def write(self, operation: bytes) -> bytes:
        """Apply one operation; return its reply's body or raise its error."""
        self.n += 1
        bundle = batch.encode_bundle(1, 1, self.n, [operation])
        self.audience = Recorder()
        self.machine.apply(batch.encode_entry(self.time_ms, [bundle]), Fan(self))
        *_, zxid, error, body = self.audience.heard[-1]
        assert zxid == self.machine.zxid
        if error:
            raise error_for(error)
        return body


class Fan(Recorder):
    """Writes down what happens, and delivers events as a replica does."""

    def __init__(self, server: Server) -> None:
        self.heard = server.audience.heard
        self.server = server

    def changed(self, event: int, path: bytes, zxid: int, acl: bytes) -> None:
        super().changed(event, path, zxid, acl)
        for watcher in self.server.machine.watches.trigger(event, path):
            if may_read(acl, watcher.caller.identities):
                watcher.deliver(event, path, zxid)


def error_of(ask, *arguments) -> int:
    """The code of the error that a request answers; 0 for none."""
    try:
        ask(*arguments)
    except ZooKeeperError as error:
        return error.code
    return 0
