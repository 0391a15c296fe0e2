"""The state machine: exactly once, deterministic, total."""

import itertools
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coord import jute
from coord.operations import batch
from coord.operations.context import Caller
from coord.operations.internal import AttachRequest, Internal
from coord.operations.machine import StateMachine
from coord.operations.table import KINDS, Kind
from coord.state.dict_store import DictStore
from coord.state.tree import recompute_digest
from coord.wire.errors import ZooKeeperError
from coord.wire.multi import MultiOperation, MultiRequest
from coord.wire.numbers import OpCode
from coord.wire.records import Acl, Id
from coord.wire.requests import (
    AddWatchRequest,
    AuthRequest,
    CheckRequest,
    CloseSessionRequest,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ExistsRequest,
    GetAclRequest,
    GetDataRequest,
    GetEphemeralsRequest,
    ReconfigRequest,
    RemoveWatchesRequest,
    SetAclRequest,
    SetDataRequest,
    SetWatches2Request,
)
from tests.operations.server import ADDRESS, TIME_MS, Recorder, configuration, founded
from tests.operations.shell import OPEN

ATTACH = batch.encode_operation(
    batch.operation_head(0, 0, ()),
    batch.encode_request(Internal.ATTACH, jute.encode(AttachRequest(0, b"", 4000))),
)
HEAD = batch.operation_head(1, 1, (ADDRESS,))


def operation(opcode: OpCode, request: object) -> bytes:
    return batch.encode_operation(HEAD, batch.encode_request(opcode, jute.encode(request)))


def create(path: str, flags: int = 0) -> bytes:
    return operation(OpCode.CREATE, CreateRequest(path, b"x", OPEN, flags))


def entry(*bundles: bytes, time_ms: int = TIME_MS) -> bytes:
    return batch.encode_entry(time_ms, bundles)


def settled(audience: Recorder) -> list[tuple]:
    """(replica, start, n, zxid, error) of every write that was accepted."""
    return [each[1:6] for each in audience.heard if each[0] == "settled"]


class TestExactlyOnce:
    def begin(self) -> StateMachine:
        machine = founded()
        machine.apply(entry(batch.encode_bundle(1, 1, 1, [ATTACH])), Recorder())
        return machine

    def apply(self, machine, *arguments) -> list[tuple]:
        audience = Recorder()
        machine.apply(entry(batch.encode_bundle(*arguments)), audience)
        return settled(audience)

    def test_writes_follow_one_another(self):
        machine = self.begin()
        assert self.apply(machine, 1, 1, 2, [create("/a"), create("/b")]) == [
            (1, 1, 2, 2, 0),
            (1, 1, 3, 3, 0),
        ]
        assert machine.origin(1) == (1, 3)

    def test_a_write_that_was_applied_is_skipped(self):
        machine = self.begin()
        self.apply(machine, 1, 1, 2, [create("/s-", 2)])
        assert self.apply(machine, 1, 1, 2, [create("/s-", 2)]) == []
        assert machine.zxid == 2
        assert machine.node_count == 5

    def test_of_a_bundle_only_what_is_new_is_applied(self):
        machine = self.begin()
        self.apply(machine, 1, 1, 2, [create("/a")])
        again = [create("/a"), create("/b")]
        assert self.apply(machine, 1, 1, 2, again) == [(1, 1, 3, 3, 0)]

    def test_what_would_leave_a_gap_is_skipped(self):
        machine = self.begin()
        assert self.apply(machine, 1, 1, 3, [create("/a")]) == []
        assert machine.zxid == 1
        assert machine.origin(1) == (1, 1)

    def test_a_newer_start_begins_with_one(self):
        machine = self.begin()
        assert self.apply(machine, 1, 2, 2, [create("/a")]) == []
        assert self.apply(machine, 1, 2, 1, [create("/a")]) == [(1, 2, 1, 2, 0)]
        assert machine.origin(1) == (2, 1)

    def test_what_an_older_start_left_is_skipped(self):
        machine = self.begin()
        self.apply(machine, 1, 2, 1, [create("/a")])
        assert self.apply(machine, 1, 1, 2, [create("/b")]) == []
        assert self.apply(machine, 1, 1, 1, [create("/b")]) == []
        assert machine.origin(1) == (2, 1)

    def test_a_start_may_be_missing(self):
        machine = self.begin()
        assert self.apply(machine, 1, 9, 1, [create("/a")]) == [(1, 9, 1, 2, 0)]

    def test_replicas_count_by_themselves(self):
        machine = self.begin()
        assert self.apply(machine, 200, 5, 1, [create("/a")]) == [(200, 5, 1, 2, 0)]
        assert machine.origin(200) == (5, 1)
        assert machine.origin(1) == (1, 1)
        assert machine.origin(7) == (0, 0)

    def test_a_write_that_failed_counts_as_done(self):
        machine = self.begin()
        assert self.apply(machine, 1, 1, 2, [create("/no/a")]) == [(1, 1, 2, 2, -101)]
        assert self.apply(machine, 1, 1, 2, [create("/a")]) == []

    def test_an_empty_bundle_is_nothing(self):
        machine = self.begin()
        assert self.apply(machine, 1, 1, 2, []) == []
        assert self.apply(machine, 1, 2, 1, []) == []
        assert machine.origin(1) == (1, 1)

    def test_a_machine_on_the_same_store_goes_on_where_the_first_stopped(self):
        machine = self.begin()
        self.apply(machine, 1, 1, 2, [create("/e", 1)])
        again = StateMachine(machine.store)
        assert again.digest == machine.digest
        assert (again.zxid, again.time_ms) == (machine.zxid, machine.time_ms)
        assert again.origin(1) == (1, 2)
        assert again.session(1) == machine.session(1)
        assert again.settings == machine.settings
        assert dict(again.ephemerals())[1] == [b"/e"]
        assert self.apply(again, 1, 1, 2, [create("/x")]) == []
        assert self.apply(again, 1, 1, 3, [create("/x")]) == [(1, 1, 3, 3, 0)]


def test_before_the_first_configuration_there_is_nothing():
    machine = StateMachine(DictStore())
    assert not machine.is_founded
    assert (machine.zxid, machine.node_count, machine.origin(1)) == (0, 0, (0, 0))
    machine.configure(configuration(), TIME_MS)
    assert machine.is_founded
    assert (machine.zxid, machine.node_count, machine.time_ms) == (0, 4, TIME_MS)
    assert machine.digest == recompute_digest(machine.store)


def test_every_write_is_told_in_the_order_changes_then_end_then_outcome():
    machine = founded()
    audience = Recorder()
    close = operation(OpCode.CLOSE_SESSION, CloseSessionRequest())
    machine.apply(entry(batch.encode_bundle(1, 1, 1, [ATTACH, create("/e", 1), close])), audience)
    kinds = [each[0] for each in audience.heard]
    created = ["changed", "changed", "settled"]
    assert kinds == ["settled", *created, "changed", "changed", "ended", "settled"]


# Random writes, from a seed.

NAMES = ["a", "b", "c"]
ACLS = [
    OPEN,
    (Acl(1, Id("world", "anyone")),),
    (Acl(31, Id("auth", None)),),
    (Acl(31, Id("ip", "127.0.0.1")), Acl(31, Id("ip", "127.0.0.1"))),
    (),
    None,
]


def random_request(rng: random.Random, depth: int = 0) -> tuple[OpCode, object]:
    path = "/" + "/".join(rng.choices(NAMES, k=rng.choice([1, 1, 1, 2, 2, 3])))
    path = rng.choice([path] * 20 + ["/", "", "x", path + "/", path + "\0", "/zookeeper/config"])
    data = rng.choice([None, b"", b"x", b"y" * 50])
    version, acl = rng.choice([-1, -1, -1, 0, 1, -2]), rng.choice(ACLS[:1] * 10 + ACLS)
    flags = rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, -1])
    plain = [
        (OpCode.CREATE, CreateRequest(path, data, acl, flags)),
        (OpCode.CREATE, CreateRequest(path, data, acl, 0)),
        (OpCode.CREATE2, CreateRequest(path, data, acl, rng.choice([0, 1, 2, 3]))),
        (OpCode.CREATE_CONTAINER, CreateRequest(path, data, acl, 4)),
        (OpCode.CREATE_TTL, CreateTtlRequest(path, data, acl, 5, rng.choice([-1, 0, 1, 1000]))),
        (OpCode.DELETE, DeleteRequest(path, version)),
        (OpCode.SET_DATA, SetDataRequest(path, data, version)),
    ]
    if depth:
        return rng.choice([*plain, (OpCode.CHECK, CheckRequest(path, version))])
    if rng.random() < 0.02:
        return OpCode.CLOSE_SESSION, CloseSessionRequest()
    parts = [random_request(rng, 1) for _ in range(rng.randint(0, 4))]
    return rng.choice(
        [
            *plain,
            *plain,
            (OpCode.SET_ACL, SetAclRequest(path, acl, version)),
            (OpCode.MULTI, MultiRequest(tuple(MultiOperation(*part) for part in parts))),
        ]
    )


def random_operations(seed: int, count: int = 150) -> list[bytes]:
    """Writes of a few sessions, some attached again or gone, as one origin sends them."""
    rng = random.Random(seed)
    operations = [ATTACH] * 3
    for _ in range(count):
        if rng.random() < 0.05:
            operations.append(ATTACH)
            continue
        opcode, request = random_request(rng)
        identities = rng.choice([(), (ADDRESS,), (ADDRESS, Id("digest", "bob:x"))])
        head = batch.operation_head(rng.randint(1, 8), rng.choice([1] * 9 + [2]), identities)
        operations.append(
            batch.encode_operation(head, batch.encode_request(opcode, jute.encode(request)))
        )
    return operations


def applied(operations: list[bytes], cuts: list[int]) -> tuple[StateMachine, Recorder]:
    """Apply the operations of one origin in entries that end at the cuts."""
    machine, audience = founded(), Recorder()
    bounds = [0, *sorted(set(cuts)), len(operations)]
    for first, last in itertools.pairwise(bounds):
        bundle = batch.encode_bundle(1, 1, first + 1, operations[first:last])
        machine.apply(entry(bundle), audience)
    return machine, audience


@pytest.mark.parametrize("seed", range(8))
def test_the_same_entries_give_the_same_state_and_results_however_they_are_cut(seed):
    print(f"seed {seed}")
    operations = random_operations(seed)
    one, heard = applied(operations, [])
    cuts = random.Random(seed).sample(range(1, len(operations)), 30)
    other, heard_too = applied(operations, cuts)
    assert one.digest == other.digest
    assert heard.heard == heard_too.heard
    assert one.store.__dict__["_nodes"] == other.store.__dict__["_nodes"]
    assert recompute_digest(one.store) == one.digest
    # Not everything fails, and not everything succeeds.
    errors = [each[4] for each in settled(heard)]
    assert 20 < sum(error == 0 for error in errors) < len(errors)


@pytest.mark.parametrize("seed", range(8))
def test_sending_again_what_may_be_lost_changes_nothing(seed):
    print(f"seed {seed}")
    operations = random_operations(seed)
    one, heard = applied(operations, [])
    rng = random.Random(seed)
    other, heard_too = founded(), Recorder()
    last = 0
    while last < len(operations):
        first = rng.randint(max(0, last - 10), last + 2)
        some = operations[first : first + rng.randint(1, 20)]
        other.apply(entry(batch.encode_bundle(1, 1, first + 1, some)), heard_too)
        last = other.origin(1)[1]
    assert heard.heard == heard_too.heard
    assert one.digest == other.digest


# Bytes that nobody meant.

REQUESTS = [
    (OpCode.SET_ACL, SetAclRequest("/a", ACLS[3], -1)),
    (OpCode.EXISTS, ExistsRequest("/a", True)),
    (OpCode.GET_DATA, GetDataRequest("/a", True)),
    (OpCode.GET_ACL, GetAclRequest("/a")),
    (OpCode.GET_EPHEMERALS, GetEphemeralsRequest("/a")),
    (OpCode.AUTH, AuthRequest(0, "digest", b"bob:bob")),
    (OpCode.ADD_WATCH, AddWatchRequest("/a", 1)),
    (OpCode.REMOVE_WATCHES, RemoveWatchesRequest("/a", 3)),
    (OpCode.SET_WATCHES2, SetWatches2Request(1, ("/a",), ("/b",), ("/",), ("/a",), ("/a",))),
    (OpCode.RECONFIG, ReconfigRequest(None, "1", None, -1)),
]


@st.composite
def mangled(draw) -> tuple[int, bytes]:
    """A request with some of its bytes replaced, removed or repeated."""
    opcode, request = draw(
        st.one_of(
            st.integers(0, 10**6).map(lambda seed: random_request(random.Random(seed))),
            st.sampled_from(REQUESTS),
        )
    )
    body = bytearray(jute.encode(request))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        piece = draw(st.sampled_from([b"", b"\0", b"\xff", b"\xff" * 4, b"/", b"\x7f" * 4]))
        body[at : at + draw(st.integers(0, 4))] = piece
    if draw(st.booleans()):
        opcode = draw(st.sampled_from(sorted(KINDS)))
    return opcode, bytes(body)


@settings(deadline=None, max_examples=150)
@given(st.lists(mangled(), min_size=1, max_size=8))
@example([(OpCode.SET_DATA, b"\0\0\0\2\xff\xfe\0\0\0\0\0\0\0\0")])
@example([(OpCode.CREATE, b"\0\0\0\3/\xff\xfe" + jute.encode(SetAclRequest("", OPEN, 0)))])
def test_whatever_check_lets_through_apply_handles(requests):
    machine, audience = founded(), Recorder()
    writes = [ATTACH, create("/a"), create("/a/b", 1)]
    caller = Caller(1, (ADDRESS,), "watcher", lambda *event: None)
    for opcode, body in requests:
        frame = bytes(4) + opcode.to_bytes(4, signed=True) + body
        try:
            if KINDS[opcode] is Kind.READ:
                assert isinstance(machine.answer(caller, opcode, frame), bytes)
            else:
                machine.check(opcode, frame)
                writes.append(batch.encode_operation(HEAD, frame[4:]))
        except ZooKeeperError:
            pass
    machine.apply(entry(batch.encode_bundle(1, 1, 1, writes)), audience)
    assert len(settled(audience)) == len(writes) == machine.zxid
    assert machine.digest == recompute_digest(machine.store)
