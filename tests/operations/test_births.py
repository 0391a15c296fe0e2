"""Many children born below one parent: its record is written once, and nobody can tell."""

import random

import pytest

from coord import jute
from coord.operations import batch
from coord.operations.context import Caller
from coord.operations.machine import StateMachine
from coord.state.tree import recompute_digest
from coord.wire.multi import MultiOperation, MultiRequest
from coord.wire.numbers import OpCode
from coord.wire.records import Stat
from coord.wire.requests import (
    CloseSessionRequest,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ExistsRequest,
    SetDataRequest,
)
from tests.operations.server import ADDRESS, TIME_MS, Recorder, founded
from tests.operations.shell import OPEN
from tests.operations.test_machine import ATTACH, create, entry, operation

PARENTS = ["", "/a", "/a/b", "/c", "/t", "/n/o"]
CALLER = Caller(1, (ADDRESS,), object(), lambda *_event: None)


def children(machine: StateMachine, path: str) -> tuple[int, int, int]:
    """Number of children, cversion and pzxid of a node."""
    frame = bytes(4) + batch.encode_request(OpCode.EXISTS, jute.encode(ExistsRequest(path, False)))
    body = machine.answer(CALLER, OpCode.EXISTS, frame)
    assert isinstance(body, bytes)
    stat = jute.decode_all(Stat, body)
    return stat.num_children, stat.cversion, stat.pzxid


def attached() -> StateMachine:
    machine = founded()
    machine.apply(entry(batch.encode_bundle(1, 1, 1, [ATTACH])), Recorder())
    return machine


def some_operation(rng: random.Random) -> bytes:
    path = f"{rng.choice(PARENTS)}/{rng.choice('abcnot')}"
    draw = rng.random()
    if draw < 0.6:
        return create(path, rng.choice([0, 0, 0, 1, 2, 3]))
    if draw < 0.65:
        kind, flags = rng.choice([(OpCode.CREATE_CONTAINER, 4), (OpCode.CREATE_TTL, 5)])
        if kind == OpCode.CREATE_TTL:
            return operation(kind, CreateTtlRequest(path, b"x", OPEN, flags, 1000))
        return operation(kind, CreateRequest(path, b"x", OPEN, flags))
    if draw < 0.8:
        return operation(OpCode.DELETE, DeleteRequest(path, -1))
    if draw < 0.88:
        return operation(OpCode.SET_DATA, SetDataRequest(path, b"new", -1))
    if draw < 0.9:
        return operation(OpCode.CLOSE_SESSION, CloseSessionRequest())
    parts = [
        MultiOperation(OpCode.CREATE, CreateRequest(f"{path}{n}", b"", OPEN, 0)) for n in range(3)
    ]
    return operation(OpCode.MULTI, MultiRequest((*parts, *parts[: rng.random() < 0.3])))


@pytest.mark.parametrize("seed", range(20))
def test_operations_of_one_entry_do_what_they_do_in_entries_of_their_own(seed: int) -> None:
    rng = random.Random(seed)
    together, alone = attached(), attached()
    first = 2
    for _ in range(12):
        operations = [some_operation(rng) for _ in range(rng.randint(1, 30))]
        heard, one_by_one = Recorder(), Recorder()
        together.apply(entry(batch.encode_bundle(1, 1, first, operations)), heard)
        for number, each in enumerate(operations, first):
            alone.apply(entry(batch.encode_bundle(1, 1, number, [each])), one_by_one)
        first += len(operations)
        assert heard.heard == one_by_one.heard
        assert together.digest == alone.digest
        assert recompute_digest(together.store) == together.digest


def test_births_in_a_multi_that_fails_are_taken_back() -> None:
    machine = attached()
    count, cversion, _pzxid = children(machine, "/")
    parts = [MultiOperation(OpCode.CREATE, CreateRequest("/m", b"", OPEN, 0))] * 2
    operations = [create("/x"), operation(OpCode.MULTI, MultiRequest(tuple(parts))), create("/y")]
    machine.apply(entry(batch.encode_bundle(1, 1, 2, operations)), Recorder())
    assert children(machine, "/") == (count + 2, cversion + 2, 4)
    assert recompute_digest(machine.store) == machine.digest


class Reader(Recorder):
    """Reads the parent as soon as an operation has passed, as a client that pipelines does."""

    def __init__(self, machine: StateMachine) -> None:
        super().__init__()
        self.machine = machine
        self.seen: list[tuple[int, int, int]] = []

    def settled(self, replica, start, n, zxid, error, body) -> None:
        self.seen.append(children(self.machine, "/"))


def test_a_read_between_two_births_sees_the_first() -> None:
    machine = attached()
    reader = Reader(machine)
    count, cversion, _pzxid = children(machine, "/")
    operations = [create("/x"), create("/y"), create("/x"), create("/z-", 2)]
    machine.apply(entry(batch.encode_bundle(1, 1, 2, operations)), reader)
    assert reader.seen == [
        (count + 1, cversion + 1, 2),
        (count + 2, cversion + 2, 3),
        (count + 2, cversion + 2, 3),
        (count + 3, cversion + 3, 5),
    ]


def test_births_below_one_parent_are_numbered_on() -> None:
    machine = attached()
    recorder = Recorder()
    operations = [create("/s-", 2) for _ in range(3)]
    machine.apply(entry(batch.encode_bundle(1, 1, 2, operations), time_ms=TIME_MS), recorder)
    names = [path for event, path in recorder.changes if event == 1]
    assert names == ["/s-0000000000", "/s-0000000001", "/s-0000000002"]
