"""The check of shapes agrees with the records, and raises nothing but errors of ZooKeeper."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coord import jute
from coord.operations import spans
from coord.operations.row import Write, request_of
from coord.operations.table import ROWS, SPANS
from coord.state.permissions import ACL_BYTES_MAX, OPEN_ACL
from coord.wire.errors import InvalidAcl, MarshallingError, ZooKeeperError
from coord.wire.multi import MultiOperation, MultiRequest
from coord.wire.numbers import OpCode
from coord.wire.records import Acl, Id
from coord.wire.requests import (
    CheckRequest,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    SetAclRequest,
    SetDataRequest,
)

OPEN = (Acl(31, Id("world", "anyone")),)
BOB = (Acl(1, Id("digest", "bob:x")), Acl(2, Id("auth", None)))
REQUESTS = [
    (OpCode.CREATE, CreateRequest("/a", b"x", OPEN, 0)),
    (OpCode.CREATE, CreateRequest("", None, None, -1)),
    (OpCode.CREATE2, CreateRequest("/a/é", b"", BOB, 3)),
    (OpCode.CREATE_CONTAINER, CreateRequest("/a", b"x", (), 4)),
    (OpCode.CREATE_TTL, CreateTtlRequest("/a", b"x", OPEN, 5, 1000)),
    (OpCode.DELETE, DeleteRequest("/a", -1)),
    (OpCode.SET_DATA, SetDataRequest("/a", None, -1)),
    (OpCode.SET_DATA, SetDataRequest("/a", b"x" * 300, 4)),
    (OpCode.SET_ACL, SetAclRequest("/a", BOB, -1)),
    (OpCode.MULTI, MultiRequest(())),
    (
        OpCode.MULTI,
        MultiRequest(
            (
                MultiOperation(OpCode.CREATE, CreateRequest("/a", b"x", OPEN, 0)),
                MultiOperation(OpCode.CHECK, CheckRequest("/a", 0)),
                MultiOperation(OpCode.DELETE, DeleteRequest("/a", -1)),
            )
        ),
    ),
]


@pytest.mark.parametrize(("opcode", "request_"), REQUESTS)
def test_a_whole_request_passes_and_ends_where_it_ends(opcode, request_):
    body = jute.encode(request_)
    assert SPANS[opcode](b"12345678" + body, 8) == 8 + len(body)
    assert SPANS[opcode](b"12345678" + body + b"more", 8) == 8 + len(body)


@pytest.mark.parametrize(("opcode", "request_"), REQUESTS)
def test_a_request_that_is_cut_anywhere_is_a_marshalling_error(opcode, request_):
    body = jute.encode(request_)
    for cut in range(len(body)):
        with pytest.raises(MarshallingError):
            SPANS[opcode](body[:cut], 0)


def int_(number: int) -> bytes:
    return number.to_bytes(4, signed=True)


@pytest.mark.parametrize(
    ("opcode", "body"),
    [
        (OpCode.DELETE, int_(-1) + int_(0)),
        (OpCode.DELETE, int_(-2) + int_(0)),
        (OpCode.SET_DATA, int_(1) + b"/" + int_(-2) + int_(0)),
        (OpCode.SET_DATA, int_(2**31 - 1) + b"/" + int_(-1) + int_(0)),
        (OpCode.SET_ACL, int_(1) + b"/" + int_(-2) + int_(0)),
        (OpCode.SET_ACL, int_(1) + b"/" + int_(1) + int_(31) + int_(1) + b"\xff" + int_(-1)),
    ],
)
def test_an_impossible_length_is_a_marshalling_error(opcode, body):
    with pytest.raises(MarshallingError):
        SPANS[opcode](body, 0)


def test_an_acl_of_too_many_bytes_is_refused_before_it_is_proposed():
    acl = (Acl(1, Id("digest", "b:" + "x" * ACL_BYTES_MAX)),)
    with pytest.raises(InvalidAcl):
        SPANS[OpCode.SET_ACL](jute.encode(SetAclRequest("/a", acl, -1)), 0)


def test_an_acl_of_too_many_entries_is_refused_unread():
    with pytest.raises(InvalidAcl):
        SPANS[OpCode.SET_ACL](int_(1) + b"/" + int_(501), 0)


def test_the_open_acl_is_spanned_without_reading_it():
    assert spans.acl(b"--" + OPEN_ACL, 2) == 2 + len(OPEN_ACL)


CLIENT_WRITES = [row for row in ROWS if isinstance(row, Write) and request_of(row) is not None]


PIECES = [int_(n) for n in (-2, -1, 0, 1, 2, 5)] + [b"/", b"a", b"\0", OPEN_ACL, bytes(9)]
BODIES = st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join)


def end_of(span, body: bytes) -> int | None:
    """Where a body ends; None when it cannot be read."""
    try:
        return span(body)
    except (ZooKeeperError, jute.DecodeError):
        return None


@settings(deadline=None)
@given(st.sampled_from(CLIENT_WRITES), BODIES)
@example(CLIENT_WRITES[0], b"")
def test_what_passes_is_what_can_be_decoded(row, body):
    end = end_of(lambda data: row.span(data, 0), body)
    decoded_end = end_of(lambda data: jute.decode(request_of(row), data)[1], body)
    if end != decoded_end:
        # The characters of a path are judged when it is applied, as BadArguments.
        assert decoded_end is None
        assert b"\xff" in body
