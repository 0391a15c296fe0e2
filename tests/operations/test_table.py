"""The table names every op code once, and everything else follows from it."""

from collections import Counter

import pytest

from coord.operations import table
from coord.operations.internal import Internal
from coord.operations.row import NOTHING, Read, Refused, Write, request_of
from coord.operations.table import Kind, kind_of
from coord.wire.errors import Unimplemented
from coord.wire.multi import READS, WRITES
from coord.wire.numbers import Permission
from coord.wire.opcodes import EXCHANGES, INTERNAL, OpCode
from tests.operations.shell import Shell


def test_every_op_code_has_exactly_one_row():
    counts = Counter(int(row.opcode) for row in table.ROWS)
    assert set(counts) == {int(opcode) for opcode in (*OpCode, *Internal)}
    assert set(counts.values()) == {1}


def test_every_row_has_a_request_but_those_that_carry_none():
    without = {row.opcode for row in table.ROWS if request_of(row) is None}
    assert without == {OpCode.NOTIFICATION, OpCode.ERROR, *Internal}
    assert {row.opcode for row in table.ROWS if request_of(row) is not None} == set(EXCHANGES)


def test_what_wire_calls_internal_is_refused():
    assert {row.opcode for row in table.ROWS if isinstance(row, Refused)} == INTERNAL


def test_internal_writes_lie_beyond_zookeepers_numbers():
    assert all(opcode <= -100 for opcode in Internal)


def test_multi_consists_of_what_wire_says():
    assert {row.opcode for row in table.IN_MULTI} == set(WRITES)
    assert {row.opcode for row in table.IN_MULTI_READ} == set(READS)


@pytest.mark.parametrize(
    "opcode",
    [*sorted(INTERNAL), OpCode.CHECK, *Internal, 10, 23, 108, 2**31 - 1, -(2**31)],
)
def test_no_client_may_ask_for_it(opcode):
    shell = Shell()
    machine = shell.server.machine
    assert kind_of(opcode) is Kind.REFUSED
    with pytest.raises(Unimplemented):
        machine.check(opcode, bytes(100))
    with pytest.raises(Unimplemented):
        machine.answer(shell.connection(1).caller, opcode, bytes(100))


def test_reads_are_answered_and_public_writes_proposed():
    kinds = {row.opcode: kind_of(row.opcode) for row in table.ROWS}
    for row in table.ROWS:
        if isinstance(row, Read):
            assert kinds[row.opcode] is Kind.READ
        if isinstance(row, Write) and row.is_public:
            assert kinds[row.opcode] is Kind.WRITE


PERMISSIONS = {
    OpCode.CREATE: Permission.CREATE,
    OpCode.DELETE: Permission.DELETE,
    OpCode.SET_DATA: Permission.WRITE,
    OpCode.SET_ACL: Permission.ADMIN,
    OpCode.CHECK: Permission.READ,
    OpCode.EXISTS: Permission.READ,
    OpCode.GET_DATA: Permission.READ,
    OpCode.GET_CHILDREN: Permission.READ,
    OpCode.GET_ALL_CHILDREN_NUMBER: Permission.READ,
    OpCode.GET_ACL: Permission.READ | Permission.ADMIN,
    OpCode.GET_EPHEMERALS: NOTHING,
    OpCode.ADD_WATCH: NOTHING,
    OpCode.SYNC: NOTHING,
}


@pytest.mark.parametrize("opcode", PERMISSIONS)
def test_an_operation_needs_zookeepers_permission(opcode):
    (row,) = (row for row in table.ROWS if row.opcode == opcode)
    assert row.needs == PERMISSIONS[opcode]
