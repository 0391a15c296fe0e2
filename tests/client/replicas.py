"""The verbs of the fake ensemble over the real replicas of the test kit.

`pytest tests/client --in-memory replicas` runs the tests of the library with it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio

import client
import client.testing
from client.testing.dialer import Dialer
from client.testing.mishaps import Kind, Mishap
from client.testing.process import Process
from coord import jute
from coord.operations.batch import encode_operation, encode_request, operation_head
from coord.operations.internal import AttachRequest, Internal
from coord.state.record import CREATES_AT, STAT_SIZE, stat_of
from coord.wire.numbers import CreateFlag, OpCode
from coord.wire.requests import CreateRequest, DeleteRequest, SetDataRequest
from tests.client.seen import Node

SESSION_MS = 40_000
"""How long the session of somebody else lasts, if nobody asks for it."""


ALWAYS = frozenset({"test_lost_replies"})
"""Modules whose tests run on these replicas at every run: there, what servers do matters most."""

ON_REQUEST = frozenset(
    {
        "test_batch",
        "test_config",
        "test_election",
        "test_known_failures",
        "test_locks",
        "test_operations",
        "test_semaphores",
        "test_session",
        "test_shared_locks",
        "test_watches",
    }
)
"""Those that do with `--in-memory replicas`; it takes three times as long as the fake does."""

ONLY_FAKE = {
    "test_a_marked_create_is_found_again": "a write comes after its session was resumed",
    "test_a_write_that_comes_late_is_waited_for": "a write comes after its session was resumed",
    "test_a_resume_that_gives_another_session_is_an_expiry": "a server that no coord is",
    "test_a_reply_out_of_turn_breaks_the_connection_and_nothing_else": "a server that no coord is",
    "test_one_that_waited_while_its_session_was_expired_does_not_enter": "a server of no coord",
    "test_one_that_waited_behind_a_server_that_is_cut_off_does_not_enter": "a server of no coord",
    "test_a_null_reads_as_no_bytes": "a znode that no client of this library makes",
    "test_pings_from_a_server_that_is_cut_off_prove_nothing": "pings answered by a ZooKeeper",
    "test_credentials_are_sent_on_every_connection_before_anything_else": "names in the answer",
    "test_acls_are_read_and_replaced": "permissions, which the fake does not check",
    "test_times_are_datetimes": "the time of day",
    "test_one_that_leaves_wakes_one_only": "waits for tasks, where replicas take milliseconds",
    "test_those_who_stand_behind_wake_no_observer": "looks at what a connection watches",
    "test_a_reader_is_woken_by_nobody_but_the_writer_before_it": "the same",
    "test_leaving_the_loop_takes_the_watch_back": "the same",
    "test_states_and_events_of_one_znode_do_not_disturb_each_other": "the same",
    "test_add_watch_and_remove_watches_are_there_for_what_needs_them": "the same",
    "test_what_belongs_to_no_session_goes_on_in_the_next": "a session that ends without a word",
    "test_a_server_that_refuses_to_be_asked_decides_nothing": "all have lost the others at once",
}
"""Tests of what no replica does, or of what cannot be seen at one; they stay with the fake."""


def are_wanted(request: pytest.FixtureRequest) -> bool:
    """Whether a test runs on real replicas."""
    module = request.module.__name__.rpartition(".")[2]
    is_asked = request.config.getoption("--in-memory") == "replicas"
    wanted = module in ALWAYS or (is_asked and module in ON_REQUEST)
    return wanted and request.node.originalname not in ONLY_FAKE


def only_the_fake(*_: object, **__: object) -> Any:
    raise NotImplementedError("only the fake can do that: name the test in ONLY_FAKE")


class Tree:
    """What the leader has applied, and somebody else's hand."""

    def __init__(self, servers: client.testing.Ensemble) -> None:
        self._servers = servers
        self._sessions: dict[int, int] = {}
        """By what the tests call it: the session whose hand that is; 0 for no owner."""

    @property
    def _leader(self) -> Process:
        leader = self._servers.leader
        assert leader is not None
        return self._servers._processes[leader]

    @property
    def zxid(self) -> int:
        return self._leader.replica.machine.zxid

    @property
    def nodes(self) -> "Tree":
        return self

    @property
    def hidden(self) -> set[int]:
        return set(self._sessions.values())

    def __contains__(self, path: str) -> bool:
        return self._leader.replica.machine.store.get(path.encode()) is not None

    def __getitem__(self, path: str) -> Node:
        record = self._leader.replica.machine.store.get(path.encode())
        assert record is not None, path
        stat = stat_of(record)
        creates = int.from_bytes(record[CREATES_AT : CREATES_AT + 8])
        names = {session: name for name, session in self._sessions.items()}
        owner = names.get(stat.ephemeral_owner, stat.ephemeral_owner)
        at = len(record) - STAT_SIZE - stat.data_length
        return Node(record[at : at + stat.data_length], owner, creates, stat)

    def items(self) -> list[tuple[str, Node]]:
        paths = ["/"]
        for path in paths:
            paths += [f"{path.rstrip('/')}/{name}" for name in self.names(path)]
        return [(path, self[path]) for path in paths]

    def values(self) -> list[Node]:
        return [node for _, node in self.items()]

    def names(self, path: str) -> list[str]:
        found = self._leader.replica.machine.store.children(path.encode())
        names = sorted(name.decode() for name in found)
        return [name for name in names if path != "/" or name != "zookeeper"]

    def put(self, path: str, data: bytes, owner: int = 0) -> None:
        flag = CreateFlag.EPHEMERAL if owner else CreateFlag.PERSISTENT
        if path in self:
            self._write(OpCode.SET_DATA, SetDataRequest(path, data, -1), 0)
        else:
            request = CreateRequest(path, data, client.OPEN_ACL, flag)
            self._write(OpCode.CREATE2, request, owner)
        assert path in self, "the write was refused"

    def delete(self, path: str) -> None:
        self._write(OpCode.DELETE, DeleteRequest(path, -1), 0)
        assert path not in self, "the delete was refused"

    def _write(self, opcode: OpCode, request: object, owner: int) -> None:
        session = self._session(owner)
        known = self._leader.replica.machine.session(session)
        assert known is not None
        head = operation_head(session, known.attachment, ())
        self._propose(encode_operation(head, encode_request(opcode, jute.encode(request))))

    def _session(self, owner: int) -> int:
        machine = self._leader.replica.machine
        if machine.session(owner) is not None:
            return owner
        session = self._sessions.get(owner, 0)
        if machine.session(session) is None:
            before = set(machine.sessions())
            request = jute.encode(AttachRequest(0, b"", SESSION_MS))
            head = operation_head(0, 0, ())
            self._propose(encode_operation(head, encode_request(Internal.ATTACH, request)))
            (session,) = set(machine.sessions()) - before
            self._sessions[owner] = session
        return session

    def _propose(self, operation: bytes) -> None:
        """Have it applied everywhere before this returns."""
        leader = self._leader
        leader.input(leader.clients.origin.add, operation, None)
        self.settle()

    def settle(self) -> None:
        leader = self._leader
        self._servers._loop.pump()
        while leader.clients.origin.pending and leader.replica.is_gathering:
            leader.replica._gathering.answered(0, 0, leader.replica.now_ms)
            leader.input(lambda: None)
            self._servers._loop.pump()


class Replicas:
    """As `tests.client.fake.FakeEnsemble`, of which the verbs are."""

    defer_request = connections = cut_off = property(only_the_fake)
    greet_with_new_session = property(only_the_fake, only_the_fake)

    def __init__(self, servers: client.testing.Ensemble, nursery: trio.Nursery) -> None:
        self.servers = servers
        self.network = servers.network
        self.tree = Tree(servers)
        self.down: set[int] = set()
        self.mute: set[OpCode] = set()
        self.dialled: list[int] = []
        self.requests = servers.requests
        self._nursery = nursery
        self._dialers_made = 0

    @property
    def sessions(self) -> dict[int, object]:
        machine = self.tree._leader.replica.machine
        return {each: machine.session(each) for each in set(machine.sessions()) - self.tree.hidden}

    def connect(
        self, hosts: str = "one:1,two:2,three:3", **options: Any
    ) -> AbstractAsyncContextManager[client.Client]:
        settings = {"open_stream": self.open_stream, "clock": trio.current_time, **options}
        return client.connect(hosts, **settings)

    async def open_stream(self, host: str, port: int) -> trio.abc.Stream:
        self.dialled.append(port)
        await trio.lowlevel.checkpoint()
        if self.down & {port, -1}:
            raise OSError(f"{host}:{port} cannot be reached")
        self._dialers_made += 1
        return await Dialer(self, self._dialers_made).open_stream(host, port)

    async def running(self, dialer: Dialer, replica: int) -> Process | None:
        return await self.servers.running(dialer, replica)

    def meet(self, dialer: Dialer, opcode: int) -> Mishap | None:
        mishap = self.servers.meet(dialer, opcode)
        return Mishap("ignore", None, None) if opcode in self.mute else mishap

    def drop_reply(self, opcode: OpCode, then: Callable[[], None] | None = None) -> None:
        self._plan("drop reply", opcode, then)

    def drop_request(self, opcode: OpCode, then: Callable[[], None] | None = None) -> None:
        self._plan("drop request", opcode, then)

    def before(self, opcode: OpCode, then: Callable[[], None]) -> None:
        self._plan("before", opcode, then)

    def refuse_next(self, opcode: OpCode, error: int) -> None:
        self._plan("refuse", opcode, None, error)

    def _plan(
        self, kind: Kind, opcode: OpCode, then: Callable[[], None] | None, error: int = 0
    ) -> None:
        self.servers._mishaps.add(Mishap(kind, None, opcode, error, then))

    def forget_mishaps(self) -> None:
        self.servers._mishaps.forget()

    def start_soon(self, work: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(work)

    def cut(self) -> None:
        self.servers.disconnect()

    def expire(self, session_id: int, *, quietly: bool = False) -> None:
        if quietly:
            only_the_fake()
        leader = self.tree._leader
        known = leader.replica.machine.session(session_id)
        assert known is not None
        leader.input(leader.expire, session_id, known.attachment)
        self.tree.settle()


@asynccontextmanager
async def replicas() -> AsyncIterator[Replicas]:
    async with client.testing.ensemble() as servers, trio.open_nursery() as nursery:
        yield Replicas(servers, nursery)
        nursery.cancel_scope.cancel()
