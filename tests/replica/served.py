"""A replica's `Clients` over a state machine in memory; commits happen when a test says so."""

from collections.abc import Sequence
from struct import pack, unpack_from

from coord import jute
from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.operations.batch import encode_entry
from coord.operations.machine import StateMachine
from coord.replica.clients import Clients
from coord.replica.connections import Connection
from coord.replica.leases import Lease
from coord.replica.origin import Origin
from coord.state.dict_store import DictStore
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.state.watches import WatchTable
from coord.wire.frames import FrameBuffer
from coord.wire.opcodes import OpCode
from coord.wire.records import Acl, ConnectRequest, ConnectResponse, Id
from coord.wire.requests import (
    CreateRequest,
    ExistsRequest,
    GetDataRequest,
    SetDataRequest,
    SyncRequest,
)

OPEN = (Acl(31, Id("world", "anyone")),)


class Client:
    """The other end of a connection: what was sent to it, as (xid, zxid, error, body)."""

    is_secure = False

    def __init__(self, served: "Served") -> None:
        self.served = served
        self.connection: Connection = served.clients.opened(self, "10.0.0.1:999")
        self.frames = FrameBuffer(limit=1 << 30)
        self.session = ConnectResponse(0, 0, 0, b"")
        self.last_xid = 0
        self.unread = 0

    def wake(self) -> None:
        """The connection has something to send or to do; the tests look by themselves."""

    def unread_bytes(self) -> int:
        return self.unread

    def connect(
        self,
        session_id: int = 0,
        password: bytes = b"",
        seen: int = 0,
        *,
        read_only: bool | None = None,
    ) -> None:
        request = ConnectRequest(0, seen, 4000, session_id, password, read_only)
        self.send_frame(jute.encode(request))

    def attach(self, session_id: int = 0, password: bytes = b"") -> ConnectResponse:
        self.connect(session_id, password)
        self.served.commit()
        frame = self.received_frames()[0]
        self.session = jute.decode(ConnectResponse, frame)[0]
        return self.session

    def send_frame(self, body: bytes) -> None:
        self.served.clients.received(self.connection, pack(">i", len(body)) + body)

    def send(self, opcode: int, request: object = None, xid: int | None = None) -> int:
        if xid is None:
            self.last_xid += 1
            xid = self.last_xid
        body = b"" if request is None else jute.encode(request)
        self.send_frame(pack(">ii", xid, opcode) + body)
        return xid

    def create(self, path: str, data: bytes = b"", flags: int = 0) -> int:
        return self.send(OpCode.CREATE, CreateRequest(path, data, OPEN, flags))

    def set(self, path: str, data: bytes) -> int:
        return self.send(OpCode.SET_DATA, SetDataRequest(path, data, -1))

    def get(self, path: str, *, watch: bool = False) -> int:
        return self.send(OpCode.GET_DATA, GetDataRequest(path, watch))

    def exists(self, path: str, *, watch: bool = False) -> int:
        return self.send(OpCode.EXISTS, ExistsRequest(path, watch))

    def sync(self) -> int:
        return self.send(OpCode.SYNC, SyncRequest("/"))

    def received_frames(self) -> list[bytes]:
        data = b"".join(self.connection.outbox)
        self.connection.outbox.clear()
        return self.frames.feed(data)

    def replies(self) -> list[tuple[int, int, bytes]]:
        """(xid, error, body) of what has come since the last call; events have xid -1."""
        found = []
        for frame in self.received_frames():
            xid, _zxid, error = unpack_from(">iqi", frame)
            found.append((xid, error, frame[16:]))
        return found

    def xids(self) -> list[int]:
        return [xid for xid, _error, _body in self.replies()]

    @property
    def is_cut(self) -> bool:
        return self.connection.close_when_sent


class Served:
    """One replica's clients; `commit` applies what they have written."""

    def __init__(self, replica: int = 1, store: DictStore | None = None) -> None:
        self.watches = WatchTable()
        self.machine = StateMachine(DictStore() if store is None else store, self.watches)
        settings = Settings(FORMAT_LEVEL, b"k" * 32, b"p" * 16, None, False)
        member = Member(1, 1, MemberRole.VOTER, "a:1", "b:2")
        configuration = Configuration(7, jute.encode(settings), "majority", (member,))
        self.clients = Clients(
            self.machine, Origin(replica, 1), Lease(1000), self.watches, (2000, 20_000)
        )
        self.machine.configure(configuration.encode(), 0, self.clients)
        self.clients.lease.echo(0)

    def client(self) -> Client:
        return Client(self)

    def attached(self) -> Client:
        client = self.client()
        client.attach()
        return client

    def commit(self, more: Sequence[bytes] = ()) -> None:
        """Apply all that is pending here, and bundles of others."""
        bundles = list(more)
        while (bundle := self.clients.origin.take_bundle()) is not None:
            bundles.append(bundle)
        if bundles:
            self.machine.apply(encode_entry(1000, bundles), self.clients)

    def pass_barrier(self) -> None:
        """The leader confirms what is asked, and all of it is applied here."""
        barriers = self.clients.barriers
        token = barriers.ask(0)
        assert token is not None
        barriers.confirmed(token, 5)
        for slot, body in barriers.passed(5):
            self.clients.barrier_passed(slot, body)
