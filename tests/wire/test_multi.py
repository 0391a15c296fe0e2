"""Several operations in one request."""

import pytest

from coord import jute
from coord.wire.multi import (
    READS,
    RESULTS,
    WRITES,
    MultiOperation,
    MultiReply,
    MultiRequest,
    MultiResult,
    decode_multi,
    decode_multi_reply,
    encode_multi,
    encode_multi_reply,
)
from coord.wire.opcodes import EXCHANGES, OpCode
from coord.wire.records import MultiHeader, Stat
from coord.wire.requests import CheckRequest, Create2Reply, ErrorReply, GetDataRequest

CHECK = MultiOperation(OpCode.CHECK, CheckRequest("/a", 1))
READ = MultiOperation(OpCode.GET_DATA, GetDataRequest("/a", watch=False))
END = bytes.fromhex("ffffffff 01 ffffffff")


def _part(opcode: int, body: bytes = b"") -> bytes:
    return jute.encode(MultiHeader(opcode, done=False, error=-1)) + body


def test_an_operation_has_a_header_before_it_and_the_request_one_at_its_end() -> None:
    data = bytes.fromhex("0000000d 00 ffffffff 00000002 2f61 00000001 ffffffff 01 ffffffff")
    assert encode_multi((CHECK,)) == data
    assert decode_multi(data) == ((CHECK,), len(data))


def test_an_error_has_its_code_in_the_header_and_in_the_body() -> None:
    results = (
        MultiResult(OpCode.ERROR, ErrorReply(0)),
        MultiResult(OpCode.ERROR, ErrorReply(-101)),
        MultiResult(OpCode.ERROR, ErrorReply(-2)),
    )
    data = bytes.fromhex(
        "ffffffff 00 00000000 00000000  ffffffff 00 ffffff9b ffffff9b"
        "ffffffff 00 fffffffe fffffffe  ffffffff 01 ffffffff"
    )
    assert encode_multi_reply(results) == data
    assert decode_multi_reply(data) == (results, len(data))


def test_the_reply_to_a_create2_is_of_its_own_type() -> None:
    reply = MultiReply((MultiResult(OpCode.CREATE2, Create2Reply("/a", Stat(*range(11)))),))
    data = jute.encode(reply)
    assert data[:9] == bytes.fromhex("0000000f 00 00000000")
    assert jute.decode_all(MultiReply, data) == reply


def test_the_header_at_the_end_ends_it_whatever_else_it_says() -> None:
    data = jute.encode(MultiHeader(14, done=True, error=7))
    assert jute.decode_all(MultiRequest, data) == MultiRequest(())
    assert jute.decode_all(MultiReply, data) == MultiReply(())


def test_reads_and_writes_do_not_mix() -> None:
    with pytest.raises(ValueError, match="reads and writes"):
        MultiRequest((CHECK, READ))
    with pytest.raises(jute.DecodeError, match="reads and writes"):
        jute.decode(MultiRequest, encode_multi((CHECK, READ)))


@pytest.mark.parametrize("opcode", sorted({*OpCode, 10, 99} - set(WRITES) - set(READS)))
def test_an_op_code_that_no_multi_may_hold_is_a_decode_error(opcode: int) -> None:
    with pytest.raises(jute.DecodeError):
        jute.decode(MultiRequest, _part(opcode, bytes(100)) + END)


@pytest.mark.parametrize("opcode", sorted({*OpCode, 10, 99} - set(RESULTS)))
def test_an_op_code_that_no_reply_may_hold_is_a_decode_error(opcode: int) -> None:
    with pytest.raises(jute.DecodeError):
        jute.decode(MultiReply, _part(opcode, bytes(100)) + END)


def test_a_multi_without_an_end_is_a_decode_error() -> None:
    with pytest.raises(jute.DecodeError):
        jute.decode(MultiRequest, encode_multi((CHECK, CHECK))[: -len(END)])


def test_what_a_multi_holds_is_what_the_op_codes_hold_elsewhere() -> None:
    for opcode, request in (WRITES | READS).items():
        assert EXCHANGES[opcode][0] is request
    for opcode, reply in RESULTS.items():
        if opcode is not OpCode.ERROR:
            assert EXCHANGES[opcode][1] is reply
