"""The records that ZooKeeper's documents and a real server fix byte for byte."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord import jute
from coord.wire import records, requests
from coord.wire.internal import CreateSessionRequest, DeleteContainerRequest, TxnHeader
from coord.wire.opcodes import EXCHANGES, INTERNAL, OpCode
from coord.wire.records import (
    Acl,
    ConnectRequest,
    ConnectResponse,
    Id,
    MultiHeader,
    ReplyHeader,
    RequestHeader,
    Stat,
    WatcherEvent,
)
from tests.wire.recorded import RECORDED, Exchange

PASSWORD = bytes(range(16))

GOLDEN: list[tuple[Any, str]] = [
    (
        ConnectRequest(0, 5, 4000, 7, PASSWORD),
        "00000000 0000000000000005 00000fa0 0000000000000007"
        "00000010 000102030405060708090a0b0c0d0e0f",
    ),
    (
        ConnectRequest(0, 5, 4000, 7, PASSWORD, True),
        "00000000 0000000000000005 00000fa0 0000000000000007"
        "00000010 000102030405060708090a0b0c0d0e0f 01",
    ),
    (
        ConnectRequest(0, -1, -1, 0, None, False),
        "00000000 ffffffffffffffff ffffffff 0000000000000000 ffffffff 00",
    ),
    (
        ConnectResponse(0, 4000, 7, PASSWORD),
        "00000000 00000fa0 0000000000000007 00000010 000102030405060708090a0b0c0d0e0f",
    ),
    (
        ConnectResponse(0, 0, 0, bytes(16), False),
        "00000000 00000000 0000000000000000 00000010 00000000000000000000000000000000 00",
    ),
    (RequestHeader(1, 4), "00000001 00000004"),
    (ReplyHeader(-2, 9, -101), "fffffffe 0000000000000009 ffffff9b"),
    (
        Stat(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
        "0000000000000001 0000000000000002 0000000000000003 0000000000000004"
        "00000005 00000006 00000007 0000000000000008 00000009 0000000a 000000000000000b",
    ),
    (Acl(31, Id("world", "anyone")), "0000001f 00000005 776f726c64 00000006 616e796f6e65"),
    (Acl(1, Id("ip", None)), "00000001 00000002 6970 ffffffff"),
    (WatcherEvent(3, 3, "/a"), "00000003 00000003 00000002 2f61"),
    (MultiHeader(14, False, -1), "0000000e 00 ffffffff"),
    (MultiHeader(-1, True, -1), "ffffffff 01 ffffffff"),
    (
        TxnHeader(1, 2, 3, 4, -1),
        "0000000000000001 00000002 0000000000000003 0000000000000004 ffffffff",
    ),
    (CreateSessionRequest(4000), "00000fa0"),
    (DeleteContainerRequest(b"/c"), "00000002 2f63"),
]

RECORDED_BODIES = [
    pytest.param(record, body, id=f"{exchange.opcode.name} {type(record).__name__}")
    for exchange in RECORDED
    for record, body in (
        (exchange.request, exchange.request_body),
        (exchange.reply, exchange.reply_body),
    )
    if record is not None
]
ALL = [
    *(pytest.param(each, bytes.fromhex(data), id=repr(each)) for each, data in GOLDEN),
    *RECORDED_BODIES,
]
CLASSES = sorted(
    {cls for pair in EXCHANGES.values() for cls in pair if cls}
    | {
        cls
        for module in (records, requests)
        for cls in vars(module).values()
        if isinstance(cls, type) and attrs.has(cls)
    },
    key=lambda cls: cls.__name__,
)

bodies = pytest.mark.parametrize(("record", "data"), ALL)


@bodies
def test_a_record_has_the_bytes_that_zookeeper_gives_it(record: Any, data: bytes) -> None:
    assert jute.encode(record) == data


@bodies
def test_the_bytes_are_read_as_the_record(record: Any, data: bytes) -> None:
    assert jute.decode_all(type(record), data) == record


@bodies
def test_trailing_bytes_are_left_alone(record: Any, data: bytes) -> None:
    if getattr(record, "read_only", False) is not None:
        assert jute.decode(type(record), data + b"\xff") == (record, len(data))


@bodies
def test_a_body_cut_short_anywhere_is_a_decode_error(record: Any, data: bytes) -> None:
    optional = isinstance(record, ConnectRequest | ConnectResponse) and record.read_only is not None
    for length in range(len(data) - optional):
        with pytest.raises(jute.DecodeError):
            jute.decode(type(record), data[:length])


@given(st.sampled_from(CLASSES), st.binary(max_size=300))
def test_garbage_is_a_record_or_a_decode_error(cls: type[Any], garbage: bytes) -> None:
    try:
        record, end = jute.decode(cls, garbage)
    except jute.DecodeError:
        return
    assert end <= len(garbage)
    assert jute.decode_all(cls, jute.encode(record)) == record


@given(st.sampled_from(RECORDED), st.data())
def test_a_recorded_body_with_one_byte_changed_is_a_record_or_a_decode_error(
    exchange: Exchange, data: st.DataObject
) -> None:
    body = bytearray(exchange.request_body or b"\0")
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    try:
        record, _ = jute.decode(type(exchange.request), bytes(body))
    except jute.DecodeError:
        return
    assert jute.decode_all(type(record), jute.encode(record)) == record


def test_the_recorded_exchanges_are_those_of_the_table() -> None:
    for each in RECORDED:
        request, reply = EXCHANGES[each.opcode]
        assert type(each.request) is request
        assert each.reply is None or type(each.reply) is reply
        assert each.reply is not None or reply is None or each.error


def test_every_op_code_a_client_may_use_was_recorded() -> None:
    only_in_multi = {OpCode.CHECK}
    recorded = {each.opcode for each in RECORDED}
    assert recorded | only_in_multi | INTERNAL == set(OpCode)


def test_every_op_code_that_asks_for_something_has_its_exchange() -> None:
    assert set(OpCode) - set(EXCHANGES) == {OpCode.NOTIFICATION, OpCode.ERROR}


def test_null_and_empty_data_are_different_on_the_wire() -> None:
    null, empty = (jute.encode(requests.SetDataRequest("/a", data, -1)) for data in (None, b""))
    assert null.hex(" ", 4) != empty.hex(" ", 4)
    assert jute.decode_all(requests.SetDataRequest, null).data is None
    assert jute.decode_all(requests.SetDataRequest, empty).data == b""


def test_a_stat_is_of_68_bytes_and_the_greetings_have_the_documented_lengths() -> None:
    request = ConnectRequest(0, 0, 0, 0, bytes(16))
    response = ConnectResponse(0, 0, 0, bytes(16))
    assert len(jute.encode(Stat(*range(11)))) == 68
    assert len(jute.encode(request)) == 44
    assert len(jute.encode(attrs.evolve(request, read_only=False))) == 45
    assert len(jute.encode(response)) == 36
    assert len(jute.encode(attrs.evolve(response, read_only=False))) == 37


def test_a_connect_request_knows_whether_it_had_the_byte() -> None:
    request = ConnectRequest(0, 0, 0, 0, bytes(16))
    assert not request.has_read_only
    assert attrs.evolve(request, read_only=False).has_read_only
