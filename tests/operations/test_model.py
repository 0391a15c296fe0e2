"""Random operations answer, and leave, what a naive model says."""

import attrs
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coord.state.tree import recompute_digest
from coord.wire.errors import ZooKeeperError
from coord.wire.multi import MultiOperation, MultiRequest
from coord.wire.numbers import OpCode
from coord.wire.requests import (
    CheckRequest,
    CloseSessionRequest,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ErrorReply,
    ExistsRequest,
    GetAllChildrenNumberRequest,
    GetChildrenRequest,
    GetDataRequest,
    GetEphemeralsRequest,
    SetDataRequest,
)
from tests.operations.model import Model, ModelError
from tests.operations.server import TIME_MS, Server
from tests.operations.shell import OPEN

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.one_of(
    st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names)),
    st.sampled_from(["/", "/zookeeper", "/zookeeper/quota", "/a/", "/a/b/c/a0000000000"]),
)
DATA = st.sampled_from([b"", b"x", b"longer data"])
VERSIONS = st.sampled_from([-1, -1, 0, 1, 2, -2])
CREATES = st.sampled_from(
    [
        (OpCode.CREATE, 0, "persistent"),
        (OpCode.CREATE, 0, "persistent"),
        (OpCode.CREATE2, 2, "persistent"),
        (OpCode.CREATE, 1, "ephemeral"),
        (OpCode.CREATE, 3, "ephemeral"),
        (OpCode.CREATE_CONTAINER, 4, "container"),
        (OpCode.CREATE_TTL, 5, "ttl"),
        (OpCode.CREATE_TTL, 6, "ttl"),
    ]
)
TTL_MS = 1000


@attrs.frozen
class Step:
    """One write, as the server and as the model take it."""

    opcode: OpCode
    request: object
    on_model: object


@st.composite
def writes(draw):
    """A write: called with the model and a session it gives a Step."""
    verb = draw(st.sampled_from(["create", "create", "create", "set", "delete", "check"]))
    path, data, version = draw(PATHS), draw(DATA), draw(VERSIONS)
    opcode, flags, kind = draw(CREATES)
    numbered = flags in (2, 3, 6)

    def on(model: Model, session: int) -> Step:
        if verb == "create":
            request = CreateRequest(path, data, OPEN, flags)
            if opcode == OpCode.CREATE_TTL:
                request = CreateTtlRequest(path, data, OPEN, flags, TTL_MS)
            return Step(
                opcode,
                request,
                lambda: model.create(session, path, data, kind, numbered=numbered, ttl=TTL_MS),
            )
        if verb == "set":
            request = SetDataRequest(path, data, version)
            return Step(OpCode.SET_DATA, request, lambda: model.set_data(path, data, version))
        if verb == "delete":
            request = DeleteRequest(path, version)
            return Step(OpCode.DELETE, request, lambda: model.delete(path, version))
        request = CheckRequest(path, version)
        return Step(OpCode.CHECK, request, lambda: model.demand(path, version))

    return on


def outcome(do):
    """What a call returns, or the code of its error."""
    try:
        return do()
    except (ZooKeeperError, ModelError) as error:
        return error.code


class TreeAgainstModel(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.server = Server()
        self.model = Model()
        self.connections = {}
        for number in (1, 2):
            self.reconnect(number)

    def reconnect(self, number: int) -> None:
        self.connections[number] = self.server.connect()
        self.model.zxid += 1

    @rule(number=st.integers(1, 2), write=writes())
    def write_one(self, number, write):
        connection = self.connections[number]
        step = write(self.model, connection.session_id)
        assume(step.opcode != OpCode.CHECK)
        self.model.zxid += 1
        expected = outcome(step.on_model)
        answer = outcome(lambda: connection.ask(step.opcode, step.request))
        if isinstance(answer, int):
            assert answer == expected, step
            return
        if step.opcode == OpCode.SET_DATA:
            assert answer.stat == self.actual_stat(step.request.path)
        elif step.opcode != OpCode.DELETE:
            assert answer.path == expected
        if step.opcode in (OpCode.CREATE2, OpCode.CREATE_CONTAINER, OpCode.CREATE_TTL):
            assert answer.stat == self.actual_stat(expected)

    @rule(number=st.integers(1, 2), some=st.lists(writes(), max_size=6))
    def write_many(self, number, some):
        connection = self.connections[number]
        steps = [write(self.model, connection.session_id) for write in some]
        self.model.zxid += 1
        expected = self.model.all_or_nothing([each.on_model for each in steps])
        request = MultiRequest(tuple(MultiOperation(s.opcode, s.request) for s in steps))
        results = connection.ask(OpCode.MULTI, request).results
        codes = [r.reply.code if isinstance(r.reply, ErrorReply) else 0 for r in results]
        assert codes == expected

    @rule(number=st.integers(1, 2))
    def close(self, number):
        connection = self.connections[number]
        self.model.zxid += 1
        self.model.close(connection.session_id)
        connection.ask(OpCode.CLOSE_SESSION, CloseSessionRequest())
        self.reconnect(number)

    @rule(passes_ms=st.sampled_from([1, 600, 300_001]))
    def reap(self, passes_ms):
        self.server.time_ms += passes_ms
        self.model.now += passes_ms
        found = self.server.machine.reapable(self.server.time_ms, 1000)
        assert sorted(path.decode() for path, _, _ in found) == self.model.reapable()
        for path, mzxid, pzxid in found:
            self.model.zxid += 1
            self.model.remove(path.decode())
            self.server.reap(path, mzxid, pzxid)

    def actual_stat(self, path):
        return self.connections[1].ask(OpCode.EXISTS, ExistsRequest(path, False)).stat

    @invariant()
    def the_tree_is_the_models(self):
        machine, connection = self.server.machine, self.connections[1]
        assert machine.zxid == self.model.zxid
        for path, node in self.model.nodes.items():
            if path == "/zookeeper/config":
                continue
            reply = connection.ask(OpCode.GET_DATA, GetDataRequest(path, False))
            assert reply.data == node.data
            expected = self.model.stat(path)
            if node.czxid:
                expected = attrs.evolve(expected, ctime=expected.ctime + TIME_MS)
            if node.mzxid:
                expected = attrs.evolve(expected, mtime=expected.mtime + TIME_MS)
            assert reply.stat == expected, path
            names = connection.ask(OpCode.GET_CHILDREN, GetChildrenRequest(path, False)).children
            assert sorted(names) == sorted(self.model.children(path))
            total = connection.ask(
                OpCode.GET_ALL_CHILDREN_NUMBER, GetAllChildrenNumberRequest(path)
            ).total
            assert total == self.model.descendants(path), path
        assert machine.node_count == len(self.model.nodes)

    @invariant()
    def what_is_kept_beside_the_tree_is_right(self):
        machine = self.server.machine
        assert machine.digest == recompute_digest(machine.store)
        listed = 0
        for connection in self.connections.values():
            request = GetEphemeralsRequest("/")
            paths = list(connection.ask(OpCode.GET_EPHEMERALS, request).paths)
            assert paths == self.model.ephemerals(connection.session_id)
            listed += len(paths)
        assert machine.ephemeral_count == listed
        config = len(machine.store.get(b"/zookeeper/config") or b"")
        data = sum(len(path) + len(node.data) for path, node in self.model.nodes.items())
        shown = self.connections[1].ask(OpCode.GET_DATA, GetDataRequest("/zookeeper/config", False))
        assert config
        assert machine.data_bytes == data + len(shown.data)


TreeAgainstModel.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestTreeAgainstModel = TreeAgainstModel.TestCase
